"""Two data frames as one table of numbers: kinds decided, levels shared, copies removed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import InvalidInputError
from core.monitoring.labels import short
from core.monitoring.limits import MOST_ROWS
from core.monitoring.reference import Kind, is_numeric, numbers, word

Array = NDArray[np.float64]

MOST_LEVELS = 50
NUMERIC_BINS = 20


@dataclass(frozen=True)
class Table:
    """Pooled rows, reference first: `values` has shape (rows, columns), NaN is missing.

    A category holds the index of its level; `levels` is empty for numeric columns.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    levels: tuple[tuple[str, ...], ...]
    values: Array
    n_reference: int

    @property
    def n_current(self) -> int:
        """Rows of the current window."""
        return len(self.values) - self.n_reference

    def take(self, rows: NDArray[np.intp]) -> "Table":
        """The table of these rows only, in their old order."""
        rows = np.sort(rows)
        kept = int((rows < self.n_reference).sum())
        return replace(self, values=self.values[rows], n_reference=kept)


@dataclass(frozen=True)
class Bins:
    """One column cut into `size` bins, by pooled quantiles or levels; code `size` is missing."""

    codes: NDArray[np.intp]
    size: int


@dataclass(frozen=True)
class Columns:
    """Which columns can be compared, and which only one of the windows has."""

    shared: tuple[str, ...]
    lost: tuple[str, ...]
    new: tuple[str, ...]


def in_both(reference: pd.DataFrame, current: pd.DataFrame, asked: Sequence[str] | None) -> Columns:
    """Sort the columns asked for, or all without points in time, in the order of the reference.

    Raises: InvalidInputError (an empty window, a column that neither has, nothing in common).
    """
    for frame, window in ((reference, "reference"), (current, "current window")):
        if len(frame) == 0:
            raise InvalidInputError(f"The {window} has no rows to compare.")
        if not frame.columns.is_unique:
            raise InvalidInputError(f"The {window} has two columns of the same name.")
    absent = [str(name) for name in asked or () if name not in reference and name not in current]
    if absent:
        raise InvalidInputError(f"Neither window has the columns {', '.join(absent)}.")
    before, now = (
        [name for name in (asked if asked is not None else _comparable(frame)) if name in frame]
        for frame in (reference, current)
    )
    shared = [name for name in before if name in current]
    if not shared:
        raise InvalidInputError("Reference and current window have no column in common.")
    return Columns(
        tuple(shared),
        tuple(name for name in before if name not in current),
        tuple(name for name in now if name not in reference),
    )


def pooled(reference: pd.DataFrame, current: pd.DataFrame, names: Sequence[str]) -> Table:
    """Both windows as one table; a column is numeric where the reference is."""
    encoded = [_encode(reference[name], current[name]) for name in names]
    return Table(
        names=tuple(str(name) for name in names),
        kinds=tuple(kind for kind, _, _ in encoded),
        levels=tuple(levels for _, levels, _ in encoded),
        values=np.column_stack([values for _, _, values in encoded]),
        n_reference=len(reference),
    )


def without_copies(table: Table, rng: np.random.Generator) -> Table:
    """Keep one row, picked at random, of every group of identical rows.

    Copies (retries, joins, resampling) are not independent rows and break the null. A random
    copy keeps the window label exchangeable, which keeping the first one would not; only where
    that would empty a window, one copy stays in each. Tables whose rows coincide by chance anyway
    (a few categories) are left as they are.
    """
    order = rng.permutation(len(table.values))
    rows = pd.DataFrame(table.values[order])
    unique = table.take(order[~rows.duplicated().to_numpy()])
    if not _copies_are_copies(unique):
        return table
    if unique.n_reference and unique.n_current:
        return unique
    rows["window"] = order < table.n_reference
    return table.take(order[~rows.duplicated().to_numpy()])


def capped(table: Table, rng: np.random.Generator) -> Table:
    """At most `MOST_ROWS` rows of each window, picked at random."""
    windows = ((0, table.n_reference), (table.n_reference, len(table.values)))
    picked = [
        start + rng.permutation(end - start)[: min(end - start, MOST_ROWS)]
        for start, end in windows
    ]
    return table.take(np.concatenate(picked))


def binned(table: Table, column: int) -> Bins:
    """Cut a column by quantiles of the pooled values, or by its most frequent levels."""
    values = table.values[:, column]
    known = ~np.isnan(values)
    if not known.any():
        return Bins(np.zeros(len(values), dtype=np.intp), 0)
    if table.kinds[column] == "numeric":
        steps = np.linspace(0, 1, NUMERIC_BINS + 1)[1:-1]
        edges = np.unique(np.quantile(values[known], steps, method="inverted_cdf"))
        codes = np.searchsorted(edges, values, side="left")
        size = len(edges) + 1
    else:
        counts = np.bincount(values[known].astype(np.intp))
        place = np.empty(len(counts), dtype=np.intp)
        place[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        size = min(len(counts), MOST_LEVELS)
        codes = np.minimum(place[np.where(known, values, 0).astype(np.intp)], size - 1)
    return Bins(np.where(known, codes, size), size)


def with_lengths(frame: pd.DataFrame, texts: Sequence[str]) -> pd.DataFrame:
    """The frame with each of these text columns as its number of words; missing text has none."""
    counted = {
        name: [len(text.split()) if isinstance(text, str) else 0 for text in frame[name]]
        for name in texts
        if name in frame.columns
    }
    return frame.assign(**{name: pd.Series(n, index=frame.index) for name, n in counted.items()})


def _comparable(frame: pd.DataFrame) -> list[str]:
    """All columns but points in time, which always move on."""
    return [name for name in frame.columns if not pd.api.types.is_datetime64_any_dtype(frame[name])]


def _encode(
    reference: "pd.Series[Any]", current: "pd.Series[Any]"
) -> tuple[Kind, tuple[str, ...], Array]:
    telling = current if reference.isna().all() else reference
    if telling.isna().all() or is_numeric(telling):
        return "numeric", (), np.concatenate([numbers(reference), numbers(current)])
    words = np.concatenate([_words(reference), _words(current)])
    codes, levels = pd.factorize(words, sort=False)
    values = np.where(codes < 0, np.nan, codes)
    return "category", tuple(short(str(level)) for level in levels), values


def _words(series: "pd.Series[Any]") -> NDArray[np.object_]:
    """Levels as text, 1.0 and 1 being the same level; missing stays None."""
    if isinstance(series.dtype, pd.StringDtype):
        read = np.array(series, dtype=np.object_)
        read[series.isna().to_numpy()] = None
        return read
    words = series.map(word, na_action="ignore").astype(object)
    return np.asarray(words.where(words.notna(), None), dtype=np.object_)


def _copies_are_copies(distinct: Table) -> bool:
    """Whether two rows that agree in everything can hardly agree by chance.

    Judged by the numeric columns of the distinct rows, as if independent: under .01 chance twins
    per row. Counted with their copies, rows would seem to coincide easily.
    """
    twins = float(len(distinct.values))
    for column, kind in enumerate(distinct.kinds):
        if kind == "numeric":
            _, counts = np.unique(distinct.values[:, column], return_counts=True)
            twins *= float(((counts / counts.sum()) ** 2).sum())
    return twins <= 0.01
