"""The watch over months: alarms while nothing changes, and checks until a change is found.

Every month has one reference, which all of its windows are compared with. The statistics are those
of the product on 13 numeric columns, 6 categories, 13 shares of missing values and 78 relations,
drawn as counts per bin (relations as normal z's), and calibrated on windows with a reference each.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, ndtr, ndtri

from benchmarks.monitoring.common import Asked, Figure, spread
from core.monitoring import detector

CHECKS_A_MONTH = 2880
RATE = 0.1 / CHECKS_A_MONTH
COLUMNS, BINS = 13, 20
CALIBRATED = 30_000
LEVELS = (
    (0.32, 0.68),
    (0.08, 0.16, 0.28, 0.48),
    (0.85, 0.15),
    (0.5, 0.02, 0.48),
    (0.47, 0.46, 0.07),
    (1 / 20,) * 20,
)
FAMILIES = ("location", "category", "missing", "covariance")
NULL_SIZES = ((5000, 200), (1000, 200), (1000, 1000))
DELAYS = ((5000, 8), (1000, None), (240, None))

Array = NDArray[np.float64]


def run(asked: Asked) -> Iterator[Figure]:
    parts = 1 if asked.quick else 10
    for reference, n in NULL_SIZES[: 1 if asked.quick else None]:
        work = partial(first_alarms, asked.seed, 10, CHECKS_A_MONTH, (reference, n), 0.0)
        alarms = int((np.concatenate(spread(work, range(parts), chunk=1)) > 0).sum())
        what = f"false alarms in {10 * parts} months, reference {reference:,}, n = {n:,}"
        yield Figure(what, "≤ 10 (aim 3)", str(alarms), alarms <= 10)
    for reference, most in DELAYS:
        delays = first_alarms(asked.seed, 200, 60, (reference, 200), 0.2, 0)
        found = float(np.median(np.where(delays > 0, delays, np.inf)))
        what = f"median delay, .2 sd in 1 of 13 columns, reference {reference:,}"
        measured = f"{found:.0f} checks" if np.isfinite(found) else "over 60 checks"
        asks = f"≤ {most} checks" if most else "told"
        yield Figure(what, asks, measured, found <= most if most else None)


def first_alarms(
    seed: int, months: int, checks: int, sizes: tuple[int, int], shift: float, part: int
) -> Array:
    """The check of the first alarm of each month, 0 where there is none."""
    rng = np.random.default_rng([seed, part, *sizes])
    null, _ = statistics(rng, CALIBRATED, 1, sizes)
    families, columns = statistics(rng, months, checks, sizes, shift)
    z = np.column_stack(
        [calibrated(before)(now) for before, now in zip(null, families, strict=True)]
    )
    return watched(z.reshape(months, checks, -1), columns.reshape(months, checks, -1), sizes)


def watched(families: Array, columns: Array, sizes: tuple[int, int]) -> Array:
    """Follow z's of shape (months, checks, parts) with the detector of the product."""
    size = {"n_reference": sizes[0], "n_current": sizes[1]}
    one, two = (detector.margin(**size, two_sided=sided) for sided in (False, True))
    kinds = [(family, False) for family in FAMILIES] + [("location", True)] * COLUMNS
    weights = detector.weights(kinds)
    weights = np.concatenate([weights, weights[len(FAMILIES) :]])[:, None]
    excess = np.concatenate([families - one, columns - two, -columns - two], axis=2)
    logs = np.full((len(families), len(weights), len(detector.SIZES)), -np.inf)
    alarms = np.zeros(len(families))
    for check in range(families.shape[1]):
        logs = detector.grown(logs, excess[:, check])
        over = (np.exp(np.minimum(logs, 500)) * weights).sum(axis=(1, 2)) >= 1 / RATE
        alarms = np.where((alarms == 0) & over, check + 1, alarms)
    return alarms


def statistics(
    rng: np.random.Generator, months: int, checks: int, sizes: tuple[int, int], shift: float = 0.0
) -> tuple[list[Array], Array]:
    """Statistics per family, shape (months x checks, tests), and the signed z of each column."""

    def counts(shares: Sequence[float], now: Sequence[float] | None = None) -> tuple[Array, Array]:
        before = rng.multinomial(sizes[0], shares, size=months)
        after = rng.multinomial(sizes[1], now or shares, size=months * checks)
        return np.repeat(before, checks, axis=0).astype(float), after.astype(float)

    edges = ndtr(ndtri(np.arange(BINS + 1) / BINS) - shift)
    same, moved = [1 / BINS] * BINS, np.diff(edges).tolist()
    places = [location(*counts(same, same if column else moved)) for column in range(COLUMNS)]
    part = sizes[1] / sum(sizes)
    bias = np.repeat(rng.normal(0, np.sqrt(part), (months, 78)), checks, axis=0)
    relations = (bias + rng.normal(0, np.sqrt(1 - part), bias.shape)) ** 2
    families = [
        np.column_stack([squares for squares, _ in places]),
        np.column_stack([chi_square(*counts(shares)) for shares in LEVELS]),
        np.column_stack([chi_square(*counts((0.98, 0.02))) for _ in range(COLUMNS)]),
        np.column_stack([relations.sum(axis=1), relations.max(axis=1)]),
    ]
    return families, np.column_stack([z for _, z in places])


def location(before: Array, now: Array) -> tuple[Array, Array]:
    """The squared z on the grid of quantiles, and the signed z of the normal scores of the bins."""
    total, n, m = before + now, now.sum(axis=1, keepdims=True), before.sum(axis=1, keepdims=True)
    factor = n * m / ((n + m) * (n + m - 1))
    share = total.cumsum(axis=1) / (n + m)
    below = (now.cumsum(axis=1) - n * share)[:, :-1]
    variance = factor * (n + m) * (share * (1 - share))[:, :-1]
    scores = ndtri(share - total / (n + m) / 2)
    scores -= (scores * total).sum(axis=1, keepdims=True) / (n + m)
    sd = np.sqrt(factor[:, 0] * (scores**2 * total).sum(axis=1))
    return (below**2 / variance).sum(axis=1), (scores * now).sum(axis=1) / sd


def chi_square(before: Array, now: Array) -> Array:
    total, n, m = before + now, now.sum(axis=1, keepdims=True), before.sum(axis=1, keepdims=True)
    squares = (now - total * n / (n + m)) ** 2 / np.maximum(total, 1)
    return squares.sum(axis=1) * ((n + m) * (n + m - 1) / (n * m))[:, 0]


def calibrated(null: Array) -> Callable[[Array], Array]:
    """The score of `permutation.observed_z`, with `null` in the part of the shuffled rows."""
    strongest = normal_scores(null, null).max(axis=1)
    ranked = np.sort(strongest)

    def score(found: Array) -> Array:
        best = normal_scores(found, null).max(axis=1)
        above = len(ranked) - np.searchsorted(ranked, best + 1e-6, side="right")
        reached = len(ranked) - np.searchsorted(ranked, best - 1e-6, side="left")
        p = (above + (reached - above + 1) / 2) / (1 + len(ranked))
        fitted = normal_scores(best[:, None], strongest[:, None])[:, 0]
        return np.where(reached < 10, np.maximum(fitted, -ndtri(p)), -ndtri(p))

    return score


def normal_scores(found: Array, null: Array) -> Array:
    """Normal scores of the upper tail under a gamma fit to `null`, as in the product."""
    mean, sd = null.mean(axis=0), null.std(axis=0)
    skew = np.maximum((((null - mean) / sd) ** 3).mean(axis=0), 0.05)
    shape = 4 / skew**2
    tail = gammaincc(shape, np.maximum(0.0, shape + (found - mean) / sd * np.sqrt(shape)))
    return np.clip(-ndtri(np.clip(tail, 1e-300, 1 - 1e-16)), -8, 8)
