"""Two versions side by side: figures, parameters, data, slices, and rows that both met."""

from typing import Any

from sqlalchemy.orm import Session

from core.errors import InvalidInputError
from core.registry.versions import get, unpack
from core.statistics import mcnemar
from core.tables.entities import DatasetVersion, ModelVersion, Run

COMPARED = ("accuracy", "f1", "precision", "recall", "roc_auc", "brier")
SMALLER_IS_BETTER = frozenset({"brier"})


def compare(session: Session, model: str, first: str, second: str) -> dict[str, Any]:
    """Set two versions side by side: figures with intervals, parameters, data, and paired rows.

    `difference` is second minus first throughout; of the metrics in `SMALLER_IS_BETTER` a
    negative one is the better. `paired` is None where no held-out rows exist on which both were
    judged; `slices` is empty where the gate did not set the two against each other.
    Raises: NotFoundError, InvalidInputError (a version compared with itself).
    """
    one, other = get(session, model, first), get(session, model, second)
    if one.version == other.version:
        raise InvalidInputError(f"{one.version} is one version; choose two to compare.")
    sides = [_side(session, one), _side(session, other)]
    return {
        "model": one.model,
        "versions": [one.version, other.version],
        "metrics": {name: _pair(one, other, name) for name in COMPARED},
        "sides": sides,
        "parameters": _changed(sides[0]["parameters"], sides[1]["parameters"]),
        "same_test_rows": one.test_dataset_id == other.test_dataset_id,
        "paired": _paired(session, one, other),
        "slices": _slices(one, other),
    }


def _side(session: Session, version: ModelVersion) -> dict[str, Any]:
    run = session.get(Run, version.run_id)
    data = session.get(DatasetVersion, version.train_dataset_id)
    return {
        "version": version.version,
        "state": version.state,
        "algorithm": version.algorithm,
        "threshold": version.threshold,
        "parameters": run.parameters if run else {},
        "n_test": version.metrics.get("n_test"),
        "confusion": version.metrics.get("confusion"),
        "train_dataset": version.train_dataset_id,
        "test_dataset": version.test_dataset_id,
        "train_rows": data.n_rows if data else None,
        "train_source": data.source if data else None,
        "at": version.at.isoformat(),
    }


def _pair(one: ModelVersion, other: ModelVersion, name: str) -> dict[str, Any]:
    before, after = one.metrics.get(name), other.metrics.get(name)
    return {
        "values": [before, after],
        "intervals": [v.metrics.get("intervals", {}).get(name) for v in (one, other)],
        "difference": None if before is None or after is None else after - before,
        "smaller_is_better": name in SMALLER_IS_BETTER,
    }


def _changed(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    names = sorted({*one, *other})
    return [
        (name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)
    ]


def _paired(session: Session, one: ModelVersion, other: ModelVersion) -> dict[str, Any] | None:
    """McNemar on the largest set of held-out rows on which both versions were judged."""
    judged = [version.metrics.get("evaluations", {}) for version in (one, other)]
    shared = [
        (unpack(judged[0][dataset]), unpack(judged[1][dataset]), dataset)
        for dataset in judged[0].keys() & judged[1].keys()
    ]
    if not shared:
        return _paired_by_gate(one, other)
    first, second, dataset_id = max(shared, key=lambda pair: len(pair[0]))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    dataset = session.get(DatasetVersion, dataset_id)
    return {
        "dataset": dataset_id,
        "rows": dataset.source if dataset else "held-out rows",
        **_figures(only_first, only_second, len(first)),
    }


def _paired_by_gate(one: ModelVersion, other: ModelVersion) -> dict[str, Any] | None:
    """Return what the gate counted when one of the two was trained while the other served."""
    for judged, served in ((other, one), (one, other)):
        gate = judged.gate
        if gate.get("champion") == served.version and gate.get("n"):
            counts = (gate["only_champion_right"], gate["only_candidate_right"])
            first, second = counts if judged is other else counts[::-1]
            return {
                "dataset": judged.test_dataset_id,
                "rows": f"the rows on which the gate judged {judged.version}",
                **_figures(first, second, gate["n"]),
            }
    return None


def _slices(one: ModelVersion, other: ModelVersion) -> list[dict[str, Any]]:
    """Return what the gate found per slice, as second minus first; the worst comes first."""
    for judged, served, sign in ((other, one, 1), (one, other, -1)):
        if judged.gate.get("champion") == served.version:
            found = [_slice(part, sign) for part in judged.gate.get("slices") or []]
            return sorted(found, key=lambda part: part["difference"] or 0.0)
    return []


def _slice(part: dict[str, Any], sign: int) -> dict[str, Any]:
    change = part.get("difference") or {}
    edges = [change[name] * sign for name in ("low", "high") if name in change]
    low, high = sorted(edges) if edges else (None, None)
    value = change["value"] * sign if change else None
    return {
        "name": part["name"],
        "n": part["n"],
        "difference": value,
        "low": low,
        "high": high,
        "level": change.get("level"),
        "answer": part["answer"] if sign > 0 else _turned(part["answer"], high),
    }


def _turned(answer: str, high: float | None) -> str:
    """Return what a slice says of the one that served, from what it said of the other."""
    if high is not None and high < 0:
        return "refuse"
    return "pass" if answer == "refuse" else answer


def _figures(only_first: int, only_second: int, n: int) -> dict[str, Any]:
    difference = mcnemar.paired_difference(only_first, only_second, n)
    return {
        "n": n,
        "only_first_right": only_first,
        "only_second_right": only_second,
        "p_second_better": mcnemar.mid_p(only_first, only_second),
        "p_first_better": mcnemar.mid_p(only_second, only_first),
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "level": difference.level,
    }
