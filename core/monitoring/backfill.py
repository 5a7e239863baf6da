"""Judging the past again: window by window, for whichever version was the champion then.

What it stores has the origin "backfill": the panel shows it as history, no alert comes of it, and
windows that were judged live stay as they are. Running it again over a span replaces what it had
stored there; a run that died goes on where it was.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Row, delete, select
from sqlalchemy.orm import Session

from core import jobs, registry, releases, specs
from core.access import Actor
from core.datasets import suites
from core.db import Database
from core.errors import ConflictError, InvalidInputError, PilothouseError
from core.ids import new_id
from core.monitoring import reports
from core.monitoring.checks import drift, quality
from core.monitoring.checks.subject import Subject, plain
from core.monitoring.due import Size
from core.monitoring.windows import Window
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.operational import Job
from core.tables.telemetry import MonitorReport

JOB = "backfill"
MOST_WINDOWS = 5_000
_USUAL_WINDOWS = 500  # where neither the spec nor the caller says how they are cut
_KINDS = ("quality", "drift")  # the drift report tells what was found about its inputs

_RUN = MonitorReport.figures["backfill"].as_string()
_AT_ONCE = 100  # reports that are held in memory

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Span:
    """A stretch of the past, and how it is cut; `run` marks what one run has stored."""

    since: datetime
    until: datetime
    size: Size
    run: str

    @property
    def minutes(self) -> int:
        """Its length, rounded up."""
        return int((self.until - self.since) / timedelta(minutes=1)) + 1


@dataclass(frozen=True)
class Term:
    """One stretch of time in which a version was the champion."""

    version: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Judged:
    """How many windows a run has judged: `states` counts them by kind and state."""

    run: str
    states: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def windows(self) -> int:
        """How many windows were compared with the reference, or could not be."""
        return sum(n for (kind, _), n in self.states.items() if kind == "drift")

    @property
    def drifted(self) -> int:
        """How many of these drifted."""
        return self.states["drift", "warn"] + self.states["drift", "fail"]


def _silent(_done: int, _total: int, _note: str) -> None:
    return None


def backfill(
    db: Database,
    settings: Settings,
    model: str,
    *,
    since: datetime,
    until: datetime | None = None,
    rows: int | None = None,
    minutes: float | None = None,
    run: str | None = None,
    progress: Progress = _silent,
) -> Judged:
    """Judge drift and quality of what was answered from `since` to `until` (now).

    Windows are cut as the spec says, unless `rows` or `minutes` are given. `progress(done, total,
    note)` is told after each window, in minutes of the past. With the `run` of an earlier call that
    died, its windows are kept and it goes on behind them. The reports may be too many to hold at
    once: `stored` reads them.
    Raises: NotFoundError (no such model, or nothing was ever released), InvalidInputError (a span
    that is empty, or has too many windows), ConflictError (another run is at it).
    """
    with db.read() as session:
        spec = specs.active(session, model)
        releases.current(session, spec.name)
        span = _span(db, settings, spec, since, until, _size(spec, rows, minutes), run)
        wanted = _KINDS if suites.current(session, spec.name) else ("drift",)
        terms = terms_of(session, spec.name, span.since, span.until)
    _replace(db, spec.name, span)
    found = Judged(span.run)
    total, done = span.minutes * len(wanted), 0
    for term in terms:
        for kind in wanted:
            for end, state in _judged(db, settings, spec, span, term, kind):
                found.states[kind, state] += 1
                inside = int((end - term.start) / timedelta(minutes=1))
                progress(done + inside, total, f"{kind} of {term.version}: {state}")
            done += int((term.end - term.start) / timedelta(minutes=1))
    progress(total, total, f"{found.states.total():,} windows judged")
    return found


def stored(db: Database, model: str, run: str) -> Iterator[MonitorReport]:
    """Read what a run has stored, oldest first, a few reports at a time."""
    with db.read() as session:
        query = select(MonitorReport.id).where(*_stored_of(model), run == _RUN)
        ids = session.scalars(query.order_by(MonitorReport.window_end, MonitorReport.kind)).all()
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        with db.read() as session:
            rows = session.scalars(select(MonitorReport).where(MonitorReport.id.in_(some)))
            yield from sorted(rows, key=lambda report: some.index(report.id))


def moment(text: str, *, now: datetime) -> datetime:
    """Read a moment of the past: an ISO date or time (UTC unless it says), or so long ago.

    Raises: InvalidInputError.

    >>> str(moment("7d", now=datetime(2030, 1, 8, tzinfo=UTC)))
    '2030-01-01 00:00:00+00:00'
    """
    units = {"d": "days", "h": "hours", "m": "minutes"}
    try:
        if text[-1:] in units and text[:-1].replace(".", "", 1).isdigit():
            return now - timedelta(**{units[text[-1]]: float(text[:-1])})
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as problem:
        raise InvalidInputError(
            "say since when as a date (2030-01-31), a time, or so long ago: 7d, 12h, 90m"
        ) from problem
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def ask(
    db: Database,
    actor: Actor,
    model: str,
    *,
    since: datetime,
    until: datetime | None = None,
    rows: int | None = None,
    minutes: float | None = None,
) -> Job:
    """Queue a backfill; while one of this model is under way, that job is returned.

    Raises: ForbiddenError, NotFoundError, InvalidInputError.
    """
    with db.command(actor, "report.request") as command:
        spec = specs.active(command.session, model)
        query = select(Job).filter_by(kind=JOB).where(Job.state.in_(("queued", "running")))
        for job in command.session.scalars(query.with_for_update()):
            if job.payload["model"] == spec.name:
                command.note(job=job.id, known=True)
                return job
        end = until or command.now
        _check_span(since, end, _size(spec, rows, minutes))
        ends = {"since": since.isoformat(), "until": end.isoformat()}
        payload = {"model": spec.name, **ends, "rows": rows, "minutes": minutes}
        key = f"{JOB}:{spec.name}:{new_id(command.now)}"
        job = jobs.enqueue(command.session, JOB, payload, now=command.now, key=key)
        command.note(job=job.id, kind=JOB, model=spec.name, **ends)
        return job


def _size(spec: ModelSpec, rows: int | None, minutes: float | None) -> Size:
    usual = Size.of(spec)
    return Size(usual.fewest, rows, minutes) if rows or minutes else usual


def _check_span(since: datetime, until: datetime, size: Size) -> None:
    if since >= until:
        raise InvalidInputError("the past to judge has to begin before it ends, and before now")
    if (size.rows is not None and size.rows < 1) or (size.minutes is not None and size.minutes < 1):
        raise InvalidInputError("a window has at least one row, and one minute")
    if size.minutes and (until - since) / timedelta(minutes=size.minutes) > MOST_WINDOWS:
        raise InvalidInputError(f"this is more than {MOST_WINDOWS:,} windows: choose longer ones")


def _span(
    db: Database,
    settings: Settings,
    spec: ModelSpec,
    since: datetime,
    until: datetime | None,
    size: Size,
    run: str | None,
) -> Span:
    """Return what is judged; windows that nobody sized are as long as those between checks."""
    now = db.clock()
    end = min(until or now, now)
    _check_span(since, end, size)
    if size.rows is None and size.minutes is None:
        length = (end - since) / timedelta(minutes=1)
        size = replace(size, minutes=max(settings.monitor_minutes, length / _USUAL_WINDOWS))
    return Span(since, end, size, run or new_id(now))


def terms_of(session: Session, model: str, since: datetime, until: datetime) -> list[Term]:
    """Return which version was the champion when, within a span, oldest first."""
    found: list[Term] = []
    end = until
    for release in releases.history(session, model):
        start, version = max(release.at, since), releases.champion(release)
        if start < end and found and found[-1].version == version:
            found[-1] = Term(version, start, found[-1].end)
        elif start < end:
            found.append(Term(version, start, end))
        end = min(end, release.at)
        if release.at <= since:
            break
    return found[::-1]


def _replace(db: Database, model: str, span: Span) -> None:
    """Delete what other runs have stored about this span."""
    query = select(MonitorReport.id, _RUN).where(
        *_stored_of(model),
        MonitorReport.window_start <= span.until,
        MonitorReport.window_end >= span.since,
    )
    with db.append() as session:
        old = [key for key, run in session.execute(query) if run != span.run]
        for start in range(0, len(old), 500):
            ids = old[start : start + 500]
            session.execute(delete(MonitorReport).where(MonitorReport.id.in_(ids)))


def _stored_of(model: str) -> tuple[ColumnElement[bool], ...]:
    return MonitorReport.model == model, MonitorReport.origin == reports.BACKFILL


def _judged(
    db: Database, settings: Settings, spec: ModelSpec, span: Span, term: Term, kind: str
) -> Iterator[tuple[datetime, str]]:
    """Judge the windows of one term; yields end and state, also of those it had judged before."""
    with db.read() as session:
        of = Subject(
            spec=spec,
            version=registry.get(session, spec.name, term.version),
            since=term.start,
            before=None,
            origin=reports.BACKFILL,
            first=f"{span.run} {term.start.isoformat()}",
            size=span.size,
        )
        kept = _kept(session, of, span, term, kind)
        of = replace(of, before=session.get(MonitorReport, kept[-1][0]) if kept else None)
    yield from ((end, state) for _, end, state in kept)
    for _ in range(MOST_WINDOWS):
        window = _next(db, of, term)
        if window is None:
            return
        report = _store(db, _one(db, settings, of, window, kind), span, window)
        yield report.window_end, report.state
        of = replace(of, before=report)
    raise InvalidInputError(f"this is more than {MOST_WINDOWS:,} windows: choose larger ones")


def _kept(
    session: Session, of: Subject, span: Span, term: Term, kind: str
) -> Sequence[Row[str, datetime, str]]:
    """Return (id, end, state) of the windows of a term that this run had judged, oldest first."""
    query = select(MonitorReport.id, MonitorReport.window_end, MonitorReport.state)
    query = query.where(
        *_stored_of(of.spec.name),
        span.run == _RUN,
        MonitorReport.version == term.version,
        MonitorReport.kind == kind,
        MonitorReport.window_end >= term.start,
        MonitorReport.window_end <= term.end,
    )
    return session.execute(
        query.order_by(MonitorReport.window_end, MonitorReport.window_last_id)
    ).all()


def _next(db: Database, of: Subject, term: Term) -> Window | None:
    """Return the next window; at the end of a term what is left, if that is enough."""
    with db.read() as session:
        found = of.next_window(session, until=term.end)
        if found.window is None and found.waiting >= of.spec.monitoring.min_samples:
            rest = replace(of, size=Size(of.spec.monitoring.min_samples))
            found = rest.next_window(session, until=term.end)
        return found.window


def _one(db: Database, settings: Settings, of: Subject, window: Window, kind: str) -> MonitorReport:
    """Judge one window; one that cannot be judged says why, and the next begins behind it."""
    judge = drift.judge if kind == "drift" else quality.judge
    try:
        return judge(db, settings, of, window)
    except PilothouseError as problem:
        return of.skipped(kind, window, str(problem), now=db.clock())


def _store(db: Database, report: MonitorReport, span: Span, window: Window) -> MonitorReport:
    report.at = window.end[0]  # where it stands in the history
    report.figures = plain(report.figures | {"backfill": span.run})
    kept = reports.store(db, report)
    if kept.id != report.id:
        raise ConflictError("another backfill of this model is under way")
    return kept
