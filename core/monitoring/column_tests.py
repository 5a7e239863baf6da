"""The statistics of a pooled table under shuffled window labels: per column, and between columns.

Everything is a sum over the rows of one window, so one matrix product serves all shuffles.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from core.monitoring.columns import Bins, Table, binned

Array = NDArray[np.float64]
Labels = NDArray[np.float32]

MOST_PAIRED = 40
"""Numeric columns whose pairwise relations are tested."""

_BLOCK = 512


@dataclass(frozen=True)
class ColumnTest:
    """One statistic of shape (1 + permutations,); `column` is -1 for relations."""

    family: str
    column: int
    statistic: Array


@dataclass(frozen=True)
class ColumnCounts:
    """Rows of the current window per bin and shuffle; the last bin holds missing values."""

    current: Array
    total: Array
    n_current: int
    n_reference: int

    @property
    def factor(self) -> float:
        """Variance of a sum of unit-variance scores over one window, under shuffling."""
        n = self.n_current + self.n_reference
        return self.n_current * self.n_reference / max(1, n * (n - 1))

    def shares(self) -> tuple[Array, Array]:
        """Distributions over bins: current (per shuffle) and reference (per shuffle)."""
        return self.current / self.n_current, (self.total - self.current) / self.n_reference


def counts(table: Table, labels: Labels) -> Iterator[ColumnCounts]:
    """Count each column's bins in the current window, for all shuffles, in column order."""
    bins = [binned(table, column) for column in range(len(table.names))]
    for block in _blocks(bins):
        width = sum(each.size + 1 for each in block)
        indicators = np.zeros((len(table.values), width), dtype=np.float32)
        start, rows = 0, np.arange(len(table.values))
        for each in block:
            indicators[rows, start + each.codes] = 1
            start += each.size + 1
        current = (labels @ indicators).astype(np.float64)
        total = indicators.sum(axis=0, dtype=np.float64)
        edges = np.cumsum([each.size + 1 for each in block])[:-1]
        parts = zip(np.split(current, edges, axis=1), np.split(total, edges), strict=True)
        for part, whole in parts:
            yield ColumnCounts(part, whole, table.n_current, table.n_reference)


def location(counted: ColumnCounts) -> Array:
    """Sum over a grid of pooled quantiles of the squared permutation z of "values below"."""
    known = counted.total[:-1].sum()
    share = np.cumsum(counted.total[:-1])[:-1] / known
    below = np.cumsum(counted.current[:, :-1], axis=1)[:, :-1]
    seen = counted.current[:, :-1].sum(axis=1, keepdims=True)
    variance = counted.factor * known * share * (1 - share)
    varies = variance > 1e-9
    z2 = (below - seen * share)[:, varies] ** 2 / variance[varies]
    return np.asarray(z2.sum(axis=1))


def category(counted: ColumnCounts) -> Array:
    """Pearson's chi-square of level against window, over rows where the level is known."""
    total, current = counted.total[:-1], counted.current[:, :-1]
    seen = current.sum(axis=1, keepdims=True)
    gap = current - seen * (total / total.sum())
    return np.asarray((gap**2 / np.maximum(total, 1)).sum(axis=1) / counted.factor)


def missing(counted: ColumnCounts) -> Array:
    """Squared permutation z of the number of missing values."""
    n = counted.n_current + counted.n_reference
    share = counted.total[-1] / n
    gap = counted.current[:, -1] - counted.n_current * share
    return np.asarray(gap**2 / max(1e-12, counted.factor * n * share * (1 - share)))


def normal_scores(table: Table) -> tuple[list[int], Array]:
    """The numeric columns that vary and their normal scores, shape (rows, these columns)."""
    columns = _varying(table)
    scores = [_normal_scores(table.values[:, column]) for column in columns]
    return columns, np.column_stack(scores) if scores else np.zeros((len(table.values), 0))


def shifts(table: Table, scores: Array) -> Array:
    """Permutation z of the mean normal score of each column: signed, positive where it rose.

    Van der Waerden's test; the variance under shuffling is known, so it needs no shuffles.
    """
    n = len(table.values)
    factor = table.n_current * table.n_reference / max(1, n * (n - 1))
    centred = scores - scores.mean(axis=0)
    sd = np.sqrt(np.maximum(factor * (centred**2).sum(axis=0), 1e-12))
    return np.asarray(centred[table.n_reference :].sum(axis=0) / sd)


def relations(
    table: Table, labels: Labels, columns: list[int], scores: Array
) -> tuple[list[ColumnTest], tuple[int, int] | None]:
    """Pairwise products of normal scores: their squared z summed, and the largest alone.

    Also says which pair of `columns` differs most between the true windows.
    """
    columns, scores = columns[:MOST_PAIRED], scores[:, :MOST_PAIRED]
    if len(columns) < 2:
        return [], None
    n = len(table.values)
    factor = table.n_current * table.n_reference / max(1, n * (n - 1))
    total, largest = np.zeros(len(labels)), np.zeros(len(labels))
    observed: list[float] = []
    for first in range(len(columns) - 1):
        products = scores[:, [first]] * scores[:, first + 1 :]
        products -= products.mean(axis=0)
        norm = np.sqrt(np.maximum(factor * (products**2).sum(axis=0), 1e-12))
        z2 = (labels @ (products / norm).astype(np.float32)).astype(np.float64) ** 2
        total += z2.sum(axis=1)
        largest = np.maximum(largest, z2.max(axis=1))
        observed.extend(z2[0])
    tests = [ColumnTest("covariance", -1, total), ColumnTest("covariance", -1, largest)]
    return tests, list(combinations(columns, 2))[int(np.argmax(observed))]


def _varying(table: Table) -> list[int]:
    """The numeric columns that hold at least two values."""
    found = []
    for column, kind in enumerate(table.kinds):
        values = table.values[:, column]
        known = values[~np.isnan(values)]
        if kind == "numeric" and len(known) and known.min() < known.max():
            found.append(column)
    return found


def _normal_scores(values: Array) -> Array:
    """Van der Waerden scores with mid-ranks for ties; a missing value scores 0."""
    scores = np.zeros(len(values))
    known = ~np.isnan(values)
    _, place, times = np.unique(values[known], return_inverse=True, return_counts=True)
    middle = np.cumsum(times) - (times - 1) / 2
    scores[known] = ndtri((middle[place] - 0.5) / known.sum())
    return scores


def _blocks(bins: list[Bins]) -> Iterator[list[Bins]]:
    """Groups of columns whose indicators fit in memory together."""
    block: list[Bins] = []
    for each in bins:
        if block and sum(b.size + 1 for b in block) + each.size + 1 > _BLOCK:
            yield block
            block = []
        block.append(each)
    yield block
