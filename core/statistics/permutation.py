"""Tests by shuffling window labels: every statistic sees the same shuffles, so they join exactly.

Arrays called `statistics` have shape (1 + permutations, tests); row 0 is what was observed.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, ndtri, xlogy

from core.errors import InvalidInputError

Array = NDArray[np.float64]

FEWEST, MOST = 999, 6_000
"""Shuffles that a test makes: more where a small alpha needs them, as far as memory allows."""

LARGEST_Z = 8.0
"""Beyond this a fitted tail is extrapolation; scores are cut here."""


def shuffled_labels(
    n_reference: int, n_current: int, *, permutations: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Indicators of the current window, shape (1 + permutations, n_reference + n_current).

    Row 0 is the true split (reference rows first), the others are random splits of equal sizes.
    """
    n = n_reference + n_current
    labels = np.zeros((1 + permutations, n), dtype=np.float32)
    labels[0, n_reference:] = 1
    fewer, flip = min(n_reference, n_current), n_reference < n_current
    for row in labels[1:]:
        row[rng.choice(n, fewer, replace=False, shuffle=False)] = 1
    if flip:
        labels[1:] = 1 - labels[1:]
    return labels


def enough(alpha: float, asked: int | None = None) -> int:
    """Return how many shuffles to make, so that a p value of `alpha` can be reached.

    Raises: InvalidInputError (alpha is no share, or too small for those `asked`, or for any).

    >>> enough(0.01), enough(0.0005)
    (999, 2000)
    """
    if not 0 < alpha < 1:
        raise InvalidInputError(f"alpha lies between 0 and 1, not {alpha:g}")
    made = asked or min(MOST, max(FEWEST, math.ceil(1 / alpha)))
    if (made + 1) * alpha < 1:
        least = f"{made:,} permutations tell {1 / (made + 1):.2g} at least"
        raise InvalidInputError(f"alpha {alpha:.2g} is too small: {least}")
    return made


def gamma_tail(statistics: Array) -> Array:
    """Upper-tail p of each value under a three-moment gamma fit to the shuffled rows of its test.

    Ranks stop at 1 / (1 + permutations), which Benjamini-Hochberg over many columns cannot use;
    the fitted tail (Pearson type III) goes on. A statistic that never varies gets p = 1.
    """
    null = statistics[1:]
    mean, sd = null.mean(axis=0), null.std(axis=0)
    constant = sd <= 1e-9 * (1 + np.abs(mean))
    z = (statistics - mean) / np.where(constant, 1.0, sd)
    return np.where(constant, 1.0, _pearson_tail(z, (z[1:] ** 3).mean(axis=0)))


def exchangeable_z(statistics: Array) -> Array:
    """Standard normal scores of all rows, each under a gamma fit to the other rows of its test.

    Every row is left out of its own fit, shuffled ones too, which keeps `minp` exact: were only
    the observed row left out, it alone would not be shrunk by its own fit and would stand out.
    """
    x = statistics - statistics.mean(axis=0)
    scale = x.std(axis=0)
    constant = scale <= 1e-9 * (1 + np.abs(statistics).max(axis=0))
    x = x / np.where(constant, 1.0, scale)
    first, second, third = (((x**k).sum(axis=0) - x**k) / (len(x) - 1) for k in (1, 2, 3))
    variance = np.maximum(second - first**2, 1e-12)
    skew = (third - 3 * first * second + 2 * first**3) / variance**1.5
    tail = _pearson_tail((x - first) / np.sqrt(variance), skew)
    return _normal_score(np.where(constant, 1.0, tail))


def observed_z(statistics: Array) -> float:
    """Standard normal score of the strongest observed test, for following it over time.

    Mid-ranks, so that statistics of few values still average 0 under the null; where fewer than
    ten shuffles reach the observed value, the fitted tail, cut at 8.

    >>> observed_z(np.full((100, 1), 3.0))
    0.0
    """
    strongest = _normal_score(gamma_tail(statistics)).max(axis=1)
    above = int((strongest[1:] > strongest[0] + 1e-6).sum())
    reached = int((strongest[1:] >= strongest[0] - 1e-6).sum())
    p = np.array((above + (reached - above + 1) / 2) / len(strongest))
    if reached < 10:
        p = np.minimum(p, gamma_tail(strongest[:, None])[0, 0])
    return float(_normal_score(p)) + 0.0


def _pearson_tail(z: Array, skew: Array) -> Array:
    """Upper tail of the standardised gamma distribution with this skewness (at least .05)."""
    shape = 4 / np.maximum(skew, 0.05) ** 2
    return np.asarray(gammaincc(shape, np.maximum(0.0, shape + z * np.sqrt(shape))))


def _normal_score(p: Array) -> Array:
    """The z whose upper tail is p, cut at +-8."""
    return np.asarray(np.clip(-ndtri(np.clip(p, 1e-300, 1 - 1e-16)), -LARGEST_Z, LARGEST_Z))


def rank_p(statistics: Array) -> Array:
    """Permutation p per test: (1 + shuffles at least as large) / (1 + shuffles)."""
    observed = statistics[0] - 1e-6 * (1 + np.abs(statistics[0]))
    return np.asarray((1 + (statistics[1:] >= observed).sum(axis=0)) / len(statistics))


def minp(z: Array) -> float:
    """Westfall-Young single-step p of the strongest test, from `exchangeable_z` scores.

    Westfall, Young (1993), Resampling-Based Multiple Testing. The scores play the part of the
    per-test p values, without the floor that ranks would put under them.
    """
    return float(rank_p(z.max(axis=1, keepdims=True))[0])


def tail_p(statistics: Array) -> Array:
    """Rank p, or the fitted tail where fewer than ten shuffles reach the observed value.

    Knijnenburg et al. (2009), Bioinformatics 25:i161. No smaller than 1e-12: a fit knows no more.
    """
    ranks = rank_p(statistics)
    few = ranks * len(statistics) - 1 < 10
    return np.where(few, np.clip(gamma_tail(statistics)[0], 1e-12, ranks), ranks)


def jensen_shannon(p: Array, q: Array) -> Array:
    """Jensen-Shannon divergence in bits (0...1) along the last axis of two distributions.

    >>> float(jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])))
    1.0
    """
    middle = (p + q) / 2
    nats = xlogy(p, p) / 2 + xlogy(q, q) / 2 - xlogy(middle, middle)
    return np.asarray(np.clip(nats.sum(axis=-1) / np.log(2), 0.0, 1.0))


def debiased_distance(divergences: Array) -> Array:
    """Distance 0...1 per test, freed of what chance alone gives at this sample size.

    sqrt(max(0, (observed - shuffled mean) / (1 - shuffled mean))), on divergences in bits.

    >>> debiased_distance(np.array([[1.0], [0.2], [0.2]])).tolist()
    [1.0]
    """
    expected = divergences[1:].mean(axis=0)
    excess = (divergences[0] - expected) / np.maximum(1 - expected, 1e-12)
    return np.asarray(np.sqrt(np.maximum(0.0, excess)))
