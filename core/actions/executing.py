"""Carries out what was approved, exactly once: effect, action and proposal change together."""

from core import jobs, releases
from core.actions import external
from core.actions.cases import Case, serving
from core.actions.checking import approved
from core.actions.effects import of
from core.actions.ending import EXECUTOR, OPEN, fail_in, succeed_in
from core.actions.external import Scaler
from core.actions.proposing import note_undone
from core.actions.reading import get, locked
from core.db import Command, Database
from core.errors import PilothouseError, UnavailableError
from core.jobs import Claim
from core.settings import Settings
from core.tables.entities import ActionRow
from core.tables.operational import Job

ALREADY = "it had happened already"


def execute(
    db: Database,
    settings: Settings,
    claim: Claim,
    action_id: str,
    *,
    scaler: Scaler | None = None,
) -> ActionRow:
    """Carry out an approved action; one that was carried out already is left as it is.

    The claim is checked in the transaction of the effect, so that a worker that was taken over
    writes nothing. An action that may no longer happen is failed, with the reason. What a worker
    that stopped had left is in the audit trail as "action.reconcile". `scaler` is for what happens
    outside the database.

    Raises: NotFoundError; ConflictError (what failed it, or the claim is lost); UnavailableError.
    """
    try:
        with db.read() as session:
            action = get(session, action_id)
        if action.kind in external.KINDS and action.state in OPEN:
            return external.carry_out(db, settings, claim, action_id, scaler)
        verb = "action.execute" if action.state in OPEN else "action.reconcile"
        with db.command(EXECUTOR, verb) as command:
            jobs.check_fence(command.session, claim)
            return _carry_out(command, action_id, settings)
    except UnavailableError:
        raise
    except PilothouseError as problem:
        fail(db, action_id, str(problem), claim=claim)
        raise


def fail(db: Database, action_id: str, error: str, *, claim: Claim) -> None:
    """Record that an action did not happen; one that has ended already is left as it is.

    So is one whose job another worker has taken over: it may happen yet. Raises: NotFoundError.
    """
    with db.read() as session:
        if get(session, action_id).state not in OPEN:
            return  # nothing happens, so the audit trail has nothing to say
    with db.command(EXECUTOR, "action.finish") as command:
        job = command.session.get(Job, claim.job_id, with_for_update=True)  # locked in one order
        action = locked(command.session, action_id)
        command.note(model=action.model, action_id=action.id, reason=error)
        if action.state not in OPEN or job is None or job.fence != claim.fence:
            command.note(left_as=action.state)
            return
        fail_in(command, action, error)


def _carry_out(command: Command, action_id: str, settings: Settings) -> ActionRow:
    session, action = command.session, locked(command.session, action_id)
    command.note(model=action.model, action_id=action.id, kind=action.kind)
    if action.state != "queued":
        command.note(already=action.state, found=_found(action))
        return action
    case = Case(command, action, approved(command, action), settings)
    effect = of(action.kind)
    effect.check(case)
    action.before = serving(releases.find_current(session, action.model))
    action.after, action.inverse = effect.do(case)
    note_undone(session, action)
    succeed_in(command, action, settings)
    return action


def _found(action: ActionRow) -> str:
    return f"it had failed already: {action.error}" if action.state == "failed" else ALREADY
