"""Do requests fail, are answers slow? Counters in, a finding with its certainty out. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.monitoring.signals import Signal, State
from core.serving.storing import BUCKETS_MS
from core.specs.alerts import Severity
from core.specs.thresholds import Policy
from core.statistics.intervals import wilson

LEVEL = 0.99
"""Of the intervals; high, because the service is looked at again and again."""

METHOD = f"Wilson intervals at {LEVEL:.0%} of the share that failed and of the share that was slow"
ASSUMPTIONS = (
    "Each request fails, or is slow, for itself. Latencies are counted in buckets: the 95th "
    "percentile lies between the bounds of its bucket, in which it is interpolated."
)

_SLOW = 0.05  # the share of answers beyond the 95th percentile


@dataclass(frozen=True)
class Counts:
    """What one version did in one window; `buckets` counts answers by upper bound in ms."""

    version: str
    requests: int
    errors: int
    buckets: Mapping[str, int]


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
    """How one version served one window; `error_interval` at 99 %."""

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


def judge(counts: Sequence[Counts], policy: Policy) -> Service:
    """Judge every version that answered at least `min_requests`; the worst one is the finding.

    "Surely" means that the whole interval lies beyond the threshold. Without a version that
    answered enough the state is `inconclusive`.

    >>> judge([Counts("1.0.0", 1000, 60, {"5": 940})], Policy()).state
    'fail'
    """
    served = tuple(_served(one, policy) for one in counts if one.requests)
    judged = [one for one in counts if one.requests >= max(1, policy.min_requests)]
    if not judged:
        n = max((one.requests for one in counts), default=0)
        missing = f"{int(policy.min_requests) - n:,} more are needed"
        return Service(
            "inconclusive", served, (), f"Not judged yet: {n:,} new requests, {missing}."
        )
    signals = (
        _worst([_errors(one, policy) for one in judged]),
        _worst([_latency(one, policy) for one in judged]),
    )
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


def _served(counts: Counts, policy: Policy) -> Served:
    rate = wilson(counts.errors, counts.requests, level=LEVEL)
    slow, n = _slower_than(counts.buckets, policy.latency_critical_ms)
    return Served(
        version=counts.version,
        requests=counts.requests,
        errors=counts.errors,
        error_rate=rate.value,
        error_interval=(rate.low, rate.high),
        latency_p95=percentile(counts.buckets),
        slow_share=slow / n if n else 0.0,
        judged=counts.requests >= policy.min_requests,
    )


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
    found = percentile(counts.buckets)
    limits = (policy.latency_critical_ms, policy.latency_warning_ms)
    if found is None:
        words = f"Version {counts.version} gave no answer whose latency could be measured."
        return Signal("latency", "unknown", "high", 0.0, limits[1], words, 0)
    surely = []
    for one in limits:
        slow, n = _slower_than(counts.buckets, one)
        surely.append(wilson(slow, n, level=LEVEL).low > _SLOW)
    state, severity, limit = _beyond(surely, found.value > limits[1], limits)
    who = f"of the answers of version {counts.version}"
    if found.high is None:
        seen = f"More than 5 % {who} take over {found.low:g} ms"
    else:
        bounds = f"between {found.low:g} and {found.high:g}"
        seen = f"95 % {who} come within about {found.value:.0f} ms ({bounds})"
    sentence = f"{seen}{_verdict(state, f'{limit:g} ms')}"
    n = sum(counts.buckets.values())
    return Signal("latency", state, severity, found.value, limit, sentence, n)


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


def _slower_than(buckets: Mapping[str, int], limit: float) -> tuple[int, int]:
    """Count answers in buckets that lie wholly beyond `limit`, and all answers."""
    slow = sum(n for bound, n in buckets.items() if _bound_before(float(bound)) >= limit)
    return int(slow), int(sum(buckets.values()))


def _worst(signals: Sequence[Signal]) -> Signal:
    """A firing one before an unsure one, a critical one before a lesser one, then by value."""
    order = {"firing": 2, "unknown": 1, "ok": 0}
    return max(signals, key=lambda s: (order[s.state], s.severity == "critical", s.value))
