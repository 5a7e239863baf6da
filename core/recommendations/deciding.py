"""Deciding: once, by a person who may, about exactly what was shown."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from core import jobs, releases
from core.access import Actor, Role, at_least, system
from core.db import Command, Database
from core.errors import ConflictError, ForbiddenError, InvalidInputError
from core.ids import new_id
from core.recommendations.kinds import is_risky
from core.recommendations.proposing import seal, tell_incident
from core.recommendations.reading import get, same_person
from core.tables.access import User
from core.tables.entities import ActionRow, Recommendation

GRACE = timedelta(hours=1)


def approve(
    db: Database,
    actor: Actor,
    recommendation_id: str,
    *,
    digest: str,
    solo: bool,
    reason: str = "",
) -> Recommendation:
    """Approve what `digest` seals, and hand it to the executor.

    Raises: ForbiddenError (role, own proposal); NotFoundError; ConflictError (decided already,
    lapsed, changed since it was shown, or another release serves by now).
    """
    with db.command(actor, "recommendation.decide") as command:
        row = _for_decision(command, recommendation_id, "approve", reason)
        alone = _check_eyes(command, row, solo=solo)
        check_seal(row, digest)
        check_target(command.session, row)
        if row.expires_at <= command.now:
            raise ConflictError(f"this proposal lapsed at {_when(row.expires_at)}")
        _decide(command, row, "approved", reason)
        command.note(alone=alone, kind=row.kind, arguments=row.arguments)
        _enqueue(command, row)
        return row


def reject(db: Database, actor: Actor, recommendation_id: str, *, reason: str) -> Recommendation:
    """Reject a proposal. Raises: InvalidInputError (no reason), and what `approve` raises."""
    with db.command(actor, "recommendation.decide") as command:
        row = _for_decision(command, recommendation_id, "reject", reason)
        if not reason.strip():
            raise InvalidInputError("say why this is rejected: the reason is kept with it")
        own = same_person(row.proposed_by, command.actor.name)
        if is_risky(row.kind) and not own:
            _check_role(row, command.actor)
        _decide(command, row, "rejected", reason.strip())
        tell_incident(command, row.incident_id, f"rejected: {row.title} ({reason.strip()})")
        return row


def expire(db: Database) -> int:
    """Let proposals lapse that nobody decided in time; returns how many."""
    due = select(Recommendation.id).where(
        Recommendation.state == "proposed", Recommendation.expires_at <= db.clock()
    )
    with db.read() as session:
        if not session.scalars(due).first():
            return 0
    with db.command(system("schedule"), "recommendation.expire") as command:
        ids = list(command.session.scalars(due))
        moved = [i for i in ids if move(command.session, i, ("proposed",), "expired")]
        command.note(recommendations=moved)
        return len(moved)


def move(
    session: Session,
    recommendation_id: str,
    source: tuple[str, ...],
    target: str,
    **values: Any,  # noqa: ANN401
) -> bool:
    """Compare-and-set the state; False when it is in none of the `source` states any more."""
    statement = update(Recommendation).where(
        Recommendation.id == recommendation_id, Recommendation.state.in_(source)
    )
    done = session.execute(statement.values(state=target, **values))
    return cast("CursorResult[Any]", done).rowcount == 1


def check_target(session: Session, row: Recommendation) -> None:
    """Raise `ConflictError` unless the release that the proposal saw still serves."""
    current = releases.find_current(session, row.model)
    if (current.seq if current else 0) != row.release_seq:
        raise ConflictError(
            "what serves has changed since this was proposed; ask for a fresh proposal"
        )


def check_seal(row: Recommendation, digest: str) -> None:
    """Raise `ConflictError` unless `digest` seals the proposal as it stands in the database."""
    if digest != row.digest or seal(row) != row.digest:
        raise ConflictError("this is not the proposal that was shown; look at it again")


def valid_until(row: Recommendation) -> datetime:
    """Return how long an approval may wait for its executor: the expiry, at least an hour."""
    return max(row.expires_at, (row.decided_at or row.proposed_at) + GRACE)


def outcome(row: Recommendation) -> str:
    """Say what became of a proposal, by whom and when.

    >>> outcome(Recommendation(state="superseded"))
    'replaced by a newer proposal'
    """
    if row.state == "superseded":
        return "replaced by a newer proposal"
    if row.state == "expired":
        return f"lapsed at {_when(row.expires_at)}"
    word = "rejected" if row.state == "rejected" else "approved"
    return f"{word} by {row.decided_by} at {_when(row.decided_at or row.expires_at)}"


def _for_decision(
    command: Command, recommendation_id: str, decision: str, reason: str
) -> Recommendation:
    """Lock the row, so that of two deciders the second one reads what the first one did."""
    command.note(recommendation=recommendation_id, decision=decision, reason=reason)
    lock = select(Recommendation).filter_by(id=recommendation_id).with_for_update()
    row = command.session.scalars(lock).first() or get(command.session, recommendation_id)
    command.note(model=row.model, title=row.title)
    if row.state != "proposed":
        raise ConflictError(f"decided already: {outcome(row)}")
    return row


def _decide(command: Command, row: Recommendation, state: str, reason: str) -> None:
    moved = move(
        command.session,
        row.id,
        ("proposed",),
        state,
        decided_by=command.actor.name,
        decided_at=command.now,
        decision_reason=reason,
    )
    if not moved:
        command.session.refresh(row)
        raise ConflictError(f"decided already: {outcome(row)}")
    command.session.refresh(row)


def _check_role(row: Recommendation, actor: Actor) -> None:
    if is_risky(row.kind) and not at_least(actor.role, Role.APPROVER):
        raise ForbiddenError(
            f"{actor.name} ({actor.role}) may not decide this: it needs an approver"
        )


def _check_eyes(command: Command, row: Recommendation, *, solo: bool) -> bool:
    """Check role and four eyes; True when the only approver approves their own proposal."""
    actor = command.actor
    _check_role(row, actor)
    if not is_risky(row.kind) or not same_person(row.proposed_by, actor.name):
        return False
    others = [name for name in _approvers(command.session) if name != actor.name]
    if others:
        raise ForbiddenError(
            f"you proposed this yourself: another person decides ({', '.join(others)})"
        )
    if not solo:
        raise ForbiddenError(
            "you proposed this yourself and nobody else may approve it: add an approver,"
            " or set PILOTHOUSE_SOLO=true"
        )
    return True


def _approvers(session: Session) -> list[str]:
    query = select(User.name).where(
        User.active.is_(True), User.role.in_([Role.APPROVER, Role.ADMIN])
    )
    return list(session.scalars(query.order_by(User.name)))


def _enqueue(command: Command, row: Recommendation) -> None:
    action = ActionRow(
        id=new_id(command.now),
        model=row.model,
        recommendation_id=row.id,
        kind=row.kind,
        arguments=row.arguments,
        state="queued",
        before={},
        after={},
        inverse={},
        idempotency_key=row.id,
        origin="approval",
        at=command.now,
    )
    command.session.add(action)
    jobs.enqueue(
        command.session,
        "execute",
        {"action_id": action.id},
        now=command.now,
        key=f"execute:{action.id}",
    )
    command.note(action_id=action.id)


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
