"""Whether what serves fails requests or answers slowly, since the check before."""

from dataclasses import dataclass, replace
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
from core.specs.alerts import RULES, RuleName
from core.specs.thresholds import Policy
from core.tables.base import Json
from core.tables.telemetry import HourlyCount, MonitorReport

FIRST_LOOK_HOURS = 2
LONGEST_HOURS = 24
NOT_SOONER = timedelta(minutes=5)

RULES_OF_SERVICE: tuple[RuleName, ...] = ("error_rate", "latency")


@dataclass(frozen=True)
class _Since:
    """What is counted of a version from `hour` on, without what was judged of that hour before."""

    counts: Counts
    hour: int
    judged: Json
    now: Json

    def mark(self, hour: int, *, used: bool) -> Json:
        """Return where the next window of the version starts: here if used up, else as before."""
        return {"hour": hour, **self.now} if used else {"hour": self.hour, **self.judged}


def check_service(db: Database, settings: Settings, model: str) -> MonitorReport | None:
    """Judge errors and latency of the requests counted since the report before.

    The counters of an hour grow, so a report keeps what they said (`figures.mark`) and the next
    one judges the difference: windows are disjoint, and the hour that has just begun counts. The
    first looks two hours back, none further than a day. A version with fewer new requests than
    the policy's `min_requests` and the alert rules' `min_samples` keeps them for its next window;
    where none has enough the report is inconclusive. Within five minutes of a judged report that
    one is returned again. Requests that reach the counters of an hour after it was judged are in
    no window.

    Figures: `versions` (version, requests, errors, error_rate, error_interval, latency_p95
    {value, low, high}, slow_share, judged), `mark`, `signals` (error_rate, latency).
    Raises: NotFoundError (no such model, or nothing is released).
    """
    now = db.clock()
    with db.read() as session:
        of = subject(session, model, "service")
        if of.before is not None and timedelta() <= now - of.before.at < NOT_SOONER:
            return of.before
        release = releases.current(session, of.spec.name)
        rows = predictions.volume(session, of.spec.name, LONGEST_HOURS, now=now)
    begun = {arm.version: release.at for arm in releases.arms(release) if arm.variant != "shadow"}
    begun[of.version.version] = of.since
    parts = [_since(of, version, rows, begun[version], now) for version in sorted(begun)]
    judged = service.judge([part.counts for part in parts], _policy(of))
    if judged.state == "inconclusive":
        n = sum(part.counts.requests for part in parts)
        return unfinished(db, of, "service", "inconclusive", n, judged.sentence)
    used = {one.version for one in judged.versions if one.judged}
    mark = {
        part.counts.version: part.mark(hour_of(now), used=part.counts.version in used)
        for part in parts
    }
    figures = judged.figures() | signals.figures(*judged.signals) | {"mark": mark}
    n = sum(part.counts.requests for part in parts if part.counts.version in used)
    return store(db, _report(of, judged, figures, n=n, now=now))


def _policy(of: Subject) -> Policy:
    """Return the thresholds; a window grows until an alert rule would count it."""
    policy = Policy.of(of.spec.policy.accuracy_floor, of.spec.policy.overrides)
    least = min(_least(of, rule) for rule in RULES_OF_SERVICE)
    return replace(policy, min_requests=max(policy.min_requests, least))


def _least(of: Subject, rule: RuleName) -> int:
    own = of.spec.alerts.get(rule)
    return (own and own.min_samples) or RULES[rule].min_samples


def _since(
    of: Subject, version: str, rows: list[HourlyCount], begun: datetime, now: datetime
) -> _Since:
    """Count a version from where its last judged window ended, or from a first look back."""
    own = [row for row in rows if row.version == version and row.variant != "shadow"]
    before = _before(of)
    mark = (before.figures.get("mark") or {}).get(version) if before is not None else None
    if mark is None or mark["hour"] <= hour_of(now) - LONGEST_HOURS:
        first = hour_of(max(begun, now - timedelta(hours=FIRST_LOOK_HOURS)))
        mark = {"hour": first, **_plain(_total(version, []))}
    hour, judged = (
        int(mark["hour"]),
        {name: mark[name] for name in ("requests", "errors", "buckets")},
    )
    counted = _total(version, [row for row in own if row.hour >= hour])
    current = _total(version, [row for row in own if row.hour == hour_of(now)])
    return _Since(_less(counted, judged), hour, judged, _plain(current))


def _before(of: Subject) -> MonitorReport | None:
    """Return the report before where it is of the present term of service."""
    if of.before is None or of.before.window_end < of.since:
        return None
    return of.before


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


def _less(counts: Counts, old: Json) -> Counts:
    """Return the counters without what was judged before; they never fall below nothing."""
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
    judged: service.Service,
    figures: Json,
    *,
    n: int,
    now: datetime,
) -> MonitorReport:
    before = _before(of)
    start = before.window_end if before else max(of.since, now - timedelta(hours=FIRST_LOOK_HOURS))
    errors = max(signal.value for signal in judged.signals if signal.rule == "error_rate")
    return of.report(
        "service",
        judged.state,
        now=now,
        window_start=start,
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
