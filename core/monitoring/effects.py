"""How large a change in one column is, in the figures people know."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri, xlogy

from core.monitoring import reference as kept
from core.monitoring.columns import Table
from core.monitoring.reference import Column, Kind, Statistics

Array = NDArray[np.float64]

_FLOOR = 1e-4


@dataclass(frozen=True)
class Effect:
    """How far one column of a window is from its reference, as Evidently defines these figures.

    Missing values are left out. PSI and Jensen-Shannon (the distance, in nats) and Hellinger are
    over the bins of Sturges' rule, or over levels; Wasserstein's is in standard deviations (at
    least .001) of the reference, KS is the largest difference of the shares below a value. None
    where a window has no value, or the column no order.
    """

    name: str
    kind: Kind
    psi: float | None
    jensen_shannon: float | None
    hellinger: float | None
    wasserstein: float | None
    ks: float | None
    missing_reference: float
    missing_current: float


def against(statistics: Statistics, current: pd.DataFrame) -> tuple[Effect, ...]:
    """Compare the columns of a window with what is kept of its reference, all at once.

    A column that the window lacks is missing in all its rows.

    >>> before = kept.of(pd.DataFrame({"age": np.arange(100.0)}))
    >>> (effect,) = against(before, pd.DataFrame({"age": np.arange(100.0) + 10}))
    >>> round(effect.wasserstein, 3), round(effect.ks, 3)
    (0.346, 0.1)
    """
    values = _sorted_values(statistics.columns, current)
    shares = [_shares(column, current, values.get(column.name)) for column in statistics.columns]
    known = [place for place, share in enumerate(shares) if share is not None]
    binned = dict(zip(known, _over_bins([shares[place] for place in known]), strict=True))
    ordered = _ordered(statistics.columns, values)
    return tuple(
        _effect(
            column,
            binned.get(place),
            ordered.get(column.name),
            _missing(column, current, values.get(column.name)),
        )
        for place, column in enumerate(statistics.columns)
    )


def of_columns(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    names: Sequence[str],
    statistics: Statistics | None = None,
) -> tuple[Effect, ...]:
    """Compare these columns, in their order, with `statistics` or, where they lack one, the rows.

    >>> before = pd.DataFrame({"age": np.arange(100.0), "sex": ["f", "m"] * 50})
    >>> [one.name for one in of_columns(before, before, ["sex", "age"], kept.of(before[["age"]]))]
    ['sex', 'age']
    """
    known = {column.name: column for column in statistics.columns} if statistics else {}
    made = kept.of(reference[[name for name in names if str(name) not in known]])
    known |= {column.name: column for column in made.columns}
    asked = Statistics(len(reference), tuple(known[str(name)] for name in names))
    return against(asked, current)


def _effect(
    column: Column,
    binned: tuple[float, float, float] | None,
    ordered: tuple[float, float] | None,
    missing: float,
) -> Effect:
    psi, jensen_shannon, hellinger = binned or (None, None, None)
    far, ks = ordered or (None, None)
    return Effect(
        name=column.name,
        kind=column.kind,
        psi=psi,
        jensen_shannon=jensen_shannon,
        hellinger=hellinger,
        wasserstein=far,
        ks=ks,
        missing_reference=column.missing,
        missing_current=missing,
    )


_Shares = tuple[Array, Array]


def _sorted_values(columns: Sequence[Column], current: pd.DataFrame) -> dict[str, Array]:
    """The known numbers of each numeric column of the window, in order."""
    names = [one.name for one in columns if one.kind == "numeric" and one.name in current]
    if not names or not len(current):
        return {}
    plain = [name for name in names if current[name].dtype.kind in "fiu"]
    rows = np.empty((len(names), len(current)))
    for row, name in zip(rows, names, strict=True):
        row[:] = current[name].to_numpy() if name in plain else kept.numbers(current[name])
    rows[~np.isfinite(rows)] = np.nan
    rows.sort(axis=1)
    known = len(current) - np.isnan(rows).sum(axis=1)
    return {name: row[:n] for name, row, n in zip(names, rows, known.tolist(), strict=True)}


def _shares(column: Column, current: pd.DataFrame, values: Array | None) -> _Shares | None:
    """Shares of the bins or levels in the reference and in the window, None without values."""
    if column.name not in current or not column.n:
        return None
    if column.kind == "numeric" and (values is None or not len(values)):
        return None
    if column.kind == "numeric" and values is not None and not column.counts:
        whole = column.whole and pd.api.types.is_integer_dtype(current[column.name].dtype)
        edges = _sturges(column.values, values, whole=whole)
        return _histogram(column.values, edges), _histogram(values, edges)
    if values is not None:
        counts = kept.few_values(values, column.counts)
    else:
        counts = kept.levels(current[column.name])
    total = sum(counts.values())
    if not total:
        return None
    every = dict.fromkeys([*column.counts, *counts])
    return (
        np.array([column.counts.get(level, 0) / column.n for level in every]),
        np.array([counts.get(level, 0) / total for level in every]),
    )


def _sturges(reference: Array, current: Array, *, whole: bool) -> Array:
    """Edges of equal bins over both windows, as many as Sturges' rule (1926) asks for."""
    low, high = min(reference[0], current[0]), max(reference[-1], current[-1])
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    width = (high - low) / (np.log2(len(reference) + len(current)) + 1)
    if whole:
        width = max(width, 1.0)
    return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)


def _histogram(ordered: Array, edges: Array) -> Array:
    below = np.append(ordered.searchsorted(edges[:-1], "left"), len(ordered))
    return np.asarray(np.diff(below) / len(ordered))


def _over_bins(shares: Sequence[_Shares | None]) -> list[tuple[float, float, float]]:
    """PSI, Jensen-Shannon distance in nats and Hellinger distance, for every pair of shares."""
    pairs = [pair for pair in shares if pair is not None]
    if not pairs:
        return []
    size = max(len(p) for p, _ in pairs)
    used = np.arange(size) < np.array([[len(p)] for p, _ in pairs])
    p, q = (np.zeros((len(pairs), size)) for _ in range(2))
    for row, (first, second) in enumerate(pairs):
        p[row, : len(first)], q[row, : len(second)] = first, second
    middle = (p + q) / 2
    nats = (xlogy(p, p) + xlogy(q, q)) / 2 - xlogy(middle, middle)
    distance = np.sqrt(np.maximum(0.0, nats.sum(axis=1)))
    hellinger = np.sqrt(np.maximum(0.0, 1 - np.sqrt(p * q).sum(axis=1)))
    p, q = _filled(p, used), _filled(q, used)
    psi = np.where(used, (p - q) * np.log(p / q), 0.0).sum(axis=1)
    return list(zip(psi.tolist(), distance.tolist(), hellinger.tolist(), strict=True))


def _filled(shares: Array, used: NDArray[np.bool_]) -> Array:
    """Put 1e-4 for an empty bin, or a millionth of the least share where that is no larger."""
    least = np.where(shares > 0, shares, np.inf).min(axis=1, keepdims=True)
    empty = np.where(least <= _FLOOR, least / 1e6, _FLOOR)
    return np.where(shares > 0, shares, np.where(used, empty, 1.0))


def _ordered(columns: Iterable[Column], values: dict[str, Array]) -> dict[str, tuple[float, float]]:
    """Wasserstein distance in standard deviations, and KS, of the numeric columns."""
    both = [one for one in columns if one.n and len(values.get(one.name, ()))]
    both.sort(key=lambda one: (one.n, len(values[one.name])))
    found: dict[str, tuple[float, float]] = {}
    for (n, m), group in groupby(both, key=lambda one: (one.n, len(values[one.name]))):
        alike = list(group)
        before = np.array([one.values for one in alike])
        now = np.array([values[one.name] for one in alike])
        area = _area(before, now, n, m) / np.maximum(before.std(axis=1), 0.001)
        for column, far, row, later in zip(alike, area.tolist(), before, now, strict=True):
            found[column.name] = far, _kolmogorov_smirnov(row, later)
    return found


def _area(before: Array, now: Array, n: int, m: int) -> Array:
    """Area between the quantile functions of samples of n and m: the same steps for all columns."""
    if n == m:
        return np.asarray(np.abs(before - now).mean(axis=1))
    steps = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    widths = np.diff(steps, prepend=0) / (n * m)
    return np.asarray(np.abs(before[:, (steps - 1) // m] - now[:, (steps - 1) // n]) @ widths)


def _kolmogorov_smirnov(before: Array, now: Array) -> float:
    n, m = len(before), len(now)
    above = np.arange(1, n + 1) / n - now.searchsorted(before, "right") / m
    below = np.arange(1, m + 1) / m - before.searchsorted(now, "right") / n
    return float(max(above.max(), below.max()))


def _missing(column: Column, current: pd.DataFrame, values: Array | None) -> float:
    if column.name not in current or not len(current):
        return 1.0
    if column.kind == "numeric":
        return 1 - (0 if values is None else len(values)) / len(current)
    return float(current[column.name].isna().mean())


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
