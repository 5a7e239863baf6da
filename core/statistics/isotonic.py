"""Isotonic calibration: which share was positive at a probability, never falling as it rises."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Isotonic:
    """Blocks of rows of one calibrated share each: `low` to `high` probability, `share`, rows `n`.

    All four have one entry per block, in rising order.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    share: tuple[float, ...]
    n: tuple[int, ...]

    @property
    def rows(self) -> int:
        """How many rows it was learnt from."""
        return sum(self.n)

    @property
    def points(self) -> list[tuple[float, float]]:
        """The corners of the line that `calibrated` follows."""
        corners = zip(self.low, self.high, self.share, strict=True)
        return [(x, y) for low, high, y in corners for x in sorted({low, high})]

    def calibrated(self, probability: Floats) -> Floats:
        """Return the share of positives at each probability, shape (rows,).

        Between two blocks it is interpolated; outside all of them the nearest block's holds.
        """
        x, y = np.array(self.points, dtype=float).T
        found: Floats = np.interp(probability, x, y)
        return found

    def supported(self, probability: Floats) -> Mask:
        """Return which probabilities lie within what was seen when it was learnt."""
        return (probability >= self.low[0]) & (probability <= self.high[-1])

    def error(self, probability: Floats, weight: Floats | None = None) -> float:
        """Return the standard error of the mean calibrated share of these rows.

        Each block's share is that of its `n` rows, off by chance: the variance is the sum over
        blocks of w^2 s (1 - s) / n, where w is the block's part of the rows (times `weight`) and
        s the share with half a row added to each class, so that no block seems certain.
        """
        edges = (np.array(self.high[:-1]) + np.array(self.low[1:])) / 2
        block = np.searchsorted(edges, probability)
        part = np.bincount(block, weights=weight, minlength=len(self.n)) / max(len(probability), 1)
        n, share = np.array(self.n, dtype=float), np.array(self.share)
        smooth = (share * n + 0.5) / (n + 1)
        return float(np.sqrt((part**2 * smooth * (1 - smooth) / n).sum()))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; `from_dict` reads them."""
        return {name: list(values) for name, values in asdict(self).items()}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Isotonic":
        """Read what `to_dict` gave."""
        return cls(**{name: tuple(given[name]) for name in ("low", "high", "share", "n")})


def fit(probability: Floats, truth: Mask) -> Isotonic:
    """Learn the calibration of rows that the model has not learnt.

    The never falling line of least squares by pooling adjacent violators (Barlow et al. 1972,
    Statistical inference under order restrictions); equal probabilities count once, by their mean.
    `probability` of the positive class and whether each row is positive, shapes (rows,).
    Raises: InvalidInputError (no rows, or not one truth per finite probability).

    >>> found = fit(np.array([0.1, 0.2, 0.6, 0.7]), np.array([False, True, False, True]))
    >>> found.points
    [(0.1, 0.0), (0.2, 0.5), (0.6, 0.5), (0.7, 1.0)]
    >>> found.calibrated(np.array([0.0, 0.4, 0.9])).tolist()
    [0.0, 0.5, 1.0]
    """
    if not len(probability) or probability.shape != truth.shape:
        raise InvalidInputError("a calibration is learnt from one truth per probability")
    if not np.isfinite(probability).all():
        raise InvalidInputError("a calibration is learnt from finite probabilities")
    from scipy.optimize import isotonic_regression  # 0.3 s of processor: not at every start

    values, place = np.unique(probability, return_inverse=True)
    n = np.bincount(place)
    shares = np.bincount(place, weights=truth) / n
    found = isotonic_regression(shares, weights=n)
    first, last = found.blocks[:-1], found.blocks[1:] - 1
    return Isotonic(
        low=tuple(values[first].tolist()),
        high=tuple(values[last].tolist()),
        share=tuple(found.x[first].tolist()),
        n=tuple(np.add.reduceat(n, first).tolist()),
    )
