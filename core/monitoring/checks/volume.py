"""Whether as many requests came as usual, in the newest full hours."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import heartbeat
from core.clock import hour_of
from core.db import Database
from core.ids import new_id
from core.monitoring import signals, volume
from core.monitoring.checks.subject import Subject, subject, unfinished
from core.monitoring.checks.together import Together, hourly, low, together
from core.monitoring.reports import store
from core.monitoring.signals import Signal
from core.monitoring.volume import Volume
from core.settings import Settings
from core.tables.operational import Heartbeat, Tick
from core.tables.telemetry import HourlyCount, MonitorReport, SpoolPosition

COMPLETE_AFTER = timedelta(minutes=5)
"""The log is moved within seconds; after so long an hour that is over counts as complete."""

_SILENT_AFTER = timedelta(minutes=2)
_GIVEN_UP_AFTER = timedelta(days=1)
_HANDOVER = timedelta(minutes=10)
_DAY = 24


def check_volume(db: Database, settings: Settings, model: str) -> MonitorReport | None:
    """Compare the requests of the newest full hours, over all versions, with what is usual.

    A window is as many hours as hold about 30 requests; the next one begins where it ended, and
    until that is over the report before is returned again, unless a clock was set back from there.
    Inconclusive while there is less than two days of history, and where few requests have another
    reason than the clients: the log is not moved to the database, or is behind; the product was
    stopped. Where all models have too few at once, one of them tells it for all, as a grave
    finding where nothing came at all; the others are inconclusive and name it.

    Figures: those of `core.monitoring.volume.Volume` (observed, expected, low, high, p_value,
    hours, last, season, dispersion, history) and `signals` (volume).
    Raises: NotFoundError (no such model, or nothing is released).
    """
    now = db.clock()
    last = hour_of(now - COMPLETE_AFTER) - 1
    with db.read() as session:
        of = subject(session, model, "volume")
        counts = hourly(session, last, of.spec.name).get(of.spec.name, {})
        judged = volume.judge(counts, first=min(counts, default=last), last=last)
        anew = of.ahead(now)
        if of.before is not None and not anew and _begins(judged) < of.before.window_end:
            return of.before
        why = _not_the_clients(session, judged, now)
        shared = together(session, of.spec, judged) if low(judged) and not why else None
    if shared and shared.teller != of.spec.name:
        why = f"{shared.sentence} It is told once, for {shared.teller}."
    judged = _worded(judged, why, shared, anew)
    if judged.state == "inconclusive":
        if anew:
            of = replace(of, before=None)
        return unfinished(db, of, "volume", judged.state, judged.observed, judged.sentence)
    return store(db, _report(of, judged, shared, now))


def _worded(judged: Volume, why: str, shared: Together | None, anew: str) -> Volume:
    """Say what the finding means, and not only what was counted."""
    told = f"Not judged: {why}" if why else judged.sentence
    first = shared.sentence if shared and not why else ""
    sentence = " ".join(part for part in (first, told, anew) if part)
    return replace(judged, state="inconclusive" if why else judged.state, sentence=sentence)


def _begins(judged: Volume) -> datetime:
    return _moment(judged.last + 1 - max(1, judged.hours))


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


def _not_the_clients(session: Session, judged: Volume, now: datetime) -> str:
    """Say why few requests are no word about the clients, or nothing.

    A release is none: versions are counted together. A stopped product leaves hours in which the
    schedule did nothing.
    """
    if not low(judged):
        return ""
    if why := _not_moved(session, now, judged.last):
        return why
    stopped = _stopped(session, judged.last + 1 - judged.hours, judged.last)
    return "the product was stopped for a part of the last full hours." if stopped else ""


def _not_moved(session: Session, now: datetime, last: int) -> str:
    """Say why the counters of the newest hours are not complete, or nothing.

    Answers are counted in the hour they were given in, however late the log is moved: what comes
    late looks like silence until then.
    """
    shippers = [row for row in heartbeat.all(session) if row.process.startswith("shipper")]
    if missing := _missing(shippers, now):
        since = f"{missing.at:%d %b %H:%M} UTC ({missing.process})"
        return f"the process that moves the log was last heard of on {since}."
    moved = session.scalar(select(func.max(SpoolPosition.at)))
    counted = session.scalar(select(func.max(HourlyCount.hour)))
    if moved and counted is not None and now - moved < _SILENT_AFTER and counted < last:
        until = _moment(counted + 1).strftime("%d %b %H:%M")
        return f"the log is still being moved, and its answers are counted up to {until} UTC only."
    return ""


def _missing(shippers: Sequence[Heartbeat], now: datetime) -> Heartbeat | None:
    """Return a shipper that fell silent and that none has replaced: its host's log lies there.

    Nothing takes the word of a host away that is gone for good: after a day it is not waited for
    while another one lives, and one that began when it ended has taken its place.
    """
    live = [row for row in shippers if now - row.at <= _SILENT_AFTER]
    gone = [row for row in shippers if now - row.at > _SILENT_AFTER]
    if live:
        gone = [row for row in gone if now - row.at <= _GIVEN_UP_AFTER]
    begun = sorted(filter(None, map(heartbeat.since, live)))
    for row in sorted(gone, key=lambda row: row.at, reverse=True):
        if not begun or begun.pop() < row.at - _HANDOVER:
            return row
    return None


def _stopped(session: Session, first: int, last: int) -> bool:
    """Whether the schedule, busy in nearly every hour of the day before, missed one of these."""
    start, end = _moment(first - _DAY), _moment(last + 1)
    query = select(Tick.at).where(Tick.at >= start, Tick.at < end)
    busy = {hour_of(at) for at in session.scalars(query)}
    before = sum(hour < first for hour in busy)
    return before >= _DAY - 4 and any(hour not in busy for hour in range(first, last + 1))


def _report(of: Subject, judged: Volume, shared: Together | None, now: datetime) -> MonitorReport:
    end = _moment(judged.last + 1)
    return of.report(
        "volume",
        judged.state,
        now=now,
        window_start=_begins(judged),
        window_end=end,
        window_last_id=new_id(now),  # not the hour: that comes twice when a clock is set back
        follows=of.before.window_last_id if of.before else "",
        n_current=judged.observed,
        n_reference=judged.history,
        p_value=judged.p_value,
        score=judged.observed / judged.expected,
        method=volume.METHOD,
        sentence=judged.sentence,
        figures=judged.figures() | signals.figures(_signal(judged, shared)),
        assumptions=volume.ASSUMPTIONS,
    )


def _signal(judged: Volume, shared: Together | None) -> Signal:
    few = judged.observed < judged.expected
    return Signal(
        rule="volume",
        state="ok" if judged.state == "pass" else "firing",
        severity="high" if shared and shared.silent else "low",
        value=float(judged.observed),
        threshold=judged.low if few else judged.high,
        sentence=judged.sentence,
        n=judged.observed,
    )
