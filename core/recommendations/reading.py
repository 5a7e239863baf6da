"""Looking at proposals: what waits, what was decided, what one would change."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import Role
from core.errors import NotFoundError
from core.recommendations.kinds import is_risky
from core.specs.alerts import SEVERITIES
from core.tables.access import User
from core.tables.entities import (
    ActionRow,
    FactBook,
    ReasonerCall,
    Recommendation,
)

Difference = list[tuple[str, str, str]]
ALONE = "autonomy"
"""The origin of an action that nobody approved one by one: the product had leave to act."""
BY_POLICY = "policy"
"""The origin of one that an approved policy version allows by itself."""
LEAVES = (ALONE, BY_POLICY)


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


def edits(session: Session, row: Recommendation) -> tuple[Recommendation | None, list[str]]:
    """Return the proposal that this one was changed from, and the ids of those made from it."""
    later = select(Recommendation.id).filter_by(edit_of=row.id).order_by(Recommendation.id)
    before = session.get(Recommendation, row.edit_of) if row.edit_of else None
    return before, list(session.scalars(later))


def changed(before: Recommendation, after: Recommendation) -> Difference:
    """Return which arguments a person changed: (argument, before, after)."""
    names = sorted({*before.arguments, *after.arguments})
    pairs = [(n, str(before.arguments.get(n)), str(after.arguments.get(n))) for n in names]
    return [(name, old, new) for name, old, new in pairs if old != new]


def action(session: Session, recommendation_id: str) -> ActionRow | None:
    """Return the action that an approval set in motion, or None."""
    query = select(ActionRow).filter_by(recommendation_id=recommendation_id)
    return session.scalars(query).first()


def behind(session: Session, row: Recommendation) -> tuple[FactBook | None, list[ReasonerCall]]:
    """Return the facts and the verdict behind a proposal, and what reasoners were asked."""
    if row.fact_book_id is None:
        return None, []
    query = select(ReasonerCall).filter_by(fact_book_id=row.fact_book_id)
    calls = list(session.scalars(query.order_by(ReasonerCall.id)))
    return session.get(FactBook, row.fact_book_id), calls


def acted_alone(session: Session, *, since: datetime) -> list[ActionRow]:
    """Return what the product did without an approval of its own, newest first."""
    query = select(ActionRow).where(ActionRow.origin.in_(LEAVES), ActionRow.at > since)
    return list(session.scalars(query.order_by(ActionRow.id.desc())))


def approvers(session: Session) -> list[str]:
    """Return who may decide what is risky, by name."""
    query = select(User.name).where(
        User.active.is_(True), User.role.in_([Role.APPROVER, Role.ADMIN])
    )
    return list(session.scalars(query.order_by(User.name)))


def approved_alone(row: Recommendation) -> bool:
    """Say whether the one who proposed something risky approved it too (a single approver)."""
    own = same_person(row.proposed_by, row.decided_by or "")
    return own and is_risky(row.kind) and row.state not in ("proposed", "rejected", "edited")


def same_person(proposer: str, decider: str) -> bool:
    """Say whether two actor names are one person; a shell on the same name counts as one.

    >>> same_person("local:ana", "ana"), same_person("agent", "ana")
    (True, False)
    """
    return proposer.removeprefix("local:") == decider.removeprefix("local:")
