"""What this process measured in the last five minutes, in bounded memory."""

import math
import threading
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from core.clock import monotonic

_WINDOW_SECONDS = 300.0
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Figures:
    """Latencies in milliseconds; None where nothing was measured."""

    api_latency_p99: float | None
    model_inference_time_p99: float | None
    requests_per_minute: float
    error_rate: float


class _Recent:
    """The last durations with their moments, as bare numbers: 16 bytes each instead of 150."""

    def __init__(self) -> None:
        self._at = array("d", [-math.inf]) * _MOST
        self._values = array("d", [0.0]) * _MOST
        self._next = 0

    def add(self, value: float, n: int = 1) -> None:
        now, place = monotonic(), self._next
        for _ in range(n):
            self._at[place] = now
            self._values[place] = value
            place = place + 1 if place + 1 < _MOST else 0
        self._next = place

    def since(self, moment: float) -> list[tuple[float, float]]:
        """Return (moment, value) of what was added from a moment on."""
        return [one for one in zip(self._at, self._values, strict=True) if one[0] >= moment]


class Traffic:
    """Counts requests and keeps recent latencies."""

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self._lock = threading.Lock()
        self._requests = _Recent()  # a failed one as -latency
        self._scores = _Recent()

    def request(self, milliseconds: float, *, failed: bool, n: int = 1) -> None:
        """Count `n` requests of one duration; `failed` means that the fault was ours (a 5xx)."""
        with self._lock:
            self.requests += n
            self.errors += n * failed
            self._requests.add(-milliseconds if failed else milliseconds, n)

    def scored(self, milliseconds: float) -> None:
        """Count one answer of a model."""
        with self._lock:
            self._scores.add(milliseconds)

    def figures(self) -> Figures:
        """Return the last five minutes in four numbers."""
        now = monotonic()
        with self._lock:
            requests = self._requests.since(now - _WINDOW_SECONDS)
            scores = [score for _, score in self._scores.since(now - _WINDOW_SECONDS)]
        minute = sum(now - at <= 60 for at, _ in requests)
        failed = sum(math.copysign(1.0, latency) < 0 for _, latency in requests)
        return Figures(
            api_latency_p99=quantile((abs(latency) for _, latency in requests), 0.99),
            model_inference_time_p99=quantile(scores, 0.99),
            requests_per_minute=float(minute),
            error_rate=failed / len(requests) if requests else 0.0,
        )


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of the values do not exceed.

    >>> quantile([1, 2, 3, 4], 0.5)
    2
    """
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
