"""Whether what serves fails requests or answers slowly, since the check before."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from core import predictions, releases
from core.clock import hour_of
from core.db import Database
from core.ids import new_id
from core.monitoring import service, signals
from core.monitoring.checks.subject import Subject, subject, unfinished
from core.monitoring.reports import store
from core.monitoring.service import Counts
from core.settings import Settings
from core.specs.alerts import RuleName
from core.specs.thresholds import Policy, least_samples
from core.tables.base import Json
from core.tables.telemetry import HourlyCount, MonitorReport

FIRST_LOOK_HOURS = 2
LONGEST_HOURS = 7 * 24
NOT_SOONER = timedelta(minutes=5)

RULES_OF_SERVICE: tuple[RuleName, ...] = ("error_rate", "latency")


@dataclass(frozen=True)
class _Since:
    """What one rule counts of a version from `hour` on, without what it judged of that hour."""

    counts: Counts
    hour: int
    judged: Json
    now: Json

    def mark(self, hour: int, *, used: bool) -> Json:
        """Return where its next window starts: here if used up, else as before."""
        return {"hour": hour, **self.now} if used else {"hour": self.hour, **self.judged}


Parts = Mapping[RuleName, list[_Since]]


def check_service(db: Database, settings: Settings, model: str) -> MonitorReport | None:
    """Judge errors and latency of the requests counted since each was judged before.

    The counters of an hour grow, so a report keeps what they said (`figures.mark`, by version and
    rule) and the next one judges the difference: windows are disjoint, and the hour that has just
    begun counts. A rule waits until it has its own samples, requests for errors and answers for
    latency: as many as its alert counts at least, and the policy's `min_requests`. It waits a week
    at most, and the first look goes as far back as that needs, at least two hours; where no rule
    has enough the report is inconclusive. Within five minutes of a judged report that one is
    returned again. Requests that reach the counters of an hour after it was judged are in no
    window. A report from the future, made before a clock was set back, is not followed.

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
    policy = Policy.of(of.spec.policy.accuracy_floor, of.spec.policy.overrides)
    look = _Look(_followed(of, now), rows, _least(of, policy), now)
    parts: Parts = {
        rule: [look.since(rule, version, begun[version]) for version in sorted(begun)]
        for rule in RULES_OF_SERVICE
    }
    windows = {rule: [part.counts for part in own] for rule, own in parts.items()}
    judged = service.judge(windows, look.least, policy)
    if anew := of.ahead(now):
        judged = replace(judged, sentence=f"{judged.sentence} {anew}")
    if judged.state == "inconclusive":
        n = sum(part.counts.requests for part in parts["error_rate"])
        of = replace(of, before=look.before)
        return unfinished(db, of, "service", "inconclusive", n, judged.sentence)
    return store(db, _report(of, look, parts, judged))


def _least(of: Subject, policy: Policy) -> dict[RuleName, int]:
    """Return how many samples a window grows to: until the alert rule counts it."""
    least = max(1, math.ceil(policy.min_requests))
    return {rule: max(least, least_samples(of.spec, rule)) for rule in RULES_OF_SERVICE}


def _followed(of: Subject, now: datetime) -> MonitorReport | None:
    """Return the report before where it is of the present term of service, and not ahead of it."""
    return of.before if of.contiguous and not of.ahead(now) else None


@dataclass(frozen=True)
class _Look:
    """What a check looks at: the report that it goes on from, and the counters of a week."""

    before: MonitorReport | None
    rows: list[HourlyCount]
    least: Mapping[RuleName, int]
    now: datetime

    def since(self, rule: RuleName, version: str, begun: datetime) -> _Since:
        """Count a version from where its last judged window ended, or from a first look back."""
        this_hour = hour_of(self.now)
        own = [
            row
            for row in self.rows
            if row.version == version and row.variant != "shadow" and row.hour <= this_hour
        ]
        nothing = _plain(_total(version, []))
        mark = self._mark(rule, version) or {"hour": self._first(rule, own, begun), **nothing}
        hour, judged = int(mark["hour"]), {name: mark[name] for name in nothing}
        counted = _total(version, [row for row in own if row.hour >= hour])
        current = _total(version, [row for row in own if row.hour == this_hour])
        return _Since(_less(counted, judged), hour, judged, _plain(current))

    def enough(self, rule: RuleName, part: _Since) -> bool:
        """Whether this rule judges this window."""
        return service.samples(rule, part.counts) >= self.least[rule]

    def _mark(self, rule: RuleName, version: str) -> Json | None:
        marks: Json = (self.before.figures.get("mark") or {}) if self.before else {}
        mark: Json | None = (marks.get(version) or {}).get(rule)
        return mark if mark and mark["hour"] > hour_of(self.now) - LONGEST_HOURS else None

    def _first(self, rule: RuleName, own: list[HourlyCount], begun: datetime) -> int:
        """Return since which hour there is enough, at least two back; `own`: oldest first."""
        hour, n = hour_of(max(begun, self.now - timedelta(hours=FIRST_LOOK_HOURS))), 0
        for row in reversed(own):
            if row.hour < hour_of(begun) or (row.hour < hour and n >= self.least[rule]):
                break
            hour, n = min(hour, row.hour), n + service.samples(rule, _total("", [row]))
        return hour


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


def _report(of: Subject, look: _Look, parts: Parts, judged: service.Service) -> MonitorReport:
    used = {rule: [one for one in own if look.enough(rule, one)] for rule, own in parts.items()}
    hours = [part.hour for own in used.values() for part in own]
    first = max(of.since, datetime.fromtimestamp(min(hours) * 3600, UTC))
    figures = judged.figures() | signals.figures(*judged.signals)
    return of.report(
        "service",
        judged.state,
        now=look.now,
        window_start=look.before.window_end if look.before else first,
        window_end=look.now,
        window_last_id=new_id(look.now),
        follows=of.before.window_last_id if of.before else "",
        n_current=max(sum(part.counts.requests for part in own) for own in used.values()),
        n_reference=0,
        score=max(one.error_rate for one in judged.versions if one.judged),
        method=service.METHOD,
        sentence=judged.sentence,
        figures=figures | {"mark": _marks(look, parts)},
        assumptions=service.ASSUMPTIONS,
    )


def _marks(look: _Look, parts: Parts) -> Json:
    """Return where the next windows start, by version and rule."""
    marks: Json = {}
    for rule, own in parts.items():
        for part in own:
            mark = part.mark(hour_of(look.now), used=look.enough(rule, part))
            marks.setdefault(part.counts.version, {})[rule] = mark
    return marks
