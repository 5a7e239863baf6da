"""How large a change in one column is, in the figures people know."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from core.monitoring.columns import Table

Array = NDArray[np.float64]

_FLOOR = 1e-4


def population_stability(reference: Array, current: Array) -> float:
    """PSI of two distributions over the same bins, empty bins counted as 1e-4.

    >>> round(population_stability(np.array([0.5, 0.5]), np.array([0.7, 0.3])), 4)
    0.1695
    """
    p, q = np.maximum(reference, _FLOOR), np.maximum(current, _FLOOR)
    return float(((q - p) * np.log(q / p)).sum())


def column_stability(table: Table, column: int) -> float:
    """PSI over ten bins of reference quantiles, or over levels; missing is a bin of its own."""
    reference, current = windows(table, column)
    if table.kinds[column] == "numeric":
        known = reference[~np.isnan(reference)]
        steps = np.linspace(0, 1, 11)[1:-1]
        edges = np.unique(np.quantile(known, steps)) if len(known) else np.zeros(1)
        codes = [np.searchsorted(edges, part, side="left") for part in (reference, current)]
        size = len(edges) + 1
    else:
        size = len(table.levels[column])
        codes = [np.nan_to_num(part, nan=0).astype(np.intp) for part in (reference, current)]
    p, q = (
        np.bincount(np.where(np.isnan(part), size, code), minlength=size + 1) / len(part)
        for part, code in zip((reference, current), codes, strict=True)
    )
    return population_stability(p, q)


def wasserstein(table: Table, column: int) -> float | None:
    """Wasserstein distance in standard deviations (at least .001) of the reference.

    None unless the column is numeric and has values in both windows.
    """
    if table.kinds[column] != "numeric":
        return None
    reference, current = (part[~np.isnan(part)] for part in windows(table, column))
    if not len(reference) or not len(current):
        return None
    points = np.sort(np.concatenate([reference, current]))
    cdfs = [
        np.searchsorted(np.sort(part), points[:-1], side="right") / len(part)
        for part in (reference, current)
    ]
    area = float((np.abs(cdfs[0] - cdfs[1]) * np.diff(points)).sum())
    return area / max(float(reference.std()), 0.001)


def windows(table: Table, column: int) -> tuple[Array, Array]:
    """Values of the reference and of the current window."""
    values = table.values[:, column]
    return values[: table.n_reference], values[table.n_reference :]


def describe(table: Table, column: int, change: str) -> tuple[str, str]:
    """Name the change more closely, and put it into a few words."""
    reference, current = windows(table, column)
    if change == "missing":
        before, after = float(np.isnan(reference).mean()), float(np.isnan(current).mean())
        return change, f"missing {before:.1%} → {after:.1%}"
    if table.kinds[column] == "category":
        return change, _level_that_moved(table, column)
    reference, current = reference[~np.isnan(reference)], current[~np.isnan(current)]
    if not len(reference) or not len(current):
        return change, "values only in one window"
    if _is_spread(reference, current):
        return "spread", f"standard deviation {reference.std():.4g} → {current.std():.4g}"
    return change, f"mean {reference.mean():.4g} → {current.mean():.4g}"


def _level_that_moved(table: Table, column: int) -> str:
    size = len(table.levels[column])
    shares = []
    for part in windows(table, column):
        known = part[~np.isnan(part)].astype(np.intp)
        shares.append(np.bincount(known, minlength=size) / max(1, len(known)))
    moved = int(np.argmax((shares[1] - shares[0]) ** 2 / np.maximum(shares[0] + shares[1], 1e-12)))
    before, after = shares[0][moved], shares[1][moved]
    return f"'{table.levels[column][moved]}' {before:.1%} → {after:.1%}"


def _is_spread(reference: Array, current: Array) -> bool:
    """Whether squared normal scores tell the windows apart better than the scores themselves."""
    both = np.concatenate([reference, current])
    order = np.argsort(np.argsort(both, kind="stable"), kind="stable")
    scores = ndtri((order + 0.5) / len(both))
    before, after = scores[: len(reference)], scores[len(reference) :]
    shift = abs(float(after.mean() - before.mean())) / max(1e-12, float(scores.std()))
    squares = scores**2
    spread = abs(float((after**2).mean() - (before**2).mean())) / max(1e-12, float(squares.std()))
    return spread > shift
