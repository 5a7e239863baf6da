"""Looking at proposals: what waits, what was decided, what one would change."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import releases
from core.errors import NotFoundError
from core.recommendations.kinds import is_risky
from core.specs.alerts import SEVERITIES
from core.tables.entities import Experiment, ModelVersion, Recommendation

Difference = list[tuple[str, str, str]]


def waiting(session: Session, *, model: str | None = None) -> list[Recommendation]:
    """Return what waits for a decision, the most severe first, then the oldest."""
    query = select(Recommendation).filter_by(state="proposed")
    if model:
        query = query.filter_by(model=model)
    rows = session.scalars(query.order_by(Recommendation.id))
    return sorted(rows, key=lambda row: SEVERITIES.index(row.severity))


def decided(session: Session, limit: int = 50) -> list[Recommendation]:
    """Return what no longer waits, newest first."""
    query = select(Recommendation).where(Recommendation.state != "proposed")
    return list(session.scalars(query.order_by(Recommendation.id.desc()).limit(limit)))


def get(session: Session, recommendation_id: str) -> Recommendation:
    """Return a proposal. Raises: NotFoundError."""
    if row := session.get(Recommendation, recommendation_id):
        return row
    raise NotFoundError(f"there is no recommendation {recommendation_id}")


def approved_alone(row: Recommendation) -> bool:
    """Say whether the one who proposed something risky approved it too (a single approver)."""
    own = same_person(row.proposed_by, row.decided_by or "")
    return own and is_risky(row.kind) and row.state not in ("proposed", "rejected")


def same_person(proposer: str, decider: str) -> bool:
    """Say whether two actor names are one person; a shell on the same name counts as one.

    >>> same_person("local:ana", "ana"), same_person("agent", "ana")
    (True, False)
    """
    return proposer.removeprefix("local:") == decider.removeprefix("local:")


def difference(session: Session, row: Recommendation) -> Difference:
    """Return what carrying the proposal out would change: (what, before, after)."""
    current = releases.find_current(session, row.model)
    now = releases.label(current) if current else "nothing"
    if row.kind == "retrain":
        return [("candidates", "none from this training", "one more"), ("serves", now, now)]
    if row.kind in ("promote", "rollback"):
        version = str(row.arguments.get("version") or row.arguments.get("to"))
        champion = releases.champion(current) if current else ""
        return [("serves", now, version), *_measured(session, row.model, champion, version)]
    experiment = session.get(Experiment, row.arguments.get("experiment_id"))
    if experiment is None:
        return []
    if row.kind == "stop_experiment":
        return [("serves", now, experiment.control)]
    if experiment.mode == "shadow":
        beside = f"{experiment.treatment} answers the log too"
        return [("serves", now, now), ("in shadow", "nothing", beside)]
    share = float(row.arguments.get("share") or experiment.share)
    split = f"{experiment.control} {100 - share * 100:g}% + {experiment.treatment} {share * 100:g}%"
    return [("serves", now, split)]


def _measured(session: Session, model: str, before: str, after: str) -> Difference:
    rows = [session.get(ModelVersion, (model, version)) for version in (before, after)]
    old, new = (row.metrics if row else {} for row in rows)
    return [
        (f"{name} on held-out rows", _figure(old.get(name)), _figure(new.get(name)))
        for name in ("accuracy", "f1")
        if name in new
    ]


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float | int) else "unknown"
