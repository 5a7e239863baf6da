"""Whether as many requests came as usual, in the newest full hours."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import heartbeat
from core.clock import hour_of
from core.db import Database
from core.monitoring import signals, volume
from core.monitoring.checks.subject import Subject, subject, unfinished
from core.monitoring.reports import store
from core.monitoring.signals import Signal
from core.monitoring.volume import Volume
from core.settings import Settings
from core.tables.operational import Tick
from core.tables.telemetry import HourlyCount, MonitorReport, SpoolPosition

COMPLETE_AFTER = timedelta(minutes=5)
"""The log is moved within seconds; after so long an hour that is over counts as complete."""

_SILENT_AFTER = timedelta(minutes=2)
_DAY = 24


def check_volume(db: Database, settings: Settings, model: str) -> MonitorReport | None:
    """Compare the requests of the newest full hours, over all versions, with what is usual.

    A window is as many hours as hold about 30 requests; the next one begins where it ended, and
    until that is over the report before is returned again. Inconclusive while there is less than
    two days of history, and where few requests have another reason than the clients: the log is
    not moved to the database, or is behind; the product was stopped; no model was asked at all.

    Figures: those of `core.monitoring.volume.Volume` (observed, expected, low, high, p_value,
    hours, last, season, dispersion, history) and `signals` (volume).
    Raises: NotFoundError (no such model, or nothing is released).
    """
    now = db.clock()
    last = hour_of(now - COMPLETE_AFTER) - 1
    with db.read() as session:
        of = subject(session, model, "volume")
        counts = _hourly(session, of.spec.name, last)
        judged = volume.judge(counts, first=min(counts, default=last), last=last)
        if of.before is not None and _begins(judged) < of.before.window_end:
            return of.before
        why = _not_moved(session, now, last) or _not_the_clients(session, of, judged)
    if why or judged.state == "inconclusive":
        sentence = f"Not judged: {why}." if why else judged.sentence
        return unfinished(db, of, "volume", "inconclusive", judged.observed, sentence)
    return store(db, _report(of, judged, now))


def _begins(judged: Volume) -> datetime:
    return _moment(judged.last + 1 - max(1, judged.hours))


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


def _hourly(session: Session, model: str, last: int) -> dict[int, int]:
    """Return the requests of each hour that had any, within the history that is looked at."""
    query = select(HourlyCount.hour, func.sum(HourlyCount.requests)).where(
        HourlyCount.model == model,
        HourlyCount.variant != "shadow",
        HourlyCount.hour.between(last - volume.LONGEST_HISTORY, last),
    )
    return {hour: int(n) for hour, n in session.execute(query.group_by(HourlyCount.hour))}


def _not_moved(session: Session, now: datetime, last: int) -> str:
    """Say why the counters of the newest hours are not complete, or nothing.

    Answers are counted in the hour they were given in, however late the log is moved: what comes
    late looks like silence until then.
    """
    beats = [row for row in heartbeat.all(session) if row.process.startswith("shipper")]
    newest = max((row.at for row in beats), default=now)
    if now - newest > _SILENT_AFTER:
        since = newest.strftime("%d %b %H:%M")
        return f"the process that moves the log was last heard of on {since} UTC"
    moved = session.scalar(select(func.max(SpoolPosition.at)))
    counted = session.scalar(select(func.max(HourlyCount.hour)))
    if moved and counted is not None and now - moved < _SILENT_AFTER and counted < last:
        until = _moment(counted + 1).strftime("%d %b %H:%M")
        return f"the log is still being moved, and its answers are counted up to {until} UTC only"
    return ""


def _not_the_clients(session: Session, of: Subject, judged: Volume) -> str:
    """Say why few requests are no word about the clients of this model, or nothing.

    A release is none: versions are counted together. A stopped product leaves hours in which the
    schedule did nothing; one that cannot be reached leaves all models without requests.
    """
    if judged.state not in ("warn", "fail") or judged.observed > judged.expected:
        return ""
    first = judged.last + 1 - judged.hours
    if _stopped(session, first, judged.last):
        return "the product was stopped for a part of the last full hours"
    if _others_silent_too(session, of.spec.name, first, judged.last):
        return (
            "no model was asked anything, so this is no word about the clients of one; "
            "see whether the service can be reached"
        )
    return ""


def _stopped(session: Session, first: int, last: int) -> bool:
    """Whether the schedule, busy in nearly every hour of the day before, missed one of these."""
    start, end = _moment(first - _DAY), _moment(last + 1)
    query = select(Tick.at).where(Tick.at >= start, Tick.at < end)
    busy = {hour_of(at) for at in session.scalars(query)}
    before = sum(hour < first for hour in busy)
    return before >= _DAY - 4 and any(hour not in busy for hour in range(first, last + 1))


def _others_silent_too(session: Session, model: str, first: int, last: int) -> bool:
    """Whether no other model was asked, although that is unusual too."""
    query = select(HourlyCount.hour, func.sum(HourlyCount.requests)).where(
        HourlyCount.model != model,
        HourlyCount.variant != "shadow",
        HourlyCount.hour.between(first - 7 * _DAY, last),
    )
    asked = {hour: int(n) for hour, n in session.execute(query.group_by(HourlyCount.hour))}
    days = [
        sum(asked.get(hour - day * _DAY, 0) for hour in range(first, last + 1)) for day in range(8)
    ]
    usual = sorted(days[1:])[3]
    return days[0] == 0 and usual >= volume.FEWEST_EXPECTED


def _report(of: Subject, judged: Volume, now: datetime) -> MonitorReport:
    end = _moment(judged.last + 1)
    return of.report(
        "volume",
        judged.state,
        now=now,
        window_start=_begins(judged),
        window_end=end,
        window_last_id=f"{end:%Y-%m-%dT%H}",
        follows=of.before.window_last_id if of.before else "",
        n_current=judged.observed,
        n_reference=judged.history,
        p_value=judged.p_value,
        score=judged.observed / judged.expected,
        method=volume.METHOD,
        sentence=judged.sentence,
        figures=judged.figures() | signals.figures(_signal(judged)),
        assumptions=volume.ASSUMPTIONS,
    )


def _signal(judged: Volume) -> Signal:
    few = judged.observed < judged.expected
    return Signal(
        rule="volume",
        state="ok" if judged.state == "pass" else "firing",
        severity="low",
        value=float(judged.observed),
        threshold=judged.low if few else judged.high,
        sentence=judged.sentence,
        n=judged.observed,
    )
