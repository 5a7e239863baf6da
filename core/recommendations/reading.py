"""Looking at proposals: what waits, what was decided, what one would change."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import Role
from core.db import settings_of
from core.errors import ForbiddenError, NotFoundError
from core.recommendations.kinds import is_risky
from core.specs.alerts import SEVERITIES
from core.tables.access import ApiKey, User
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


def decided(
    session: Session,
    limit: int = 50,
    *,
    model: str | None = None,
    kind: str | None = None,
    besides: str | None = None,
) -> list[Recommendation]:
    """Return what no longer waits, newest first; without the proposal `besides`."""
    query = select(Recommendation).where(Recommendation.state != "proposed")
    given = {"model": model, "kind": kind}
    query = query.filter_by(**{name: value for name, value in given.items() if value})
    if besides:
        query = query.where(Recommendation.id != besides)
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


def taken_back(session: Session, rows: Sequence[Recommendation]) -> frozenset[str]:
    """Return the ids of those whose action was undone."""
    asked = ActionRow.recommendation_id.in_([row.id for row in rows])
    query = select(ActionRow.recommendation_id).where(asked, ActionRow.state == "reverted")
    return frozenset(one for one in session.scalars(query) if one)


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


def approved_alone(session: Session, row: Recommendation) -> bool:
    """Say whether one person may have proposed something risky and approved it too."""
    if not is_risky(row.kind) or row.state in ("proposed", "rejected", "edited"):
        return False
    return row.decided_by is not None and maybe_own(session, row, row.decided_by)


def authors(session: Session, proposer: str) -> frozenset[str]:
    """Return who is behind a proposer's name; nobody where that is not known.

    A key stands for the person who made it (several of one name for all of theirs). Who types at
    a command line without a sign-in is not known, and so is not who made a key there.
    """
    if proposer.startswith(_KEY):
        of = select(ApiKey.created_by).filter_by(name=proposer.removeprefix(_KEY))
        makers = frozenset(session.scalars(of))
    else:
        makers = frozenset((proposer,))
    return frozenset() if any(name.startswith(_SHELL) for name in makers) else makers


def maybe_own(session: Session, row: Recommendation, name: str) -> bool:
    """Say whether `name` is behind a proposal, or may be because nobody knows who is."""
    behind = authors(session, row.proposed_by)
    return not behind or name in behind


def check_author(session: Session, kind: str, proposer: str) -> None:
    """Raise `ForbiddenError` where two people decide and nobody knows who the first one is.

    A person who decides alone (`PILOTHOUSE_SOLO`) is the only one it can be.
    """
    alone = settings_of(session).solo and len(approvers(session)) <= 1
    if not is_risky(kind) or alone or authors(session, proposer):
        return
    if proposer.startswith(_KEY):
        raise ForbiddenError(
            f"nobody knows whose {proposer} is, because it was made without a sign-in, and this"
            " needs two people: use a key that a person made on page Admin, or after"
            " `pilothouse login NAME`"
        )
    raise ForbiddenError(
        "this needs two people, so say who you are first: `pilothouse login NAME`, then again"
    )


_KEY, _SHELL = "key:", "local:"
