"""Whether what serves fails requests or answers slowly, since the check before."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from core import predictions, releases
from core.clock import hour_of
from core.db import Database
from core.ids import new_id
from core.monitoring import service, signals
from core.monitoring.checks.subject import Subject, subject, unfinished
from core.monitoring.reports import store
from core.monitoring.service import Counts
from core.settings import Settings
from core.specs.thresholds import Policy
from core.tables.base import Json
from core.tables.telemetry import HourlyCount, MonitorReport

FIRST_LOOK_HOURS = 2
LONGEST_HOURS = 24
NOT_SOONER = timedelta(minutes=5)

Seen = dict[str, Counts]


@dataclass(frozen=True)
class _Window:
    """New requests per version, since when, and what the counters of this hour say now."""

    counts: list[Counts]
    start: datetime
    mark: Json


def check_service(db: Database, settings: Settings, model: str) -> MonitorReport | None:
    """Judge errors and latency of the requests counted since the report before.

    The counters of an hour grow, so a report keeps what the hour's said (`figures.mark`) and the
    next one judges the difference: windows are disjoint, and the hour that has just begun counts.
    The first looks two hours back, none further than a day. With fewer than `min_requests` new
    requests the report is inconclusive and they stay for the next window; within five minutes of
    a judged report that one is returned again. Requests that reach the counters late, in an hour
    that is over, are in no window.

    Figures: `versions` (version, requests, errors, error_rate, error_interval, latency_p95
    {value, low, high}, slow_share, judged), `mark`, `signals` (error_rate, latency).
    Raises: NotFoundError (no such model, or nothing is released).
    """
    now = db.clock()
    with db.read() as session:
        of = subject(session, model, "service")
        if of.before is not None and now - of.before.at < NOT_SOONER:
            return of.before
        shown = {arm.version for arm in releases.arms(releases.current(session, of.spec.name))}
        rows = predictions.volume(session, of.spec.name, LONGEST_HOURS, now=now)
    window = _window(of, [row for row in rows if row.version in shown], now)
    policy = Policy.of(of.spec.policy.accuracy_floor, of.spec.policy.overrides)
    judged = service.judge(window.counts, policy)
    n = sum(one.requests for one in window.counts)
    if judged.state == "inconclusive":
        return unfinished(db, of, "service", "inconclusive", n, judged.sentence)
    figures = judged.figures() | signals.figures(*judged.signals) | {"mark": window.mark}
    return store(db, _report(of, window, judged, figures, n=n, now=now))


def _window(of: Subject, rows: list[HourlyCount], now: datetime) -> _Window:
    rows = [row for row in rows if row.variant != "shadow"]
    earliest = now - timedelta(hours=LONGEST_HOURS - 1)
    mark = (of.before.figures.get("mark") if of.before is not None else None) or {}
    if of.before is None or of.before.window_end < max(of.since, earliest):
        start, mark = max(of.since, now - timedelta(hours=FIRST_LOOK_HOURS)), {}
    else:
        start = of.before.window_end
    rows = [row for row in rows if row.hour >= hour_of(start)]
    hours = {version: _total(version, _of(rows, version)) for version in _versions(rows)}
    old = mark.get("counts", {}) if mark.get("hour") == hour_of(start) else {}
    current = [row for row in rows if row.hour == hour_of(now)]
    kept = {version: _plain(_total(version, _of(current, version))) for version in hours}
    return _Window(
        counts=[_less(counts, old.get(version)) for version, counts in hours.items()],
        start=start,
        mark={"hour": hour_of(now), "counts": kept},
    )


def _versions(rows: Iterable[HourlyCount]) -> list[str]:
    return sorted({row.version for row in rows})


def _of(rows: Iterable[HourlyCount], version: str) -> list[HourlyCount]:
    return [row for row in rows if row.version == version]


def _total(version: str, rows: list[HourlyCount]) -> Counts:
    return Counts(
        version=version,
        requests=sum(row.requests for row in rows),
        errors=sum(row.errors for row in rows),
        buckets=service.merged(row.latency_buckets for row in rows),
    )


def _plain(counts: Counts) -> Json:
    return {
        "requests": counts.requests,
        "errors": counts.errors,
        "buckets": dict(counts.buckets),
    }


def _less(counts: Counts, old: Json | None) -> Counts:
    """Return the counters without what was judged before; they never fall below nothing."""
    if not old:
        return counts
    buckets = {
        bound: max(0, n - int(old["buckets"].get(bound, 0))) for bound, n in counts.buckets.items()
    }
    return Counts(
        version=counts.version,
        requests=max(0, counts.requests - int(old["requests"])),
        errors=max(0, counts.errors - int(old["errors"])),
        buckets={bound: n for bound, n in buckets.items() if n},
    )


def _report(
    of: Subject,
    window: _Window,
    judged: service.Service,
    figures: Json,
    *,
    n: int,
    now: datetime,
) -> MonitorReport:
    errors = max(signal.value for signal in judged.signals if signal.rule == "error_rate")
    return of.report(
        "service",
        judged.state,
        now=now,
        window_start=window.start,
        window_end=now,
        window_last_id=new_id(now),
        follows=of.before.window_last_id if of.before else "",
        n_current=n,
        n_reference=0,
        score=errors,
        method=service.METHOD,
        sentence=judged.sentence,
        figures=figures,
        assumptions=service.ASSUMPTIONS,
    )
