"""Rows in, points for a chart or a sparkline out; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from core.clock import hour_of
from core.predictions import Outcome
from core.statistics.intervals import wilson
from core.tables.telemetry import HourlyCount, MonitorReport

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour of traffic; latencies in milliseconds, None without an answer."""

    at: datetime
    requests: int
    errors: int
    mean_ms: float | None
    p95_ms: float | None
    p50_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """How many requests an hour was expected to bring, at least and at most."""

    at: datetime
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bin:
    """The share of right answers among `n` labelled ones that follow each other, with interval."""

    start: datetime
    end: datetime
    version: str
    n: int
    value: float
    low: float
    high: float


def hourly(rows: Sequence[HourlyCount], hours: int, now: datetime) -> list[Hour]:
    """Return one point for each of the last `hours` hours, oldest first; shadows are left out."""
    last = hour_of(now)
    by_hour: dict[int, list[HourlyCount]] = {last - back: [] for back in range(hours)}
    for row in rows:
        if row.variant != "shadow" and row.hour in by_hour:
            by_hour[row.hour].append(row)
    return [_hour(hour, by_hour[hour]) for hour in sorted(by_hour)]


def _hour(hour: int, rows: Sequence[HourlyCount]) -> Hour:
    requests, errors = sum(row.requests for row in rows), sum(row.errors for row in rows)
    answered = requests - errors
    total_ms = sum(row.latency_ms_sum for row in rows)
    return Hour(
        at=datetime.fromtimestamp(hour * 3600, UTC),
        requests=requests,
        errors=errors,
        mean_ms=total_ms / answered if answered else None,
        p95_ms=quantile(rows, 0.95),
        p50_ms=quantile(rows, 0.5),
    )


def band(reports: Sequence[MonitorReport]) -> list[Band]:
    """Return what checks of the volume (newest first) expected of an hour, oldest first."""
    told = [(report, report.figures) for report in reversed(reports)]
    return [
        Band(report.window_end - _HOUR, figures["low"] / hours, figures["high"] / hours)
        for report, figures in told
        if (hours := figures.get("hours")) and {"low", "high"} <= set(figures)
    ]


def quantile(rows: Sequence[HourlyCount], share: float) -> float | None:
    """Return the upper bound, in milliseconds, of the bucket that holds the quantile.

    Infinity means: above the largest bound. None without an answer.
    """
    total: dict[float, int] = {}
    for row in rows:
        for bound, n in row.latency_buckets.items():
            total[float(bound)] = total.get(float(bound), 0) + int(n)
    wanted, seen = share * sum(total.values()), 0
    for edge in sorted(total):
        seen += total[edge]
        if seen >= wanted > 0:
            return edge
    return None


def accuracy(rows: Sequence[Outcome], *, bins: int = 20, fewest: int = 20) -> list[Bin]:
    """Cut labelled answers (newest first) into equal bins per version, oldest first.

    A bin holds at least `fewest`, but for a version that has fewer: then it is one bin.
    """
    size = max(fewest, -(-len(rows) // bins))
    found: list[Bin] = []
    by_version: dict[str, list[Outcome]] = {}
    for row in reversed(rows):
        by_version.setdefault(row.version, []).append(row)
    for version, own in by_version.items():
        count = max(1, len(own) // size)
        cuts = [number * len(own) // count for number in range(count + 1)]
        found += [_bin(version, own[start:end]) for start, end in pairwise(cuts)]
    return sorted(found, key=lambda one: one.end)


def _bin(version: str, rows: Sequence[Outcome]) -> Bin:
    share = wilson(sum(row.correct for row in rows), len(rows))
    start, end = rows[0].at, rows[-1].at
    return Bin(start, end, version, len(rows), share.value, share.low, share.high)
