"""What is wrong with the values of live inputs, beyond what chance makes of the reference.

Each finding is a one-sided exact test of a share against that of the reference (hypergeometric,
Bonferroni over all tests of the window) and large enough to matter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.datasets import rules
from core.datasets.expectations import Expectation, Severity
from core.monitoring import units
from core.monitoring.labels import short

MISSING_MORE, OUTLIERS_MORE, COPIES_MORE, NEW_MORE = 0.05, 0.02, 0.1, 0.01
"""Smaller increases of a share are not told, however certain."""
FEED_LOST = 0.99
MOST_EXAMPLES = 5
TESTS_A_COLUMN = 4

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; a hard one means that the input is broken."""

    kind: str
    column: str | None
    severity: Severity
    n_failed: int
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dict(vars(self))


@dataclass
class Column:
    """A column in the window and in the reference, with what was measured of it (shares 0 to 1)."""

    name: str
    kind: str  # numeric, category, text
    reference: "pd.Series[Any]"
    current: "pd.Series[Any]"
    shares: dict[str, float] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    unit: units.UnitChange | None = None

    @classmethod
    def of(cls, name: str, kind: str, reference: pd.DataFrame, current: pd.DataFrame) -> "Column":
        """Return a column as numbers or as words, missing where it says nothing."""
        before, now = (_values(part, name, kind) for part in (reference, current))
        return cls(name, kind, before, now)

    @property
    def shown(self) -> str:
        """Its name, safe to show."""
        return f"'{short(self.name, 40)}'"

    def told(self) -> dict[str, Any]:
        """What a report keeps of it."""
        return {"name": self.name, **self.shares, "new": self.examples}


def _values(frame: pd.DataFrame, name: str, kind: str) -> "pd.Series[Any]":
    if name not in frame:
        return pd.Series(dtype="float64")
    there = rules.subject(frame, Expectation("missing_at_most", name)).notna()
    look = Expectation("between" if kind == "numeric" else "in_set", name)
    values: pd.Series[Any] = rules.subject(frame, look).where(there)
    return values


def more(k: int, n: int, k_reference: int, n_reference: int) -> float:
    """Return the p value of `k` of `n` being a larger share than that of the reference.

    Fisher's exact test, one-sided.

    >>> round(more(3, 4, 1, 4), 3)
    0.243
    """
    from scipy.stats import hypergeom  # a second to import, so not with the module

    return float(hypergeom.sf(k - 1, n + n_reference, k + k_reference, n))


def of_column(column: Column, *, alpha: float) -> Iterator[Finding]:
    """Yield what is wrong with a column; `alpha` is that of a single test."""
    if not len(column.reference) or not len(column.current):
        return
    yield from _missing(column, alpha)
    values = column.current.dropna()
    if values.empty or column.reference.dropna().empty:
        return
    if column.kind == "numeric":
        yield from _numeric(column, alpha)
    elif column.kind == "category":
        yield from _new(column, alpha)
    if column.kind != "text":
        yield from _constant(column, alpha)


def _missing(column: Column, alpha: float) -> Iterator[Finding]:
    lost, lost_before = int(column.current.isna().sum()), int(column.reference.isna().sum())
    n, n_before = len(column.current), len(column.reference)
    share, before = lost / n, lost_before / n_before
    column.shares |= {"missing": share, "missing_reference": before}
    if share - before < MISSING_MORE or more(lost, n, lost_before, n_before) > alpha:
        return
    gone = share >= FEED_LOST
    words = f"{column.shown} is missing in {share:.1%} of the inputs, {before:.1%} in the reference"
    words += ": its feed is lost." if gone else "."
    yield Finding("missing", column.name, "hard" if gone else "soft", lost, words)


def _numeric(column: Column, alpha: float) -> Iterator[Finding]:
    before = column.reference.dropna().to_numpy(dtype=np.float64)
    now = column.current.dropna().to_numpy(dtype=np.float64)
    low, high = fences(before)
    out, out_before = (int(((part < low) | (part > high)).sum()) for part in (now, before))
    share, expected = out / len(now), out_before / len(before)
    column.shares |= {"outliers": share, "outliers_reference": expected}
    far = (
        share - expected >= OUTLIERS_MORE and more(out, len(now), out_before, len(before)) <= alpha
    )
    part = units.changed_in_part(before, now, low, high) if far else None
    if unit := units.changed(before, now) or part:
        column.unit = unit
        n = round(unit.share * len(now))
        yield Finding("unit_change", column.name, "hard", n, _unit_words(column, unit))
    elif far:
        words = (
            f"{share:.1%} of the values of {column.shown} lie far outside, below {low:.4g} or "
            f"above {high:.4g}; {expected:.1%} in the reference."
        )
        yield Finding("outliers", column.name, "soft", out, words)


def fences(values: Array) -> tuple[float, float]:
    """Return the bounds three interquartile ranges beyond the quartiles (Tukey's outer fences).

    Where half of the values are the same, the smallest and largest value.
    """
    first, third = np.quantile(values, [0.25, 0.75])
    reach = 3 * (third - first)
    if reach == 0:
        return float(values.min()), float(values.max())
    return float(first - reach), float(third + reach)


def _unit_words(column: Column, unit: units.UnitChange) -> str:
    who = column.shown if unit.share == 1 else f"{unit.share:.1%} of the values of {column.shown}"
    times = f"{unit.factor:.4g} times as large" if unit.factor != 1 else "moved"
    moved = f" and moved by {unit.shift:+.4g}" if unit.shift else ""
    return (
        f"{who} seem to be in another unit ({unit.words}): {times}{moved}; "
        "turned back they look like the reference."
    )


def _new(column: Column, alpha: float) -> Iterator[Finding]:
    """Compare the share of unknown words with that of words which the reference has once.

    The share of a sample that its words seen once make up estimates the share of unseen words in a
    further one: Good (1953), Biometrika 40:237.
    """
    before, now = column.reference.dropna(), column.current.dropna()
    counts = before.value_counts()
    unknown = now[~now.isin(counts.index)]
    once, n = int((counts == 1).sum()), len(unknown)
    column.shares["new_share"] = n / len(now)
    column.examples = [short(str(word)) for word in unknown.value_counts().index[:MOST_EXAMPLES]]
    if n / len(now) < NEW_MORE or more(n, len(now), once, len(before)) > alpha:
        column.examples = []  # a single client's odd word is nobody else's business
        return
    words = (
        f"{n / len(now):.1%} of the values of {column.shown} are no category of the reference: "
        f"{', '.join(column.examples)}."
    )
    yield Finding("new_category", column.name, "soft", n, words)


def _constant(column: Column, alpha: float) -> Iterator[Finding]:
    now, before = column.current.dropna(), column.reference.dropna()
    if now.nunique() > 1 or before.nunique() < 2:
        return
    same = int((before == now.iloc[0]).sum())
    if ((same + 1) / (len(before) + 1)) ** len(now) > alpha:
        return
    words = f"{column.shown} has one and the same value in all {len(now):,} inputs."
    yield Finding("constant", column.name, "soft", len(now), words)


def copies(reference: pd.DataFrame, current: pd.DataFrame, *, alpha: float) -> Iterator[Finding]:
    """Yield that more inputs repeat others than in as many rows of the reference."""
    k = min(len(reference), len(current))
    if not k:
        return
    now, before = (_copies(part.sample(k, random_state=0)) for part in (current, reference))
    if (now - before) / k < COPIES_MORE or more(now, k, before, k) > alpha:
        return
    n = _copies(current)
    words = (
        f"{n / len(current):.1%} of the inputs repeat another one, {before / k:.1%} in as many "
        "rows of the reference: clients may send the same again."
    )
    yield Finding("duplicates", None, "soft", n, words)


def _copies(frame: pd.DataFrame) -> int:
    keys = pd.util.hash_pandas_object(frame.astype(str), index=False)
    return int(keys.duplicated().sum())


def copies_share(frame: pd.DataFrame) -> float:
    """Return the share of rows that repeat an earlier one (0 to 1)."""
    return _copies(frame) / len(frame) if len(frame) else 0.0
