"""The step of the e-detector that watches a model, its margin and its shares of the budget.

Shiryaev-Roberts recursion over a mixture of sizes, after Shin, Ramdas, Rinaldo (2022), E-detectors,
arXiv 2203.03532: M <- (M + 1) exp(lambda (z - margin) - lambda^2 / 2), averaged over lambda,
direction, column and family of changes. While nothing changes the mean of M after t checks is at
most t, so that M >= 1 / r happens no more than r times a check, whatever the correlation of the
parts. The margin covers what a finite reference is off by itself in every check alike.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

Array = NDArray[np.float64]

SIZES = np.array([0.5, 1.0, 2.0, 4.0])
"""The lambdas: shifts of a check's z, beyond the margin, that are found soonest."""


def margin(*, n_reference: int, n_current: int, two_sided: bool = True) -> float:
    """How far off zero a z may be in every check because of the reference alone.

    The part of the variance of z that comes from the reference is r = n_current / (n_current +
    n_reference). A signed z is off by at most three standard errors of it, 3 sqrt(r). A one-sided
    z is taken from statistics that are even in the signed ones: it is off by what a signed z of
    that bias gives as a two-sided p, which is less (about 3 r^.75). The largest of several columns
    is off by no more, at the same chance of a reference that is worse.

    >>> round(margin(n_reference=5000, n_current=200), 2)
    0.59
    >>> round(margin(n_reference=5000, n_current=200, two_sided=False), 2)
    0.36
    """
    part = n_current / (n_current + n_reference)
    return 3 * math.sqrt(part) if two_sided else _even_margin(round(part, 4))


@lru_cache(maxsize=512)
def _even_margin(part: float) -> float:
    """The margin that keeps E exp(lambda (z - margin) - lambda^2 / 2) <= 1 for every lambda.

    z is the normal score of the two-sided p of a normal with mean 3 sqrt(part) and variance
    1 - part; the mean is taken by the trapezoidal rule.
    """
    x = np.linspace(-10, 10, 2001)
    mass = np.exp(-(x**2) / 2)
    signed = 3 * math.sqrt(part) + math.sqrt(1 - part) * x
    z = -ndtri_exp(np.minimum(math.log(2) + log_ndtr(-np.abs(signed)), -1e-12))
    means = (mass @ np.exp(np.outer(z, SIZES))) / mass.sum()
    return float(((np.log(means) - SIZES**2 / 2) / SIZES).max())


def grown(logs: Array, excess: Array) -> Array:
    """One step of log M, shape (..., lambdas), by z - margin of shape (...)."""
    step = SIZES * np.asarray(excess)[..., None] - SIZES**2 / 2
    return np.asarray(np.logaddexp(logs, 0.0) + step)


def weights(parts: Sequence[tuple[str, bool]]) -> Array:
    """The share of the budget of each (family, two_sided), for one direction and lambda of it.

    >>> (weights([("text", False), ("location", False), ("location", True)]) * 4).tolist()
    [0.5, 0.25, 0.125]
    """
    families = {family for family, _ in parts}
    found = []
    for family, two_sided in parts:
        kinds = {kind for other, kind in parts if other == family}
        alike = sum(part == (family, two_sided) for part in parts) * (1 + two_sided)
        found.append(1 / (len(families) * len(kinds) * alike * len(SIZES)))
    return np.array(found)
