"""After a training: what the gate said about the candidate becomes a proposal, or a reason."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import outbox, registry, releases
from core.access import Actor, Kind
from core.db import Database
from core.errors import ConflictError
from core.experiments import results
from core.recommendations.proposing import Basis, propose, tell_incident
from core.settings import Settings
from core.tables.entities import ActionRow, ModelVersion, Recommendation


def propose_promotion(
    db: Database,
    settings: Settings,
    actor: Actor,
    *,
    model: str,
    version: str,
    reason: str = "",
) -> Recommendation | None:
    """Propose to release a version that the gate lets through, or whose gate was overridden.

    Where the product itself asks and the gate does not say promote there is no proposal (None),
    and the incident that led to the training and the channels are told why.

    Raises: ForbiddenError; NotFoundError (no such version); ConflictError (the gate does not say
    promote, and no approver overrode it; it serves already, or may not serve).
    """
    with db.read() as session:
        candidate = registry.get(session, model, version)
        incident_id = _incident_of(session, candidate)
        current = releases.find_current(session, candidate.model)
        won = results.won_by(session, candidate.model, candidate.version)
    if not registry.releasable(candidate) and actor.kind is Kind.SYSTEM:
        _withhold(db, settings, actor, candidate, incident_id)
        return None
    model, version = candidate.model, candidate.version
    _check(candidate, releases.label(current) if current else "")
    answer = str(candidate.gate.get("answer") or "nothing").replace("_", " ")
    gate = f"The gate answers {answer}: {_gate_words(candidate)}."
    return propose(
        db,
        actor,
        model=model,
        kind="promote",
        arguments={"version": version},
        title=f"Release {model} {version}",
        reasoning=" ".join(part for part in (_ended(reason), gate, _overridden(candidate)) if part),
        basis=_gate_basis(candidate, incident_id, won),
        channels=outbox.channels(settings),
    )


def _check(candidate: ModelVersion, serves: str) -> None:
    name = f"{candidate.model} {candidate.version}"
    if candidate.version == serves:
        raise ConflictError(f"{name} serves everything already")
    if candidate.state == "archived":
        raise ConflictError(f"{name} is archived and cannot serve")
    if not registry.releasable(candidate):
        raise ConflictError(
            f"{name} is not proposed: {_gate_words(candidate)}; an approver may override the gate"
            " with a reason"
        )


def _overridden(candidate: ModelVersion) -> str:
    over = candidate.overridden
    return f"Overridden by {over['by']}: {_ended(over['reason'])}" if over else ""


def _ended(text: str) -> str:
    """Return a person's words as a sentence of their own."""
    said = text.strip()
    return said if not said or said[-1] in ".!?" else f"{said}."


def _withhold(
    db: Database,
    settings: Settings,
    actor: Actor,
    candidate: ModelVersion,
    incident_id: str | None,
) -> None:
    """Tell why a trained version is not proposed."""
    model, version, why = candidate.model, candidate.version, _gate_words(candidate)
    what = f"{model} {version} is not proposed for release: {why}"
    with db.command(actor, "agent.decide") as command:
        command.note(model=model, reason=why, version=version, gate=candidate.gate.get("answer"))
        tell_incident(command, incident_id, what)
        path = f"/models?model={model}"
        outbox.post(command, outbox.channels(settings), what, model=model, path=path)


def _incident_of(session: Session, candidate: ModelVersion) -> str | None:
    """Return the incident behind the approved retrain that trained the candidate."""
    query = select(ActionRow).filter_by(model=candidate.model, kind="retrain")
    for action in session.scalars(query.order_by(ActionRow.id.desc()).limit(20)):
        if action.after.get("run_id") == candidate.run_id and action.recommendation_id:
            return session.get_one(Recommendation, action.recommendation_id).incident_id
    return None


def _gate_words(candidate: ModelVersion) -> str:
    reasons = candidate.gate.get("reasons") or ["the gate has not judged it"]
    more = candidate.gate.get("more_rows_needed")
    words = "; ".join(str(reason) for reason in reasons)
    known = not more or "more labelled rows" in words
    return words if known else f"{words}; {more} more labelled rows are needed"


def _compared_with(gate: Mapping[str, Any]) -> str:
    if gate.get("rule") == "first":
        return "difference in accuracy to the floor that a first version needs"
    return "difference in accuracy to what serves, on the same rows"


def _trial(candidate: ModelVersion, won: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the result of an experiment as evidence; its interval holds at every look."""
    spread = won["interval"]
    versions = f"accuracy of {candidate.version} minus {won['control']}"
    return {
        "fact": "experiment.won",
        "label": f"{versions} on live traffic, experiment {won['name']}",
        "value": won["difference"],
        "interval": [spread["low"], spread["high"]],
        "n": spread["n"],
        "link": f"/experiments?model={candidate.model}&id={won['id']}",
    }


def _gate_basis(
    candidate: ModelVersion, incident_id: str | None, won: Mapping[str, Any] | None
) -> Basis:
    gate, link = candidate.gate, f"/models?model={candidate.model}&version={candidate.version}"
    change = gate.get("difference") or {}
    interval = [change.get("low"), change.get("high")]
    evidence: list[Mapping[str, Any]] = [
        {
            "fact": "candidate.improvement",
            "label": _compared_with(gate),
            "value": change.get("value"),
            "interval": interval,
            "n": gate.get("n"),
            "link": link,
        }
    ]
    if won:
        evidence.append(_trial(candidate, won))
    for name in ("accuracy", "f1"):
        if name in candidate.metrics:
            value, n = candidate.metrics[name], candidate.metrics.get("n_test")
            fact = {"fact": f"candidate.{name}", "label": f"{name} of {candidate.version}"}
            evidence.append({**fact, "value": value, "interval": None, "n": n, "link": link})
    return Basis(
        decision="promote",
        severity="medium" if gate.get("answer") == "promote" else "high",
        confidence=1 - float(gate.get("p_value") or 0),
        evidence=evidence,
        expected={
            "metric": "accuracy",
            "effect": change.get("value"),
            "low": change.get("low"),
            "high": change.get("high"),
            "n": gate.get("n"),
        },
        reasoner="gate" if gate.get("answer") == "promote" else "person",
        incident_id=incident_id,
    )
