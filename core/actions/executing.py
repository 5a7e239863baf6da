"""Carries out what was approved, exactly once: effect, action and proposal change together."""

from core import jobs, outbox, recommendations, releases
from core.access import system
from core.actions.cases import Case, serving
from core.actions.effects import of
from core.actions.reading import get, locked
from core.db import Command, Database
from core.errors import ConflictError, PilothouseError, UnavailableError
from core.jobs import Claim
from core.settings import Settings
from core.tables.entities import ActionRow, Recommendation
from core.tables.operational import Job

EXECUTOR = system("executor")


def execute(db: Database, settings: Settings, claim: Claim, action_id: str) -> ActionRow:
    """Carry out an approved action; one that was carried out already is left as it is.

    The claim is checked in the transaction of the effect, so that a worker that was taken over
    writes nothing. An action that may no longer happen is failed, with the reason.

    Raises: NotFoundError; ConflictError (what failed it, or the claim is lost); UnavailableError.
    """
    try:
        with db.command(EXECUTOR, "action.execute") as command:
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
        if get(session, action_id).state != "queued":
            return  # nothing happens, so the audit trail has nothing to say
    with db.command(EXECUTOR, "action.finish") as command:
        job = command.session.get(Job, claim.job_id, with_for_update=True)  # locked in one order
        action = locked(command.session, action_id)
        command.note(model=action.model, action_id=action.id, reason=error)
        if action.state != "queued" or job is None or job.fence != claim.fence:
            command.note(left_as=action.state)
            return
        action.state, action.error, action.finished_at = "failed", error, command.now
        if action.recommendation_id:
            row = recommendations.get(command.session, action.recommendation_id)
            recommendations.move(command.session, row.id, ("approved",), "failed")
            what = f"failed: {row.title} ({error})"
            recommendations.tell_incident(command, row.incident_id, what)


def _carry_out(command: Command, action_id: str, settings: Settings) -> ActionRow:
    session, action = command.session, locked(command.session, action_id)
    command.note(model=action.model, action_id=action.id, kind=action.kind)
    if action.state != "queued":
        command.note(already=action.state)
        return action
    row = _approved(command, action)
    effect, case = of(action.kind), Case(command, action, row, settings)
    effect.check(case)
    action.before = serving(releases.find_current(session, action.model))
    action.after, action.inverse = effect.do(case)
    action.state, action.finished_at = "succeeded", command.now
    if not recommendations.move(session, row.id, ("approved",), "succeeded"):
        raise ConflictError(f"the proposal is not approved: {recommendations.outcome(row)}")
    command.note(before=action.before, after=action.after, recommendation=row.id)
    recommendations.tell_incident(command, row.incident_id, f"done: {row.title}", mitigating=True)
    outbox.post(
        command,
        case.channels,
        f"Done: {row.title}",
        model=row.model,
        text=f"Approved by {row.decided_by}.",
        path=f"/recommendation?id={row.id}",
    )
    return action


def _approved(command: Command, action: ActionRow) -> Recommendation:
    """Return the action's proposal after checking again all that its approval rested on."""
    if action.recommendation_id is None:
        raise ConflictError("this action has no approval")
    row = recommendations.get(command.session, action.recommendation_id)
    if row.state != "approved":
        raise ConflictError(f"the proposal is not approved: {recommendations.outcome(row)}")
    recommendations.check_seal(row, row.digest)
    if (action.kind, action.arguments) != (row.kind, row.arguments):
        raise ConflictError("the action is not what was approved")
    recommendations.check_arguments(command.session, row.model, row.kind, row.arguments)
    recommendations.check_target(command.session, row)
    if command.now > recommendations.valid_until(row):
        raise ConflictError("the approval is too old to act on; ask for a fresh proposal")
    return row
