"""What nobody will carry out any more is ended or queued again; nothing stays open for ever.

A worker that dies leaves a lease, which another takes over: that is `jobs` and `executing`. Here
is the rest: an action whose job is gone or over, and an approval whose action is over.
"""

from sqlalchemy import ColumnElement, Select, literal, select

from core import recommendations
from core.actions.ending import EXECUTOR, OPEN, enqueue, fail_in, job_key
from core.actions.reading import locked
from core.db import Command, Database
from core.tables.entities import ActionRow, Recommendation
from core.tables.operational import Job

OVER = ("succeeded", "failed", "cancelled")
NO_JOB = "it had no job to carry it out; it has one again"
UNKNOWN = "; whether it happened outside is not known: look"


def reconcile(db: Database) -> int:
    """Let every open action have a job or an end, and every approval follow its action.

    Returns how many were put right; each has an audit row that says what was found.
    """
    with db.read() as session:
        actions = list(session.scalars(select(ActionRow.id).where(_left_behind())))
        approvals = list(session.scalars(_forgotten()))
    for action_id in actions:
        with db.command(EXECUTOR, "action.reconcile") as command:
            _put_right(command, action_id)
    for recommendation_id in approvals:
        with db.command(EXECUTOR, "action.reconcile") as command:
            _follow(command, recommendation_id)
    return len(actions) + len(approvals)


def _left_behind() -> ColumnElement[bool]:
    """Say which open actions have no job that waits or runs.

    What a silent worker holds runs until another worker takes it over or gives it up.
    """
    key = literal(job_key("")) + ActionRow.id
    living = select(Job.id).where(Job.key == key, Job.state.not_in(OVER)).exists()
    return ActionRow.state.in_(OPEN) & ~living


def _forgotten() -> Select[str]:
    """Find the approvals that no action is open for."""
    open_action = select(ActionRow.id).where(
        ActionRow.recommendation_id == Recommendation.id, ActionRow.state.in_(OPEN)
    )
    return select(Recommendation.id).where(
        Recommendation.state == "approved", ~open_action.exists()
    )


def _put_right(command: Command, action_id: str) -> None:
    query = select(Job).filter_by(key=job_key(action_id)).with_for_update()
    job = command.session.scalars(query).first()
    action = locked(command.session, action_id)
    command.note(model=action.model, action_id=action.id, kind=action.kind)
    if action.state not in OPEN or (job and job.state not in OVER):
        command.note(left_as=action.state)
    elif job is None:
        enqueue(command, action_id)
        command.note(found=NO_JOB)
    else:
        unknown = UNKNOWN if action.state == "running" else ""
        why = (job.error or f"its job has {job.state} without it") + unknown
        command.note(found=f"its job was over ({job.state})", reason=why)
        fail_in(command, action, why)


def _follow(command: Command, recommendation_id: str) -> None:
    lock = select(Recommendation).filter_by(id=recommendation_id).with_for_update()
    row = command.session.scalars(lock).one()
    query = select(ActionRow).filter_by(recommendation_id=row.id)
    action = command.session.scalars(query).first()
    command.note(model=row.model, recommendation=row.id)
    if row.state != "approved" or (action and action.state in OPEN):
        command.note(left_as=row.state)
        return
    happened = action is not None and action.state in ("succeeded", "reverted")
    found = f"its action had {action.state}" if action else "it had no action"
    target = "succeeded" if happened else "failed"
    recommendations.move(command.session, row.id, ("approved",), target)
    command.note(found=found, now=target)
