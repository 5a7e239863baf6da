"""Work for the worker: a queue with leases, fences, progress and cancellation.

A worker claims a job for a while and keeps the claim alive with heartbeats. When it dies, the lease
runs out and another claims the job with a higher fence; whatever the dead one still tries to write
under its old fence is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from core.access import Actor
from core.db import Database
from core.errors import ConflictError, NotFoundError
from core.ids import new_id
from core.tables.operational import Job, JobLine


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's hold on one job."""

    job_id: str
    kind: str
    payload: dict[str, Any]
    fence: int


def enqueue(
    session: Session,
    kind: str,
    payload: Mapping[str, Any],
    *,
    now: datetime,
    key: str | None = None,
    max_attempts: int = 3,
    delay: timedelta = timedelta(0),
) -> Job:
    """Add a job inside the caller's transaction (a command's, or `keep`).

    With a `key` that an earlier job has, that job is returned and nothing is added.
    """
    if key and (known := session.scalar(select(Job).filter_by(key=key))):
        return known
    job = Job(
        id=new_id(now),
        kind=kind,
        payload=dict(payload),
        key=key,
        state="queued",
        max_attempts=max_attempts,
        run_after=now + delay,
        created_at=now,
    )
    session.add(job)
    return job


def claim(db: Database, owner: str, *, lease: timedelta, only: str | None = None) -> Claim | None:
    """Take the oldest job that waits or whose worker fell silent; None when there is none.

    `only` names the one job to take.
    """
    now = db.clock()
    wanted = [_claimable(now)] + ([Job.id == only] if only else [])
    with db.keep() as session:
        job = session.scalars(
            select(Job)
            .where(*wanted)
            .order_by(Job.run_after)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if job is None:
            return None
        job.state, job.lease_owner, job.lease_until = "running", owner, now + lease
        job.fence, job.attempts = job.fence + 1, job.attempts + 1
        job.started_at = job.started_at or now
        return Claim(job.id, job.kind, dict(job.payload), job.fence)


def _claimable(now: datetime) -> ColumnElement[bool]:
    waiting = and_(Job.state == "queued", Job.run_after <= now)
    silent = and_(Job.state == "running", Job.lease_until < now, Job.attempts < Job.max_attempts)
    return or_(waiting, silent)


def heartbeat(db: Database, claim: Claim, *, lease: timedelta) -> bool:
    """Keep the claim alive; False means: it was taken over, or somebody asked to cancel."""
    with db.keep() as session:
        job = _held(session, claim)
        if job is None or job.cancel_requested:
            return False
        job.lease_until = db.clock() + lease
        return True


def check_fence(session: Session, claim: Claim) -> None:
    """Raise `ConflictError` unless the claim holds; called inside the effect's transaction."""
    if _held(session, claim) is None:
        raise ConflictError(f"job {claim.job_id} was taken over or cancelled; nothing was written")


def _held(session: Session, claim: Claim) -> Job | None:
    query = select(Job).filter_by(id=claim.job_id, fence=claim.fence, state="running")
    return session.scalars(query.with_for_update()).first()


def progress(db: Database, claim: Claim, *, done: int, total: int, note: str = "") -> None:
    """Tell how far the job is, in units of work; a claim that no longer holds is ignored."""
    with db.keep() as session:
        if job := _held(session, claim):
            job.done, job.total, job.note = done, total, note


def show(db: Database, claim: Claim, board: Mapping[str, Any]) -> None:
    """Show figures while the job runs, in place of those before; ignored like `progress`."""
    with db.keep() as session:
        if job := _held(session, claim):
            job.board = dict(board)


def say(db: Database, job_id: str, line: str) -> None:
    """Add one line to the job's log."""
    now = db.clock()
    with db.keep() as session:
        session.add(JobLine(id=new_id(now), job_id=job_id, at=now, text=line[:2000]))


def finish(
    db: Database,
    claim: Claim,
    state: str,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> bool:
    """End the job as succeeded, failed or cancelled; False when the claim no longer holds."""
    with db.keep() as session:
        job = _held(session, claim)
        if job is None:
            return False
        job.state, job.error, job.finished_at = state, error, db.clock()
        job.result = dict(result or {})
        return True


def retry(db: Database, claim: Claim, *, error: str, delay: timedelta) -> bool:
    """Put the job back into the queue; False after its last attempt, which the caller ends."""
    with db.keep() as session:
        job = _held(session, claim)
        if job is None:
            return False
        job.error = error
        if job.attempts >= job.max_attempts:
            return False
        job.state, job.run_after = "queued", db.clock() + delay
        return True


def release(db: Database, claim: Claim) -> None:
    """Give the job back unharmed: its worker has to go. The attempt does not count."""
    with db.keep() as session:
        if job := _held(session, claim):
            job.state, job.run_after = "queued", db.clock()
            job.attempts = max(0, job.attempts - 1)


def request_cancel(session: Session, job_id: str, *, now: datetime) -> None:
    """Ask for the end of a job: a waiting one ends here, a running one at the next heartbeat."""
    job = session.get(Job, job_id)
    if job is None:
        raise NotFoundError(f"there is no job {job_id}")
    if job.state == "queued":
        job.state, job.finished_at = "cancelled", now
    elif job.state == "running":
        job.cancel_requested = True
    else:
        raise ConflictError(f"the job has {job.state} already")


def abandoned(db: Database, owner: str, *, lease: timedelta) -> list[Claim]:
    """Take the jobs whose worker fell silent on the last attempt, for giving them up.

    They stay `running` until `finish`: whoever dies in between leaves them to the next one.
    """
    now = db.clock()
    with db.keep() as session:
        lost = and_(Job.state == "running", Job.lease_until < now, Job.attempts >= Job.max_attempts)
        found = list(session.scalars(select(Job).where(lost).with_for_update(skip_locked=True)))
        for job in found:
            job.fence, job.lease_owner, job.lease_until = job.fence + 1, owner, now + lease
        return [Claim(job.id, job.kind, dict(job.payload), job.fence) for job in found]


def get(session: Session, job_id: str) -> Job:
    """Return a job. Raises: NotFoundError."""
    if job := session.get(Job, job_id):
        return job
    raise NotFoundError(f"there is no job {job_id}")


def lines(session: Session, job_id: str, *, after: str = "") -> list[JobLine]:
    """Return the job's log lines behind the line with id `after`, oldest first."""
    query = select(JobLine).filter_by(job_id=job_id).where(JobLine.id > after)
    return list(session.scalars(query.order_by(JobLine.id)))


def newest(session: Session, key_prefix: str) -> Job | None:
    """Return the newest job whose key starts with `key_prefix`, or None."""
    query = select(Job).where(Job.key.startswith(key_prefix, autoescape=True))
    return session.scalars(query.order_by(Job.id.desc()).limit(1)).first()


def recent(session: Session, *, limit: int = 50) -> list[Job]:
    """Return the newest jobs, newest first."""
    return list(session.scalars(select(Job).order_by(Job.id.desc()).limit(limit)))


def request(
    db: Database,
    actor: Actor,
    kind: str,
    payload: Mapping[str, Any],
    *,
    key: str,
    again: bool = False,
) -> Job:
    """Queue a check or a report that a person asks for; one under way or done is returned.

    After a failure the same question makes a new job; with `again` also after one that is done.
    Raises: ForbiddenError; ConflictError (somebody else asked at the same moment).
    """
    standing = ("queued", "running") if again else ("queued", "running", "succeeded")
    with db.command(actor, "report.request") as command:
        before = newest(command.session, f"{key}:")
        if before is not None and before.state in standing:
            command.note(job=before.id, known=True)
            return before
        number = int(before.key.rsplit(":", 1)[1]) + 1 if before and before.key else 1
        job = enqueue(command.session, kind, payload, now=command.now, key=f"{key}:{number}")
        command.note(job=job.id, kind=kind, **payload)
        return job
