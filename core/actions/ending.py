"""How an action ends, inside a command: its proposal, its incident and people hear of it."""

from core import jobs, outbox, recommendations
from core.access import system
from core.db import Command
from core.errors import ConflictError
from core.settings import Settings
from core.tables.entities import ActionRow, Recommendation
from core.tables.operational import Job

EXECUTOR = system("executor")
OPEN = ("queued", "running")


def job_key(action_id: str) -> str:
    """Return the key of the one job that carries an action out."""
    return f"execute:{action_id}"


def enqueue(command: Command, action_id: str) -> Job:
    """Queue the job of an action; the one that it has already is returned."""
    key, told = job_key(action_id), {"action_id": action_id}
    return jobs.enqueue(command.session, "execute", told, now=command.now, key=key)


def succeed_in(command: Command, action: ActionRow, settings: Settings) -> None:
    """Note that an action happened. Raises: ConflictError (its approval was taken away)."""
    action.state, action.finished_at = "succeeded", command.now
    command.note(before=action.before, after=action.after, recommendation=action.recommendation_id)
    row = _proposal(command, action)
    if row is None:
        by, path = action.before.get("by", "a person"), f"/releases?model={action.model}"
        _tell(command, settings, action, f"Done: {action.kind} taken back", f"By {by}.", path)
        return
    if not recommendations.move(command.session, row.id, ("approved",), "succeeded"):
        raise ConflictError(f"the proposal is not approved: {recommendations.outcome(row)}")
    recommendations.tell_incident(command, row.incident_id, f"done: {row.title}", mitigating=True)
    if row.kind == "notify":
        return  # it was a message itself
    path = f"/recommendation?id={row.id}"
    _tell(command, settings, action, f"Done: {row.title}", f"Approved by {row.decided_by}.", path)


def fail_in(command: Command, action: ActionRow, error: str) -> None:
    """Note that an action did not happen, or that nobody knows whether it did."""
    action.state, action.error, action.finished_at = "failed", error, command.now
    if row := _proposal(command, action):
        recommendations.move(command.session, row.id, ("approved",), "failed")
        what = f"failed: {row.title} ({error})"
        recommendations.tell_incident(command, row.incident_id, what)


def _proposal(command: Command, action: ActionRow) -> Recommendation | None:
    if action.recommendation_id is None:
        return None
    return recommendations.get(command.session, action.recommendation_id)


def _tell(
    command: Command, settings: Settings, action: ActionRow, subject: str, text: str, path: str
) -> None:
    outbox.post(
        command, outbox.channels(settings), subject, model=action.model, text=text, path=path
    )
