"""What this process measured in the last five minutes, in bounded memory."""

import math
import threading
from collections import deque
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


class Traffic:
    """Counts requests and keeps recent latencies."""

    def __init__(self) -> None:
        self.requests = 0
        self.errors = 0
        self._lock = threading.Lock()
        self._requests: deque[tuple[float, float, bool]] = deque(maxlen=_MOST)
        self._scores: deque[tuple[float, float]] = deque(maxlen=_MOST)

    def request(self, milliseconds: float, *, failed: bool) -> None:
        """Count one request; `failed` means that the fault was ours (a 5xx)."""
        with self._lock:
            self.requests += 1
            self.errors += failed
            self._requests.append((monotonic(), milliseconds, failed))

    def scored(self, milliseconds: float) -> None:
        """Count one answer of a model."""
        with self._lock:
            self._scores.append((monotonic(), milliseconds))

    def figures(self) -> Figures:
        """Return the last five minutes in four numbers."""
        now = monotonic()
        with self._lock:
            requests = [one for one in self._requests if now - one[0] <= _WINDOW_SECONDS]
            scores = [one[1] for one in self._scores if now - one[0] <= _WINDOW_SECONDS]
        minute = sum(now - at <= 60 for at, _, _ in requests)
        failed = sum(one[2] for one in requests)
        return Figures(
            api_latency_p99=quantile((one[1] for one in requests), 0.99),
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
