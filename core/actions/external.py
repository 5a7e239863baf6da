"""Actions whose effect lies outside our database: begun, carried out and finished in three steps.

Each step may be the last thing that its process does. An action that is found `running` was begun
by a worker that stopped, and whether it happened is not known: it is carried out again, and the
outside tells a repetition by the idempotency key, which is the action's id.
"""

from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jobs, recommendations
from core.actions.cases import Back, Inverse, inverse
from core.actions.checking import approved
from core.actions.ending import EXECUTOR, succeed
from core.actions.reading import get, locked
from core.db import Command, Database
from core.errors import ConflictError
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
    answer = scaler.scale(action_id=action.id, replicas=int(action.arguments["replicas"]))
    return _finish(db, settings, claim, action_id, answer)


def _begin(db: Database, claim: Claim, action_id: str) -> ActionRow:
    with db.read() as session:
        is_new = get(session, action_id).state == "queued"
    with db.command(EXECUTOR, "action.execute" if is_new else "action.reconcile") as command:
        jobs.check_fence(command.session, claim)
        action = locked(command.session, action_id)
        command.note(model=action.model, action_id=action.id, kind=action.kind)
        if action.state == "running":
            command.note(found=AGAIN, attempt=claim.fence)
            return action
        row = _allowed(command, action)
        number, before = scaling.check(command.session, action.arguments["replicas"]), action.before
        former = scaling.replicas(command.session)
        action.before = {**before, "replicas": former}
        action.state = "running"
        command.note(begun=True, replicas=number, before=former, recommendation=row and row.id)
        return action


def _allowed(command: Command, action: ActionRow) -> Recommendation | None:
    """Check again what the action rests on: its approval, or what it takes back.

    The rows of all that is under way are locked in one order, so that of two one goes first.
    """
    session = command.session
    busy = select(ActionRow).filter_by(kind=action.kind, state="running").order_by(ActionRow.id)
    for other in session.scalars(busy.with_for_update()):
        raise ConflictError(f"another scaling is under way ({other.id}); propose it again after it")
    if action.origin != UNDO:
        return approved(command, action)
    original = get(session, action.before["undoes"])
    if original.state != "succeeded" or original.inverse != _way_back(action.arguments["replicas"]):
        raise ConflictError("this is not what undoing that action would do")
    return None


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
        succeed(command, action, settings)
        return action


def _way_back(replicas: str) -> Json:
    return inverse("scale", replicas=replicas)


def _scale_back(back: Back) -> str:
    """Queue an action of its own that sets the former number, unless another was set since."""
    session, original = back.session, back.action
    newest = scaling.newest(session)
    if newest is None or newest.id != original.id:
        raise ConflictError(
            "the number of replicas was changed again since; propose the one you want"
        )
    tries = _tries(session, original)
    if any(one.state in ("queued", "running") for one in tries):
        raise ConflictError("this is being taken back already")
    queue(back.command, original, number=len(tries) + 1)
    return f"scaling back to {back.arguments['replicas']} replicas is under way"
