"""One column before and now, cut into the same bins or categories; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from core.monitoring.labels import short

BINS = 20
MOST = 15
OTHERS = "all others"
_ENDS = (0.005, 0.995)  # what lies beyond them is counted in the outer bins


Sides = tuple[list[float], list[float]]  # the reference, and now


@dataclass(frozen=True)
class Shape:
    """Shares of the rows per label, of those that hold a value; missing shares of all rows."""

    labels: list[str]
    reference: list[float]
    current: list[float]
    missing_reference: float
    missing_current: float
    middles: list[float] | None = None  # of the bins of a number


def shape(reference: "pd.Series[Any]", current: "pd.Series[Any]") -> Shape:
    """Cut both sides alike: numbers into bins of equal width, anything else by its value.

    >>> found = shape(pd.Series(["a", "a", None, "b"]), pd.Series(["b", "b"]))
    >>> found.labels, found.current, found.missing_reference
    (['a', 'b'], [0.0, 1.0], 0.25)
    """
    missing = (_missing(reference), _missing(current))
    before, now = reference.dropna(), current.dropna()
    if _numeric(before) and _numeric(now):
        labels, sides, middles = _bins(before, now)
        return Shape(labels, *sides, *missing, middles)
    labels, sides = _categories(before, now)
    return Shape(labels, *sides, *missing)


def _missing(side: "pd.Series[Any]") -> float:
    return float(side.isna().mean()) if len(side) else 0.0


def _numeric(values: "pd.Series[Any]") -> bool:
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)


def _bins(before: "pd.Series[Any]", now: "pd.Series[Any]") -> tuple[list[str], Sides, list[float]]:
    sides = [np.asarray(side, dtype=np.float64) for side in (before, now)]
    sides = [side[np.isfinite(side)] for side in sides]
    pooled = np.concatenate(sides)
    if len(pooled) == 0:
        return [], ([], []), []
    if len(values := np.unique(pooled)) <= BINS:
        shares = [[float(np.mean(side == one)) if len(side) else 0.0 for one in values]
                  for side in sides]  # fmt: skip
        return [f"{one:.15g}" for one in values], (shares[0], shares[1]), values.tolist()
    low, high = np.quantile(pooled, _ENDS)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counted = [np.histogram(np.clip(side, edges[0], edges[-1]), edges)[0] for side in sides]
    labels = [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)]
    shares = [(one / max(1, one.sum())).tolist() for one in counted]
    middles = ((edges[:-1] + edges[1:]) / 2).tolist()
    return labels, (shares[0], shares[1]), middles


def _categories(before: "pd.Series[Any]", now: "pd.Series[Any]") -> tuple[list[str], Sides]:
    sides = [[short(str(value)) for value in side] for side in (before, now)]
    often = pd.Series([*sides[0], *sides[1]], dtype=object).value_counts()
    kept = list(often.index[:MOST])
    if len(often) > MOST:
        known = set(kept)
        sides = [[one if one in known else OTHERS for one in side] for side in sides]
        kept.append(OTHERS)
    labels = kept if OTHERS in kept else sorted(kept)
    return labels, _shares(labels, sides[0], sides[1])


def _shares(labels: list[str], before: Sequence[str], now: Sequence[str]) -> Sides:
    before_of, now_of = (
        pd.Series(list(side), dtype=object).value_counts(normalize=True).to_dict()
        for side in (before, now)
    )
    return (
        [float(before_of.get(one, 0.0)) for one in labels],
        [float(now_of.get(one, 0.0)) for one in labels],
    )
