"""What runs by itself: each slot of each schedule once, or not at all with the reason.

Workers compete for a lease; whoever holds it looks at the clock every few seconds. A slot is a
point on a grid of `minutes` since 1970, and its tick is a unique row, written with its job in one
transaction under the lease's fence: a worker that dies or wakes up late cannot run it again.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import jobs, releases, specs
from core.access import Actor, system
from core.clock import utc_now
from core.db import Command, Database, settings_of
from core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from core.ids import new_id
from core.specs import canonical
from core.tables.entities import Schedule
from core.tables.operational import Job, Lease, Tick

LEASE_NAME = "schedule"
LEASE = timedelta(seconds=30)
LOOK_SECONDS = 5
MONITOR = "monitor"
NEEDS_RELEASE = frozenset({MONITOR})
"""Kinds of job that have nothing to do before something serves."""

log = logging.getLogger("schedule")


class HasDatabase(Protocol):
    """What a schedule needs of the running application."""

    @property
    def db(self) -> Database:
        """The database."""


@dataclass(frozen=True)
class _Leader:
    owner: str
    fence: int


def ensure(db: Database, actor: Actor, model: str, kind: str, minutes: float) -> Schedule:
    """Let `kind` run for `model` every `minutes`; nothing changes where it does already.

    A paused schedule stays paused. Raises: InvalidInputError (minutes), ForbiddenError.
    """
    if not 0.05 <= minutes <= 7 * 24 * 60:
        raise InvalidInputError("a schedule runs every 3 seconds at most, once a week at least")
    name = canonical(model)
    with db.read() as session:
        known = find(session, name, kind)
    if known is not None and known.minutes == minutes:
        return known
    with db.command(actor, "schedule.change") as command:
        command.note(model=name, kind=kind, minutes=minutes)
        row = find(command.session, name, kind)
        if row is None:
            row = Schedule(id=new_id(command.now), model=name, kind=kind, state="active")
            command.session.add(row)
        row.minutes, row.author, row.at = minutes, command.actor.name, command.now
        return row


def pause(db: Database, actor: Actor, schedule_id: str, reason: str) -> Schedule:
    """Let the coming slots pass. Raises: NotFoundError, ConflictError (it is), ForbiddenError."""
    return _switch(db, actor, schedule_id, reason, before="active", after="paused")


def resume(db: Database, actor: Actor, schedule_id: str, reason: str) -> Schedule:
    """Run again from now on. Raises: NotFoundError, ConflictError (it does), ForbiddenError."""
    return _switch(db, actor, schedule_id, reason, before="paused", after="active")


def _switch(
    db: Database, actor: Actor, schedule_id: str, reason: str, *, before: str, after: str
) -> Schedule:
    with db.command(actor, "schedule.change") as command:
        row = _locked(command, schedule_id)
        command.note(model=row.model, reason=reason, kind=row.kind, state=after)
        if not reason.strip():
            raise InvalidInputError("say in a few words why")
        if row.state != before:
            raise ConflictError(f"this schedule is {row.state} already")
        row.state = after
        return row


def _locked(command: Command, schedule_id: str) -> Schedule:
    query = select(Schedule).filter_by(id=schedule_id).with_for_update()
    if row := command.session.scalars(query).first():
        return row
    raise NotFoundError(f"there is no schedule {schedule_id}")


def find(session: Session, model: str, kind: str) -> Schedule | None:
    """Return the schedule of a kind of job for a model, or None."""
    return session.scalars(select(Schedule).filter_by(model=canonical(model), kind=kind)).first()


def all(session: Session) -> list[Schedule]:
    """Return all schedules, by model and kind."""
    return list(session.scalars(select(Schedule).order_by(Schedule.model, Schedule.kind)))


def ticks(session: Session, limit: int = 50, *, schedule_id: str | None = None) -> list[Tick]:
    """Return the newest ticks, of one schedule or of all, newest first."""
    query = select(Tick).order_by(Tick.at.desc(), Tick.slot.desc()).limit(limit)
    if schedule_id is not None:
        query = query.filter_by(schedule_id=schedule_id)
    return list(session.scalars(query))


def slot_of(moment: datetime, minutes: float) -> datetime:
    """Return the slot that `moment` falls into.

    >>> slot_of(datetime(2030, 1, 1, 12, 44, tzinfo=UTC), 15).strftime("%H:%M")
    '12:30'
    """
    seconds = round(minutes * 60)
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def next_slot(schedule: Schedule, now: datetime) -> datetime | None:
    """Return when a schedule runs next; None while it is paused."""
    if schedule.state != "active":
        return None
    return slot_of(now, schedule.minutes) + timedelta(minutes=schedule.minutes)


def run_due(panel: HasDatabase, owner: str) -> list[Tick]:
    """Start or skip the slots that are due, if `owner` leads; returns what it did.

    Only the newest slot of a schedule runs: those missed before it are one skipped tick. Safe to
    call from any number of workers, at any time, also when the clock jumps.
    """
    leader = _lead(panel.db, owner)
    if leader is None:
        return []
    _watch_newcomers(panel.db)
    with panel.db.read() as session:
        schedules = all(session)
    done: list[Tick] = []
    for schedule in schedules:
        try:
            done += _run_slot(panel.db, leader, schedule)
        except IntegrityError:  # the slot was taken meanwhile: its row stands
            continue
    _settle(panel.db)
    return done


def _watch_newcomers(db: Database) -> None:
    """Let models that came since the start be checked as often as the settings say."""
    with db.read() as session:
        minutes = settings_of(session).monitor_minutes
        watched = {row.model for row in all(session) if row.kind == MONITOR}
        new = [spec.name for spec in specs.all_active(session) if spec.name not in watched]
    for name in new:
        with suppress(ConflictError):  # whoever led before us did so at this moment
            ensure(db, system("schedule"), name, MONITOR, minutes)


def _lead(db: Database, owner: str) -> _Leader | None:
    """Take the lease, or keep it; None while another holds it.

    A lease that ends later than any could was written before the clock was set back: it is free.
    """
    now = db.clock()
    try:
        with db.keep() as session:
            lease = session.get(Lease, LEASE_NAME, with_for_update=True)
            if lease is None:
                lease = Lease(name=LEASE_NAME, owner=owner, until=now + LEASE, fence=1)
                session.add(lease)
            elif lease.owner != owner and now < lease.until <= now + LEASE:
                return None
            elif lease.owner != owner:
                lease.owner, lease.fence = owner, lease.fence + 1
            lease.until = now + LEASE
            session.flush()
            return _Leader(owner, lease.fence)
    except IntegrityError:  # another worker made the row at the same moment
        return None


def _resign(db: Database, owner: str) -> None:
    """Give the lease back, so that the next worker need not wait for its end."""
    with db.keep() as session:
        lease = session.get(Lease, LEASE_NAME, with_for_update=True)
        if lease is not None and lease.owner == owner:
            lease.until = db.clock()


def _run_slot(db: Database, leader: _Leader, schedule: Schedule) -> list[Tick]:
    """Write the tick of the present slot, and one for the slots missed before it."""
    now = db.clock()
    slot = slot_of(now, schedule.minutes)
    with db.keep() as session:
        if not _still_leads(session, leader) or _known(session, schedule, slot):
            return []
        done = [*_missed(session, schedule, slot, now)]
        if reason := _obstacle(session, schedule, now):
            return [*done, _tick(session, schedule, slot, now, "skipped", reason=reason)]
        job = jobs.enqueue(
            session,
            schedule.kind,
            {"model": schedule.model},
            now=now,
            key=f"{schedule.kind}:{schedule.id}:{slot.isoformat()}",
        )
        return [*done, _tick(session, schedule, slot, now, "started", job=job)]


def _still_leads(session: Session, leader: _Leader) -> bool:
    """Check the fence under a lock that is held to the commit, as a take-over must wait for it."""
    lease = session.get(Lease, LEASE_NAME, with_for_update=True)
    return lease is not None and (lease.owner, lease.fence) == (leader.owner, leader.fence)


def _known(session: Session, schedule: Schedule, slot: datetime) -> bool:
    query = select(Tick.id).filter_by(schedule_id=schedule.id, slot=slot)
    return session.scalars(query).first() is not None


def _missed(session: Session, schedule: Schedule, slot: datetime, now: datetime) -> list[Tick]:
    """One skipped tick for all slots between the tick before and this one."""
    query = select(Tick).filter_by(schedule_id=schedule.id).where(Tick.slot < slot)
    before = session.scalars(query.order_by(Tick.slot.desc()).limit(1)).first()
    if before is None:
        return []
    period = timedelta(minutes=schedule.minutes)
    since = max(before.slot, slot_of(schedule.at, schedule.minutes))
    n = round((slot - since) / period) - 1
    if n < 1 or slot - period <= before.slot:
        return []
    slots = "1 slot" if n == 1 else f"{n} slots"
    reason = f"missed while no worker ran: {slots}, only the newest is run"
    return [_tick(session, schedule, slot - period, now, "skipped", reason=reason)]


def _obstacle(session: Session, schedule: Schedule, now: datetime) -> str:
    """Say why this slot must be skipped; nothing when it may run.

    A job from after `now` was made before the clock was set back: it does not stand in the way.
    """
    state = session.scalars(select(Schedule.state).filter_by(id=schedule.id)).one()
    if state != "active":
        return "paused"
    spec = specs.find_row(session, schedule.model)
    if spec is not None and spec.state != "active":
        return "the model is archived"
    if schedule.kind in NEEDS_RELEASE and releases.find_current(session, schedule.model) is None:
        return "nothing is released"
    running = select(Job.id).join(Tick, Tick.job_id == Job.id)
    running = running.where(Tick.schedule_id == schedule.id, Tick.state == "started")
    running = running.where(Job.state.in_(("queued", "running")), Job.created_at <= now)
    if session.scalars(running.limit(1)).first():
        return "the previous check still runs"
    return ""


def _tick(
    session: Session,
    schedule: Schedule,
    slot: datetime,
    now: datetime,
    state: str,
    *,
    reason: str = "",
    job: Job | None = None,
) -> Tick:
    tick = Tick(
        id=new_id(now),
        schedule_id=schedule.id,
        slot=slot,
        state=state,
        reason=reason,
        job_id=job.id if job else None,
        at=now,
    )
    session.add(tick)
    session.flush()
    return tick


def _settle(db: Database) -> None:
    """Carry over how the jobs of started ticks ended."""
    with db.keep() as session:
        query = select(Tick, Job).join(Job, Tick.job_id == Job.id).where(Tick.state == "started")
        query = query.where(Job.state.not_in(("queued", "running")))
        for tick, job in session.execute(query.limit(100)):
            tick.state = "succeeded" if job.state == "succeeded" else "failed"
            tick.reason = job.error or tick.reason


def start(panel: HasDatabase, owner: str) -> Callable[[], None]:
    """Look at the clock every few seconds in the background, until the returned function is called.

    A database that is away is tried again at the next look.
    """
    from apscheduler.schedulers.background import BackgroundScheduler

    def look() -> None:
        try:
            for tick in run_due(panel, owner):
                log.info(
                    "slot %s of %s %s %s", tick.slot, tick.schedule_id, tick.state, tick.reason
                )
        except UnavailableError as problem:
            log.warning("%s", problem)

    scheduler = BackgroundScheduler(timezone=UTC)
    scheduler.add_job(
        look,
        "interval",
        seconds=LOOK_SECONDS,
        next_run_time=utc_now(),
        max_instances=1,
        coalesce=True,
        misfire_grace_time=None,
    )
    scheduler.start()

    def stop() -> None:
        scheduler.shutdown(wait=True)
        try:
            _resign(panel.db, owner)
        except UnavailableError as problem:
            log.warning("%s", problem)

    return stop
