"""Where the time of an answer goes: auth, assign, score, spool; counted in fixed buckets."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

STAGES = ("auth", "assign", "score", "spool")
BOUNDS = tuple(float(f"{n}e{e}") for e in range(-6, 1) for n in (1, 2, 5))
"""Upper ends of the buckets in seconds: 1 µs, 2 µs, 5 µs … 5 s; a last bucket has no end."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One stage so far, in seconds; p50 and p99 are None where nothing was measured."""

    count: int
    sum: float
    p50: float | None
    p99: float | None


class Stages:
    """Counts durations by stage, in memory that never grows.

    Two threads that note the same stage at the same moment may lose one count; that is cheaper
    than a lock on every request.
    """

    def __init__(self) -> None:
        self._counts = {stage: [0] * (len(BOUNDS) + 1) for stage in STAGES}
        self._sums = dict.fromkeys(STAGES, 0.0)

    def note(self, stage: str, seconds: float) -> None:
        """Count one duration. Raises: KeyError (not one of `STAGES`)."""
        self._counts[stage][bisect_left(BOUNDS, seconds)] += 1
        self._sums[stage] += seconds

    def figures(self) -> dict[str, Figures]:
        """Return every stage so far."""
        return {stage: _figures(self._counts[stage], self._sums[stage]) for stage in STAGES}


def _figures(counts: Sequence[int], total: float) -> Figures:
    return Figures(sum(counts), total, quantile(counts, 0.5), quantile(counts, 0.99))


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Return the quantile in seconds, interpolated within its bucket; None of nothing.

    `counts` has one number per bound and one for what lies above all; the latter counts as the
    last bound, as in Prometheus' `histogram_quantile`.

    >>> quantile([0, 4, *[0] * (len(BOUNDS) - 1)], 0.5)
    1.5e-06
    """
    wanted, below = share * sum(counts), 0
    if not wanted:
        return None
    for place, count in enumerate(counts[:-1]):
        if count and below + count >= wanted:
            low = BOUNDS[place - 1] if place else 0.0
            return low + (BOUNDS[place] - low) * (wanted - below) / count
        below += count
    return BOUNDS[-1]
