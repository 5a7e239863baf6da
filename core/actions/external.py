"""Actions whose effect lies outside our database: begun, carried out and finished in three steps.

Each step may be the last thing that its process does. An action that is found `running` was begun
by a worker that stopped, and whether it happened is not known: it is carried out again, and the
outside tells a repetition by the idempotency key, which is the action's id.
"""

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jobs, recommendations
from core.actions.cases import Back, Found, Inverse, Still, inverse
from core.actions.checking import approved
from core.actions.ending import EXECUTOR, OPEN, enqueue, succeed_in
from core.actions.reading import get, locked
from core.db import Command, Database
from core.errors import ConflictError, PilothouseError, UnavailableError
from core.ids import new_id
from core.jobs import Claim
from core.recommendations import scaling
from core.settings import Settings
from core.tables.base import Json
from core.tables.entities import ActionRow, Recommendation

KINDS = frozenset({"scale"})
AGAIN = "its worker stopped; carried out again with the same idempotency key"
UNDO = "undo"


class Scaler(Protocol):
    """What sets the number of replicas outside."""

    def scale(self, *, action_id: str, replicas: int) -> str:
        """Set the number and say what was answered; the same id twice is one and the same wish.

        Raises: PilothouseError (it did not happen, or nobody knows; the sentence says which).
        """


def carry_out(
    db: Database, settings: Settings, claim: Claim, action_id: str, scaler: Scaler | None
) -> ActionRow:
    """Begin an action under its claim, carry it out, and finish it under the same claim.

    Raises: ConflictError (the claim is lost, or it may not happen any more); PilothouseError (what
    went wrong outside); UnavailableError (the database).
    """
    action = _begin(db, claim, action_id)
    if action.state != "running":
        return action
    if scaler is None:
        raise ConflictError("this worker has nothing that could scale")
    try:
        answer = scaler.scale(action_id=action.id, replicas=int(action.arguments["replicas"]))
    except UnavailableError as problem:  # our own database is waited for, the outside is not
        raise PilothouseError(str(problem)) from problem
    return _finish(db, settings, claim, action_id, answer)


def _begin(db: Database, claim: Claim, action_id: str) -> ActionRow:
    with db.read() as session:
        is_new = get(session, action_id).state == "queued"
    with db.command(EXECUTOR, "action.execute" if is_new else "action.reconcile") as command:
        jobs.check_fence(command.session, claim)
        action, others = _locked_with_others(command.session, action_id)
        command.note(model=action.model, action_id=action.id, kind=action.kind)
        if action.state == "running":
            _check_age(command, action, "; whether it happened outside is not known: look")
            command.note(found=AGAIN, attempt=claim.fence)
            return action
        if any(other.state == "running" for other in others):
            raise ConflictError("another scaling is under way; propose it again after that")
        row = _allowed(command, action)
        number = scaling.check(command.session, action.arguments["replicas"])
        action.before = {**action.before, "replicas": scaling.replicas(command.session)}
        action.state = "running"
        command.note(begun=True, replicas=number, before=action.before)
        command.note(recommendation=row.id if row else None)
        return action


def _locked_with_others(session: Session, action_id: str) -> tuple[ActionRow, list[ActionRow]]:
    """Hold an action and all others that are not over; in one order, so that nobody waits twice."""
    is_open = select(ActionRow).where(ActionRow.kind.in_(KINDS), ActionRow.state.in_(OPEN))
    rows = session.scalars(is_open.order_by(ActionRow.id).with_for_update()).all()
    return locked(session, action_id), [row for row in rows if row.id != action_id]


def _allowed(command: Command, action: ActionRow) -> Recommendation | None:
    """Check again what the action rests on: its approval, or what it takes back."""
    if action.origin != UNDO:
        return approved(command, action)
    original = get(command.session, action.before["undoes"])
    if original.state != "succeeded" or original.inverse != _way_back(action.arguments["replicas"]):
        raise ConflictError("this is not what undoing that action would do")
    newest = scaling.newest(command.session)
    if newest is None or newest.id != original.id:
        raise ConflictError("another number of replicas was set since; undo that one first")
    _check_age(command, action, "; take it back again if it is still wanted")
    return None


def _check_age(command: Command, action: ActionRow, what_now: str) -> None:
    """Raise `ConflictError` when nobody came to carry the action out while it was wanted."""
    until = action.at + recommendations.LIFETIME
    if action.recommendation_id:
        row = recommendations.get(command.session, action.recommendation_id)
        until = recommendations.valid_until(row)
    if command.now > until:
        raise ConflictError(f"this is too old to act on{what_now}")


def _finish(
    db: Database, settings: Settings, claim: Claim, action_id: str, answer: str
) -> ActionRow:
    with db.command(EXECUTOR, "action.finish") as command:
        jobs.check_fence(command.session, claim)
        action = locked(command.session, action_id)
        command.note(model=action.model, action_id=action.id, kind=action.kind)
        if action.state != "running":
            command.note(left_as=action.state)
            return action
        action.after = {"replicas": int(action.arguments["replicas"]), "answer": answer}
        action.inverse = _way_back(str(action.before["replicas"]))
        if action.origin == UNDO:
            locked(command.session, action.before["undoes"]).state = "reverted"
        succeed_in(command, action, settings)
        return action


def _way_back(replicas: str) -> Json:
    return inverse("scale", replicas=replicas)


def _scale_back(back: Back) -> str:
    """Queue an action of its own that sets the former number, unless another was set since."""
    key, tries = _tries(back)
    _queue(back, f"{key}{tries + 1}")
    return f"scaling back to {back.arguments['replicas']} replicas is under way"


def _tries(done: Back | Found) -> tuple[str, int]:
    """Return how the keys of this undo begin, and how often it was tried.

    Raises: ConflictError (another number was set since, or it is under way).
    """
    newest = scaling.newest(done.session)
    if newest is None or newest.id != done.action.id:
        raise ConflictError("the number was changed again since; propose the one that you want")
    key = f"{UNDO}:{done.action.id}:"
    begins = ActionRow.idempotency_key.startswith(key, autoescape=True)
    tries = list(done.session.scalars(select(ActionRow).where(begins)))
    if any(one.state in OPEN for one in tries):
        raise ConflictError("this is being taken back already")
    return key, len(tries)


def _set_last(found: Found) -> None:
    _tries(found)


def _queue(back: Back, key: str) -> None:
    command = back.command
    action = ActionRow(
        id=new_id(command.now),
        model=back.action.model,
        recommendation_id=None,
        kind=back.action.kind,
        arguments=dict(back.arguments),
        state="queued",
        before={"undoes": back.action.id, "by": command.actor.name, "reason": back.reason},
        after={},
        inverse={},
        idempotency_key=key,
        origin=UNDO,
        at=command.now,
    )
    command.session.add(action)
    enqueue(command, action.id)
    command.note(undone_by=action.id)


INVERSES: Mapping[str, Inverse] = {"scale": _scale_back}

STILL: Mapping[str, Still] = {"scale": _set_last}
