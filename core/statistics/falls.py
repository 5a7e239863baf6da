"""Has the share of successes fallen? Evidence that may be looked at again and again."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SHIFTS = (-0.25, -0.5, -1.0, -2.0)
"""Falls of the log odds that are bet on, in equal parts."""

_EDGE = 1e-4  # nothing is taken to be more certain than that: one exception would be an alarm


def evidence(success: Mask, expected: Floats | float) -> float:
    """Return the logarithm of the evidence that successes are rarer than `expected` by now.

    The Shiryaev-Roberts e-detector of Shin, Ramdas, Rinaldo (2022), arXiv 2203.03532, as of the
    last observation: M = sum over starts j of the product over i >= j of q_i / p_i where i is a
    success and (1 - q_i) / (1 - p_i) where it is not, p_i = `expected` and q_i its log odds
    shifted; averaged over `SHIFTS`. While each success has at least the probability p_i, the mean
    of M after t observations is at most t, so that an alarm at M >= A comes after A observations
    on average at the earliest, however often one looks.

    `success` in order of time, shape (n,); `expected` one probability, or one each.

    >>> evidence(np.arange(100) % 10 > 0, 0.9) < math.log(100)
    True
    >>> evidence(np.arange(100) % 2 > 0, 0.9) > math.log(1e6)
    True
    """
    if not len(success):
        return -math.inf
    p = np.broadcast_to(np.clip(expected, _EDGE, 1 - _EDGE), success.shape)
    odds = np.log(p / (1 - p))
    return float(np.logaddexp.reduce([_bet(success, p, odds, one) for one in SHIFTS])) - math.log(
        len(SHIFTS)
    )


def _bet(success: Mask, p: Floats, odds: Floats, shift: float) -> float:
    """Return log M for one shift: the log of the sum over starts of the product since then."""
    q = 1 / (1 + np.exp(-(odds + shift)))
    gain = np.where(success, np.log(q / p), np.log((1 - q) / (1 - p)))
    return float(np.logaddexp.reduce(np.cumsum(gain[::-1])))


def share_of_the_way(found: float, alarm_at: float) -> float:
    """Return how far the evidence has come to an alarm at `alarm_at`, 0 to 1 of the logarithm.

    >>> share_of_the_way(math.log(1000), 1_000_000)
    0.5
    """
    return min(1.0, max(0.0, found) / math.log(alarm_at))
