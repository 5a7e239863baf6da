"""Whether probabilities are honest: reliability bins and the expected calibration error. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.statistics.intervals import wilson

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Answers of similar probability: its `mean`, the `share` that was positive, and how many."""

    mean: float
    share: float
    n: int
    interval: tuple[float, float]


def bins(probability: Floats, truth: Mask, *, level: float) -> tuple[Bin, ...]:
    """Return the reliability bins of width .1 that hold answers, with Wilson's interval each.

    >>> found = bins(np.array([0.05, 0.07, 0.9]), np.array([False, False, True]), level=0.95)
    >>> [(round(one.mean, 3), one.share, one.n) for one in found]
    [(0.06, 0.0, 2), (0.9, 1.0, 1)]
    """
    place, made = _places(probability), []
    for number in np.unique(place):
        inside = place == number
        n, positive = int(inside.sum()), int(truth[inside].sum())
        known = wilson(positive, n, level=level)
        mean = float(probability[inside].mean())
        made.append(Bin(mean, known.value, n, (known.low, known.high)))
    return tuple(made)


def error(probability: Floats, truth: Mask) -> float:
    """Return the expected calibration error: the mean over bins of |share - probability|.

    Naeini, Cooper, Hauskrecht (2015), AAAI 29:2901, with ten bins of equal width.

    >>> round(error(np.array([0.1, 0.1, 0.9, 0.9]), np.array([False, False, True, False])), 3)
    0.25
    """
    apart = np.bincount(_places(probability), weights=truth - probability, minlength=BINS)
    return float(np.abs(apart).sum() / len(probability))


def errors(probability: Floats, truth: Mask, drawn: NDArray[np.intp]) -> Floats:
    """Return `error` of each row of `drawn` (places of answers, shape (times, n))."""
    times, n = drawn.shape
    place = _places(probability)[drawn] + BINS * np.arange(times)[:, None]
    apart = np.bincount(
        place.ravel(), weights=(truth - probability)[drawn].ravel(), minlength=BINS * times
    )
    found: Floats = np.abs(apart).reshape(times, BINS).sum(axis=1) / n
    return found


def _places(probability: Floats) -> NDArray[np.intp]:
    return np.minimum((probability * BINS).astype(np.intp), BINS - 1)
