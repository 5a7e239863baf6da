"""Do requests fail, are answers slow? Counters in, a finding with its certainty out. Pure."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.monitoring.signals import Signal, State
from core.serving.storing import BUCKETS_MS
from core.specs.alerts import RuleName, Severity
from core.specs.thresholds import Policy
from core.statistics.intervals import wilson

LEVEL = 0.99
"""Of the intervals; high, because the service is looked at again and again."""

METHOD = f"Wilson intervals at {LEVEL:.0%} of the share that failed and of the share that was slow"
ASSUMPTIONS = (
    "Each request fails, or is slow, for itself. Latencies are counted in buckets: the 95th "
    "percentile lies between the bounds of its bucket, in which it is interpolated; a limit "
    "between two bounds is judged at the upper one."
)

_SLOW = 0.05  # the share of answers beyond the 95th percentile
_WORDS: dict[RuleName, tuple[str, str]] = {
    "error_rate": ("Errors are", "requests"),
    "latency": ("Latency is", "answers"),
}


@dataclass(frozen=True)
class Counts:
    """What one version did in one window; `buckets` counts answers by upper bound in ms."""

    version: str
    requests: int
    errors: int
    buckets: Mapping[str, int]


Windows = Mapping[RuleName, Sequence[Counts]]
"""What each of the two rules, error_rate and latency, has not judged yet, by version."""


@dataclass(frozen=True)
class Percentile:
    """A percentile of latencies, interpolated between the bounds of the bucket it lies in.

    `high` is None in the last bucket, which has no upper bound: `value` is then its lower one.
    """

    value: float
    low: float
    high: float | None


@dataclass(frozen=True)
class Served:
    """How one version served: requests and errors since errors were judged, latency likewise.

    `error_interval` at 99 %; `slow_share` took longer than is critical; `judged` by either rule.
    """

    version: str
    requests: int
    errors: int
    error_rate: float
    error_interval: tuple[float, float]
    latency_p95: Percentile | None
    slow_share: float
    judged: bool


@dataclass(frozen=True)
class Service:
    """`fail`: surely beyond a critical threshold; `warn`: surely beyond a lesser one."""

    state: str
    versions: tuple[Served, ...]
    signals: tuple[Signal, ...]
    sentence: str

    def figures(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"versions": [asdict(one) for one in self.versions]}


def samples(rule: RuleName, counts: Counts) -> int:
    """Return on how many samples a rule rests: errors on requests, latency on answers."""
    return sum(counts.buckets.values()) if rule == "latency" else counts.requests


def judge(windows: Windows, least: Mapping[RuleName, float], policy: Policy) -> Service:
    """Judge for each rule every version that has `least` samples; the worst one is the finding.

    "Surely" means that the whole interval lies beyond the threshold. A rule for which no version
    has enough is `unknown`; where that holds for both the state is `inconclusive`.

    >>> counted = [Counts("1.0.0", 1000, 60, {"5": 940})]
    >>> both = {"error_rate": counted, "latency": counted}
    >>> judge(both, {"error_rate": 100, "latency": 100}, Policy()).state
    'fail'
    """
    enough = {
        rule: [one for one in counts if samples(rule, one) >= max(1, least[rule])]
        for rule, counts in windows.items()
    }
    signals = tuple(
        _worst([_JUDGES[rule](one, policy) for one in enough[rule]])
        if enough[rule]
        else _waiting(rule, counts, least[rule])
        for rule, counts in windows.items()
    )
    served = _served(windows, enough, policy)
    if not any(enough.values()):
        return Service("inconclusive", served, signals, signals[0].sentence)
    firing = [signal for signal in signals if signal.state == "firing"]
    critical = any(signal.severity == "critical" for signal in firing)
    return Service(
        state="fail" if critical else "warn" if firing else "pass",
        versions=served,
        signals=signals,
        sentence=" ".join(signal.sentence for signal in firing or signals),
    )


def percentile(buckets: Mapping[str, int], share: float = 0.95) -> Percentile | None:
    """Return the latency that `share` of the answers stay under; None without answers.

    Linear within its bucket, as Prometheus' `histogram_quantile`.

    >>> percentile({"100": 90, "200": 10})
    Percentile(value=150.0, low=100.0, high=200.0)
    """
    known = sorted((float(bound), int(n)) for bound, n in buckets.items() if int(n) > 0)
    wanted, seen = share * sum(n for _, n in known), 0
    for bound, n in known:
        if seen + n >= wanted:
            low = _bound_before(bound)
            if bound == float("inf"):
                return Percentile(low, low, None)
            return Percentile(low + (bound - low) * (wanted - seen) / n, low, bound)
        seen += n
    return None


def merged(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up buckets.

    >>> merged([{"5": 1}, {"5": 2, "inf": 1}])
    {'5': 3, 'inf': 1}
    """
    total: dict[str, int] = {}
    for part in parts:
        for bound, n in part.items():
            total[bound] = total.get(bound, 0) + int(n)
    return total


def _bound_before(bound: float) -> float:
    return max((float(b) for b in BUCKETS_MS if b < bound), default=0.0)


def _served(windows: Windows, enough: Windows, policy: Policy) -> tuple[Served, ...]:
    """Return what every version did that was asked anything, by name."""
    counted, timed = ({one.version: one for one in counts} for counts in windows.values())
    judged = {one.version for counts in enough.values() for one in counts}
    return tuple(
        _one(counted[version], timed[version].buckets, policy, version in judged)
        for version in sorted(counted)
        if counted[version].requests or timed[version].requests
    )


def _one(counts: Counts, buckets: Mapping[str, int], policy: Policy, judged: bool) -> Served:
    n, answers = counts.requests, sum(buckets.values())
    rate = wilson(counts.errors, n, level=LEVEL) if n else None
    slow = _slower_than(buckets, _judged_at(policy.latency_critical_ms))
    return Served(
        version=counts.version,
        requests=n,
        errors=counts.errors,
        error_rate=rate.value if rate else 0.0,
        error_interval=(rate.low, rate.high) if rate else (0.0, 1.0),
        latency_p95=percentile(buckets),
        slow_share=slow / answers if answers else 0.0,
        judged=judged,
    )


def _waiting(rule: RuleName, counts: Sequence[Counts], least: float) -> Signal:
    n = max((samples(rule, one) for one in counts), default=0)
    what, noun = _WORDS[rule]
    missing = f"{n:,} new {noun}, {math.ceil(least) - n:,} more are needed"
    return Signal(rule, "unknown", "high", 0.0, 0.0, f"{what} not judged yet: {missing}.", n)


def _errors(counts: Counts, policy: Policy) -> Signal:
    rate = wilson(counts.errors, counts.requests, level=LEVEL)
    limits = (policy.error_critical, policy.error_warning)
    state, severity, limit = _beyond(
        [rate.low > limit for limit in limits], rate.value > limits[1], limits
    )
    seen = (
        f"{rate.value:.1%} of {counts.requests:,} requests to version {counts.version} failed "
        f"({rate.low:.1%} to {rate.high:.1%})"
    )
    sentence = f"{seen}{_verdict(state, f'{limit:.1%}')}"
    return Signal("error_rate", state, severity, rate.value, limit, sentence, counts.requests)


def _latency(counts: Counts, policy: Policy) -> Signal:
    """Judge at bounds of buckets; what lies in the last one is only known to be slower than it."""
    found = percentile(counts.buckets) or Percentile(0.0, 0.0, None)
    limits = (policy.latency_critical_ms, policy.latency_warning_ms)
    bounds = [_judged_at(limit) for limit in limits]
    n = sum(counts.buckets.values())
    state, severity, limit = _beyond(
        [wilson(_slower_than(counts.buckets, one), n, level=LEVEL).low > _SLOW for one in bounds],
        found.high is None or found.high > bounds[1],
        limits,
    )
    who = f"of the answers of version {counts.version}"
    if found.high is None:
        seen = f"More than 5 % {who} take over {found.low:g} ms"
    else:
        between = f"between {found.low:g} and {found.high:g}"
        seen = f"95 % {who} come within about {found.value:.0f} ms ({between})"
    at = _judged_at(limit)
    words = f"{at:g} ms" if at == limit else f"{at:g} ms, at which the limit of {limit:g} is judged"
    return Signal(
        "latency", state, severity, found.value, limit, f"{seen}{_verdict(state, words)}", n
    )


def _beyond(
    surely: Sequence[bool], perhaps: bool, limits: Sequence[float]
) -> tuple[State, Severity, float]:
    """Return state, severity and the threshold that decided; critical first in both lists."""
    if surely[0]:
        return "firing", "critical", limits[0]
    if surely[1]:
        return "firing", "high", limits[1]
    return ("unknown" if perhaps else "ok"), "high", limits[1]


def _verdict(state: State, limit: str) -> str:
    if state == "firing":
        return f", surely more than {limit}."
    return f"; more than {limit}, but not surely." if state == "unknown" else "."


def _judged_at(limit: float) -> float:
    """Return the first bound from `limit` up: answers in one bucket are not told apart."""
    return min((float(bound) for bound in BUCKETS_MS if bound >= limit), default=float("inf"))


def _slower_than(buckets: Mapping[str, int], bound: float) -> int:
    return sum(int(n) for edge, n in buckets.items() if float(edge) > bound)


def _worst(signals: Sequence[Signal]) -> Signal:
    """A firing one before an unsure one, a critical one before a lesser one, then by value."""
    order = {"firing": 2, "unknown": 1, "ok": 0}
    return max(signals, key=lambda s: (order[s.state], s.severity == "critical", s.value))


_JUDGES: dict[RuleName, Callable[[Counts, Policy], Signal]] = {
    "error_rate": _errors,
    "latency": _latency,
}
