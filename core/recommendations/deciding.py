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
from core.recommendations.kinds import KINDS, is_risky
from core.recommendations.means import check_means
from core.recommendations.proposing import is_sealed, tell_incident
from core.recommendations.reading import approvers, authors, get, maybe_own
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
    lapsed, changed since it was shown, another release serves by now, or nothing is set up that
    could do it).
    """
    with db.command(actor, "recommendation.decide") as command:
        row = _for_decision(command, recommendation_id, "approve", reason)
        alone = check_approving(command.session, command.actor, row, solo=solo)
        check_open(command, row, digest)
        command.note(alone=alone)
        approve_in(command, row, reason=reason)
        return row


def approve_in(
    command: Command, row: Recommendation, *, reason: str, origin: str = "approval", by: str = ""
) -> ActionRow:
    """Approve inside a command that has checked who may, and hand the action to the executor.

    `origin` tells a person's approval from a leave to act alone (``reading.LEAVES``), `by` whose
    leave that is. Raises: ConflictError (decided already).
    """
    decide_in(command, row, "approved", reason, by=by)
    command.note(kind=row.kind, arguments=row.arguments)
    return _enqueue(command, row, origin)


def check_open(command: Command, row: Recommendation, digest: str) -> None:
    """Raise `ConflictError` unless what was shown stands (seal, target, time) and can be done."""
    check_seal(row, digest)
    check_target(command.session, row)
    check_time(row, command.now)
    check_means(command.session, row.kind)


def reject(db: Database, actor: Actor, recommendation_id: str, *, reason: str) -> Recommendation:
    """Reject a proposal. Raises: InvalidInputError (no reason), and what `approve` raises."""
    with db.command(actor, "recommendation.decide") as command:
        row = _for_decision(command, recommendation_id, "reject", reason)
        if not reason.strip():
            raise InvalidInputError("say why this is rejected: the reason is kept with it")
        check_rejecting(command.session, command.actor, row)
        decide_in(command, row, "rejected", reason.strip())
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
        moved = []
        for recommendation_id in list(command.session.scalars(due)):
            if move(command.session, recommendation_id, ("proposed",), "expired"):
                row = get(command.session, recommendation_id)
                what = f"lapsed: {row.title} (nobody decided in time)"
                tell_incident(command, row.incident_id, what)
                moved.append(row.id)
        command.note(recommendations=moved)
        return len(moved)


def withdraw(db: Database, actor: Actor, recommendation_id: str, *, because: str) -> bool:
    """Let one waiting proposal lapse before its time; False when it was decided meanwhile."""
    with db.command(actor, "recommendation.expire") as command:
        row = locked(command.session, recommendation_id)
        command.note(model=row.model, recommendation=row.id, title=row.title, reason=because)
        told = {"decided_at": command.now, "decision_reason": because}
        moved = move(command.session, row.id, ("proposed",), "expired", **told)
        if moved:
            tell_incident(command, row.incident_id, f"lapsed: {row.title} ({because})")
        else:
            command.note(left_as=row.state)
        return moved


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
    """Raise `ConflictError` unless the release that the proposal saw still serves.

    What is not about what serves (a silence, a policy) has no such target.
    """
    if row.kind in KINDS and not KINDS[row.kind].serving:
        return
    current = releases.find_current(session, row.model)
    if (current.seq if current else 0) != row.release_seq:
        raise ConflictError(
            "what serves has changed since this was proposed; ask for a fresh proposal"
        )


def check_time(row: Recommendation, now: datetime) -> None:
    """Raise `ConflictError` once a proposal has lapsed."""
    if row.expires_at <= now:
        raise ConflictError(f"this proposal lapsed at {_when(row.expires_at)}")


def check_seal(row: Recommendation, digest: str) -> None:
    """Raise `ConflictError` unless `digest` seals the proposal as it stands in the database."""
    if digest != row.digest or not is_sealed(row):
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
        return f"lapsed at {_when(row.decided_at or row.expires_at)}"
    if row.state == "edited":
        return f"changed by {row.decided_by} at {_when(row.decided_at or row.expires_at)}"
    word = "rejected" if row.state == "rejected" else "approved"
    return f"{word} by {row.decided_by} at {_when(row.decided_at or row.expires_at)}"


def _for_decision(
    command: Command, recommendation_id: str, decision: str, reason: str
) -> Recommendation:
    command.note(recommendation=recommendation_id, decision=decision, reason=reason)
    return waiting_row(command, recommendation_id)


def waiting_row(command: Command, recommendation_id: str) -> Recommendation:
    """Lock a proposal that waits, so that of two people the second reads what the first did.

    Raises: NotFoundError; ConflictError (decided already).
    """
    row = locked(command.session, recommendation_id)
    command.note(model=row.model, title=row.title)
    if row.state != "proposed":
        raise ConflictError(f"decided already: {outcome(row)}")
    return row


def locked(session: Session, recommendation_id: str) -> Recommendation:
    """Return a proposal, locked until the transaction ends. Raises: NotFoundError."""
    lock = select(Recommendation).filter_by(id=recommendation_id).with_for_update()
    return session.scalars(lock).first() or get(session, recommendation_id)


def decide_in(
    command: Command, row: Recommendation, state: str, reason: str, *, by: str = ""
) -> None:
    """Move a waiting proposal to its end, in the name of the command's actor unless `by` is given.

    Raises: ConflictError (decided already).
    """
    moved = move(
        command.session,
        row.id,
        ("proposed",),
        state,
        decided_by=by or command.actor.name,
        decided_at=command.now,
        decision_reason=reason,
    )
    if not moved:
        command.session.refresh(row)
        raise ConflictError(f"decided already: {outcome(row)}")
    command.session.refresh(row)


def check_rejecting(session: Session, actor: Actor, row: Recommendation) -> None:
    """Raise `ForbiddenError` unless the actor may reject: their own, or with the role for it."""
    if actor.name not in authors(session, row.proposed_by):
        _check_role(session, actor, row)


def check_approving(session: Session, actor: Actor, row: Recommendation, *, solo: bool) -> bool:
    """Check role and four eyes; True when the only approver approves their own proposal.

    Raises: ForbiddenError.
    """
    _check_role(session, actor, row)
    if not is_risky(row.kind) or not maybe_own(session, row, actor.name):
        return False
    others = [name for name in approvers(session) if name != actor.name]
    if others and not authors(session, row.proposed_by):
        raise ForbiddenError(
            f"nobody knows which person {row.proposed_by} is, so it may be you: reject this, and"
            " let it be proposed by somebody who is signed in"
        )
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


def _check_role(session: Session, actor: Actor, row: Recommendation) -> None:
    if not is_risky(row.kind) or at_least(actor.role, Role.APPROVER):
        return
    who = ", ".join(approvers(session)) or "there is none: an admin adds one"
    raise ForbiddenError(
        f"{actor.name} ({actor.role}) may not decide this: it needs an approver ({who})"
    )


def _enqueue(command: Command, row: Recommendation, origin: str) -> ActionRow:
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
        origin=origin,
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
    return action


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
