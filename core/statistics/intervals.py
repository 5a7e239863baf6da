"""Intervals for proportions and the check that traffic was split as asked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InvalidInputError


@dataclass(frozen=True)
class Estimate:
    """A value with its two-sided interval at `level`, from `n` observations."""

    value: float
    low: float
    high: float
    level: float
    n: int

    def __str__(self) -> str:
        """Percentage points with the interval, as people read it."""
        return f"{self.value:+.1%} ({self.low:+.1%} to {self.high:+.1%})"


def normal_quantile(level: float) -> float:
    """Two-sided standard normal quantile.

    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    if not 0 < level < 1:
        raise InvalidInputError(f"a confidence level lies between 0 and 1, not {level}")
    from scipy.special import ndtri  # 0.3 s of processor: not at every start

    return float(ndtri(0.5 + level / 2))


def wilson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Score interval of one proportion (Wilson 1927, JASA 22:209).

    Raises: InvalidInputError (no observations, or counts that cannot be).

    >>> e = wilson(81, 263)
    >>> round(e.low, 4), round(e.high, 4)
    (0.2553, 0.3662)
    """
    _check(successes, n)
    z2 = normal_quantile(level) ** 2
    p = successes / n
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Estimate(p, low, high, level, n)


def newcombe(
    successes_a: int, n_a: int, successes_b: int, n_b: int, *, level: float = 0.95
) -> Estimate:
    """Difference b - a of two independent proportions (Newcombe 1998, Stat Med 17:873, method 10).

    Raises: InvalidInputError (no observations, or counts that cannot be).

    >>> e = newcombe(48, 80, 56, 70)
    >>> round(e.low, 4), round(e.high, 4)
    (0.0524, 0.3339)
    """
    a, b = wilson(successes_a, n_a, level=level), wilson(successes_b, n_b, level=level)
    difference = b.value - a.value
    low = difference - math.hypot(b.value - b.low, a.high - a.value)
    high = difference + math.hypot(b.high - b.value, a.value - a.low)
    return Estimate(difference, low, high, level, n_a + n_b)


def srm_p(counts: Sequence[int], weights: Sequence[float]) -> float:
    """Chi-square p value that `counts` were assigned by `weights` (sample-ratio mismatch).

    Raises: InvalidInputError (lengths differ, fewer than two arms, weights not positive).

    >>> srm_p([500, 500], [1, 1])
    1.0
    >>> srm_p([821_588, 815_482], [0.5, 0.5]) < 1e-5
    True
    """
    if len(counts) != len(weights) or len(counts) < 2:
        raise InvalidInputError("a sample-ratio check needs one weight per arm and two arms")
    if min(weights) <= 0 or min(counts) < 0:
        raise InvalidInputError("weights must be positive and counts not negative")
    n, total = sum(counts), sum(weights)
    if n == 0:
        return 1.0
    from scipy.special import chdtrc

    expected = [n * weight / total for weight in weights]
    chi2 = sum((o - e) ** 2 / e for o, e in zip(counts, expected, strict=True))
    return float(chdtrc(len(counts) - 1, chi2))


def _check(successes: int, n: int) -> None:
    if n <= 0:
        raise InvalidInputError("a proportion needs at least one observation")
    if not 0 <= successes <= n:
        raise InvalidInputError(f"{successes} successes out of {n} cannot be")
