"""The results of an experiment as a client reads them: arms, certainty, winner, what to do next."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from core.experiments import lifecycle, units
from core.tables.entities import Experiment, ModelVersion

_SHOWN = ("level", "low", "high")


def of(session: Session, row: Experiment) -> dict[str, Any]:
    """Return the results as plain values; figures of the difference are None before an outcome.

    `difference` is treatment minus control, with an interval that holds at every look.
    """
    found = lifecycle.status(session, row.id)
    rates = _all_rates(session, row)
    verdict = found["verdict"] or {}
    interval = verdict.get("interval") or dict.fromkeys(_SHOWN)
    names = ("difference", "p_value", "srm_p", "more_needed", "method", "assumptions")
    return {
        "id": row.id,
        "test": row.name,
        "model": row.model,
        "state": found["state"],
        "mode": found["mode"],
        "result": found["result"],
        "winner": winner(found),
        "arms": {arm: {**_arm(found, arm), **rates[arm]} for arm in lifecycle.ARMS},
        "traffic_split": found["share"],
        "metric": row.metric,
        "minimum_effect": row.minimum_effect,
        "significance_level": row.alpha,
        "significant": found["result"] in ("won", "lost") if verdict else None,
        **{name: verdict.get(name) for name in names},
        "interval": {name: interval[name] for name in _SHOWN},
        "planned_n": found["planned_n"],
        "started_at": row.started_at.isoformat() if row.started_at else None,
        "stopped_at": row.stopped_at.isoformat() if row.stopped_at else None,
        "stopped_because": row.verdict.get("stopped_because"),
        "sentence": found["sentence"],
        "recommendation": advice(found),
    }


def winner(found: Mapping[str, Any]) -> str | None:
    """Return the version that is better by the result; None while or where neither is.

    >>> winner({"result": "lost", "versions": {"control": "1.0.0", "treatment": "2.0.0"}})
    '1.0.0'
    """
    arm = {"won": "treatment", "lost": "control"}.get(str(found["result"]))
    return str(found["versions"][arm]) if arm else None


def advice(found: Mapping[str, Any]) -> str:
    """Say in a sentence what a person does next about an experiment that stands like `found`."""
    control, treatment = (found["versions"][arm] for arm in lifecycle.ARMS)
    if found["state"] == "draft":
        return "Propose its start, where that does not wait yet; an approver decides."
    over, more = found["state"] == "stopped", (found["verdict"] or {}).get("more_needed")
    first = "" if over else "Conclude it. "
    if found["result"] == "won":
        return f"{first}Propose to release {treatment}."
    if found["result"] == "invalid":
        return f"{first}Find out why the traffic was split otherwise, then draft it anew."
    if found["result"] in ("lost", "equivalent") or over:
        return f"{first}{control} keeps serving; there is nothing to release."
    return f"Let it run: {more:,} more outcomes are needed." if more else "Let it run."


def won_by(session: Session, model: str, version: str) -> dict[str, Any] | None:
    """Return the newest result by which a version won as treatment; None where it won none.

    `name`, `id`, `control`, and of the verdict `difference` (in accuracy, treatment minus
    control) and `interval` (`level`, `low`, `high`, `n` labelled predictions of both arms).
    """
    for row in lifecycle.all(session, model):
        if row.treatment != version or row.state == "draft":
            continue
        ended = row.state == "stopped"
        found = row.verdict if ended else lifecycle.status(session, row.id)["verdict"] or {}
        if (row.result if ended else found.get("result")) == "won":
            named = {"name": row.name, "id": row.id, "control": row.control}
            return {**named, **{name: found[name] for name in ("difference", "interval")}}
    return None


def _all_rates(session: Session, row: Experiment) -> dict[str, dict[str, float | None]]:
    """Return precision, recall and F1 per arm, of all its labelled answers; None where undefined.

    They are told beside the accuracy, which decides: only that has a verdict.
    """
    control = session.get(ModelVersion, (row.model, row.control))
    signature = control.signature if control else {}
    since = row.release_seq or 0
    cells = units.count_classes(
        session, row.model, row.id, signature.get("labels", []), since_seq=since
    )
    second = "shadow" if row.mode == "shadow" else "treatment"
    return {
        arm: _rates(cells.get(variant, {}), signature.get("positive"))
        for arm, variant in zip(lifecycle.ARMS, ("control", second), strict=True)
    }


def _rates(cells: Mapping[tuple[str, str], int], positive: str | None) -> dict[str, float | None]:
    """Return the rates of one arm.

    >>> _rates({("spam", "spam"): 6, ("spam", "ham"): 2, ("ham", "spam"): 4}, "spam")
    {'precision': 0.75, 'recall': 0.6, 'f1': 0.6666666666666666}
    """
    hits = cells.get((positive or "", positive or ""), 0)
    said = sum(n for (answer, _), n in cells.items() if answer == positive)
    true = sum(n for (_, truth), n in cells.items() if truth == positive)
    return {
        "precision": hits / said if said else None,
        "recall": hits / true if true else None,
        "f1": 2 * hits / (said + true) if said + true else None,
    }


def _arm(found: Mapping[str, Any], arm: str) -> dict[str, Any]:
    n, right = found["labelled"][arm], found["correct"][arm]
    return {
        "version": found["versions"][arm],
        "predictions": found["predictions"][arm],
        "users": found["users"][arm],
        "labelled": n,
        "correct": right,
        "accuracy": right / n if n else None,
    }
