"""Parts of the answers by what was asked: values of a category, ranges of a number. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.statistics.intervals import Estimate, newcombe, wilson

Mask = NDArray[np.bool_]

MOST_VALUES, RANGES = 8, 4
FEWEST = 30
"""Labelled answers of a slice, under which nothing is said about it."""


@dataclass(frozen=True)
class Slice:
    """One part: `test` says of values of `feature` which belong to it."""

    feature: str
    name: str
    low: float | None = None
    high: float | None = None
    value: str | None = None

    def of(self, frame: pd.DataFrame) -> Mask:
        """Return which rows belong to this slice."""
        given = frame[self.feature]
        if self.value is not None:
            return np.asarray(given.astype("string").fillna("") == self.value, dtype=bool)
        numbers = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float)
        above = numbers >= self.low if self.low is not None else ~np.isnan(numbers)
        return above & (numbers < self.high) if self.high is not None else above


@dataclass(frozen=True)
class Found:
    """How right the answers of one slice were; `state` ok, worse or not_enough_evidence."""

    feature: str
    name: str
    n: int
    accuracy: float | None
    interval: tuple[float, float] | None
    registered: float | None
    n_registered: int
    state: str
    sentence: str


def cut(reference: pd.DataFrame, features: Sequence[str], kinds: Mapping[str, str]) -> list[Slice]:
    """Return the slices of a reference: the most frequent values, or the quarters of a number.

    `kinds` maps a feature to numeric, category or text; a text is cut by nothing. A feature that
    the reference lacks has no slices.

    >>> frame = pd.DataFrame({"age": range(8), "pain": list("aaabbccc")})
    >>> [s.name for s in cut(frame, ["pain"], {"pain": "category"})]
    ['pain is a', 'pain is c', 'pain is b']
    >>> [s.name for s in cut(frame, ["age"], {"age": "numeric"})]
    ['age under 2', 'age 2 to 4', 'age 4 to 6', 'age from 6']
    """
    made: list[Slice] = []
    for feature in features:
        if feature not in reference or kinds.get(feature) not in ("numeric", "category"):
            continue
        cutter = _ranges if kinds[feature] == "numeric" else _values
        made += cutter(feature, reference[feature])
    return made


def _values(feature: str, given: "pd.Series[Any]") -> list[Slice]:
    counted = given.dropna().astype(str).value_counts(sort=False)
    ranked = sorted(counted.items(), key=lambda one: (-int(one[1]), str(one[0])))[:MOST_VALUES]
    return [Slice(feature, f"{feature} is {value}", value=str(value)) for value, _ in ranked]


def _ranges(feature: str, given: "pd.Series[Any]") -> list[Slice]:
    numbers = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return []
    shares = np.arange(1, RANGES) / RANGES
    edges = np.unique(np.quantile(numbers, shares, method="higher")).tolist()
    edges = [edge for edge in edges if edge > numbers.min()]
    between = zip([None, *edges], [*edges, None], strict=True)
    return [Slice(feature, _named(feature, low, high), low, high) for low, high in between]


def _named(feature: str, low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return f"{feature} is given"
    if low is None:
        return f"{feature} under {high:g}"
    return f"{feature} from {low:g}" if high is None else f"{feature} {low:g} to {high:g}"


def judge(
    parts: Sequence[Slice],
    now: tuple[pd.DataFrame, Mask],
    before: tuple[pd.DataFrame, Mask] | None,
    *,
    overall: float,
    level: float,
) -> tuple[Found, ...]:
    """Judge each slice against the same rows of the held-out set, or the `overall` accuracy.

    `now` and `before`: the inputs and which answers were right. The level is Bonferroni's over the
    slices; a slice is worse where the whole interval of the difference lies below zero.
    """
    each = 1 - (1 - level) / max(len(parts), 1)
    return tuple(_judge(part, now, before, overall=overall, level=each) for part in parts)


def _judge(
    part: Slice,
    now: tuple[pd.DataFrame, Mask],
    before: tuple[pd.DataFrame, Mask] | None,
    *,
    overall: float,
    level: float,
) -> Found:
    n, right = _counted(part, now)
    n_before, right_before = _counted(part, before) if before is not None else (0, 0)
    registered = right_before / n_before if n_before else overall
    if n < FEWEST:
        words = f"{part.name}: not enough evidence, {n} labelled answers of at least {FEWEST}."
        return Found(part.feature, part.name, n, right / n if n else None, None, registered,
                     n_before, "not_enough_evidence", words)  # fmt: skip
    realised = wilson(right, n, level=level)
    if n_before:
        worse = newcombe(right_before, n_before, right, n, level=level).high < 0
    else:
        worse = realised.high < overall
    return Found(
        feature=part.feature,
        name=part.name,
        n=n,
        accuracy=realised.value,
        interval=(realised.low, realised.high),
        registered=registered,
        n_registered=n_before,
        state="worse" if worse else "ok",
        sentence=_sentence(part, realised, registered, worse=worse),
    )


def _counted(part: Slice, rows: tuple[pd.DataFrame, Mask]) -> tuple[int, int]:
    frame, right = rows
    if part.feature not in frame:
        return 0, 0
    inside = part.of(frame)
    return int(inside.sum()), int((inside & right).sum())


def _sentence(part: Slice, realised: Estimate, registered: float, *, worse: bool) -> str:
    verdict = "surely worse than" if worse else "no fall beyond chance from"
    return (
        f"{part.name}: accuracy {realised.value:.1%} ({realised.low:.1%} to {realised.high:.1%}) "
        f"on {realised.n:,} labelled answers, {verdict} {registered:.1%} at registration."
    )
