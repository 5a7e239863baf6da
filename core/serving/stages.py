"""Where the time of an answer goes: auth, assign, score, spool; counted in fixed buckets."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from core.clock import monotonic

STAGES = ("auth", "assign", "score", "spool")
BOUNDS = tuple(float(f"{n}e{e}") for e in range(-6, 1) for n in (1, 2, 5))
"""Upper ends of the buckets in seconds: 1 µs, 2 µs, 5 µs … 5 s; a last bucket has no end."""

_WINDOW_SECONDS = 300.0
MARK_SECONDS = 15.0
"""How often `mark` wants to be called; figures are of the last five minutes, to this accuracy."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One stage of the last minutes, in seconds; p50 and p99 are None of nothing."""

    count: int
    sum: float
    p50: float | None
    p99: float | None


class Stages:
    """Counts durations by stage, in memory that never grows.

    `cells` has for each stage the counts of the buckets, and the sum of all durations at the end.
    Two threads that note the same stage at the same moment may lose one count; that is cheaper
    than a lock on every request.
    """

    def __init__(self) -> None:
        self.cells: dict[str, list[float]] = {stage: [0] * (len(BOUNDS) + 2) for stage in STAGES}
        self._marks: deque[tuple[float, dict[str, list[float]]]] = deque(
            [(monotonic(), self._copy())], maxlen=int(_WINDOW_SECONDS / MARK_SECONDS)
        )

    def note(self, stage: str, seconds: float, n: int = 1) -> None:
        """Count a duration `n` times. Raises: KeyError (not one of `STAGES`)."""
        cells = self.cells[stage]
        cells[bisect_left(BOUNDS, seconds)] += n
        cells[-1] += seconds * n

    def mark(self) -> None:
        """Remember how far the counts are now; what was counted five minutes ago drops out."""
        self._marks.append((monotonic(), self._copy()))

    def figures(self) -> dict[str, Figures]:
        """Return every stage over the last five minutes."""
        since = monotonic() - _WINDOW_SECONDS - MARK_SECONDS
        start = next((cells for at, cells in self._marks if at >= since), self._marks[-1][1])
        return {stage: _figures(self.cells[stage], start[stage]) for stage in STAGES}

    def _copy(self) -> dict[str, list[float]]:
        return {stage: cells.copy() for stage, cells in self.cells.items()}


def _figures(now: Sequence[float], start: Sequence[float]) -> Figures:
    *counts, total = (a - b for a, b in zip(now, start, strict=True))
    return Figures(int(sum(counts)), total, quantile(counts, 0.5), quantile(counts, 0.99))


def quantile(counts: Sequence[float], share: float) -> float | None:
    """Return the quantile in seconds, interpolated within its bucket; None of nothing.

    `counts` has one number per bound and one for what lies above all; the latter counts as the
    last bound, as in Prometheus' `histogram_quantile`.

    >>> quantile([0, 4, *[0] * (len(BOUNDS) - 1)], 0.5)
    1.5e-06
    """
    wanted, below = share * sum(counts), 0.0
    if not wanted:
        return None
    for place, count in enumerate(counts[:-1]):
        if count and below + count >= wanted:
            low = BOUNDS[place - 1] if place else 0.0
            return low + (BOUNDS[place] - low) * (wanted - below) / count
        below += count
    return BOUNDS[-1]
