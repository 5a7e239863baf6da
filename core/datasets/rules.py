"""Judging expectations with pandas alone: light enough for every process.

The worker looks at live traffic every few minutes; importing the large validation library there
would hold hundreds of megabytes for good. One contract suite proves both equal, row for row.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from core.datasets.expectations import MOST_FAILING, Expectation, Result, judgeable
from core.datasets.values import category

Values = Any
"""A pandas Series with one entry per row."""


class PlainValidator:
    """Judges a frame by expectations; see the port in `expectations`."""

    name = "built-in"

    def run(self, frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[Result]:
        """Return one result per expectation that can be judged, in order."""
        return [_judge(frame, one) for one in judgeable(frame, expectations)]


def subject(frame: pd.DataFrame, one: Expectation) -> Values:
    """Return what an expectation looks at: one value per row, None or NaN where it does not.

    number: 0 where missing, NaN where it is no finite number. between: the numbers.
    in_set, distinct_at_least: one spelling per value, or the number. length_between: characters.
    missing_at_most: NaN where missing. share_between: 1 where the value is meant, else 0.
    duplicates_at_most: a key that equal rows share.
    """
    if one.kind == "duplicates_at_most":
        keys = pd.util.hash_pandas_object(frame, index=False).to_numpy(dtype="uint64")
        return pd.Series(keys.view("int64"))
    values = frame[one.column].reset_index(drop=True)
    match one.kind:
        case "number":
            return _numbers(values).where(~_missing(values), 0.0)
        case "between":
            return _numbers(values)
        case "length_between":
            return _spelled(values, str).str.len().astype("float64")
        case "missing_at_most":
            return pd.Series(np.where(_missing(values), np.nan, 1.0))
        case "share_between":
            return _meant(values, one)
        case "distinct_at_least" if values.dtype.kind in "fiu":
            return values.astype("float64")
        case _:
            return _spelled(values, category)


def _missing(values: Values) -> Values:
    if values.dtype.kind in "fiu":
        return values.isna()
    known = values.dropna().unique()
    blank = [value for value in known if isinstance(value, str) and not value.strip()]
    return values.isna() | values.isin(blank)


def _numbers(values: Values) -> Values:
    if values.dtype.kind not in "fiu":
        values = values.astype("object").where(~_missing(values), None)
        values = pd.to_numeric(values, errors="coerce")
    return values.astype("float64").replace([np.inf, -np.inf], np.nan)


def _spelled(values: Values, spell: Any) -> Values:  # noqa: ANN401 (a function of one value)
    known = {value: spell(value) for value in values.dropna().unique()}
    return values.astype("object").map(known).astype("object").where(values.notna(), None)


def _meant(values: Values, one: Expectation) -> Values:
    above = one.arguments.get("above")
    if above is not None:
        found = _numbers(values)
        return (found > above).astype("float64").where(found.notna(), np.nan)
    spelled = _spelled(values, category)
    return (spelled == one.arguments["value"]).astype("float64").where(spelled.notna(), np.nan)


def _judge(frame: pd.DataFrame, one: Expectation) -> Result:
    arguments = one.arguments
    if one.kind == "present":
        return Result(one, one.column in frame.columns, 0)
    if one.kind == "rows_at_least":
        return Result(one, len(frame) >= arguments["rows"], len(frame), observed=float(len(frame)))
    found = subject(frame, one)
    present = found.notna()
    checked = int(present.sum())
    if one.kind == "distinct_at_least":
        different = int(found.nunique())
        return Result(one, different >= arguments["values"], checked, observed=float(different))
    if one.kind == "share_between":
        share = float(found.mean()) if checked else None
        ok = share is None or arguments["low"] <= share <= arguments["high"]
        return Result(one, ok, checked, observed=share)
    if one.kind in ("number", "missing_at_most"):
        return _counted(one, ~present, len(found))
    return _counted(one, _wrong(found, one) & present, checked)


def _wrong(found: Values, one: Expectation) -> Values:
    arguments = one.arguments
    if one.kind == "in_set":
        return ~found.isin(list(arguments["values"]))
    if one.kind == "duplicates_at_most":
        return found.duplicated(keep=False)
    return (found < arguments["low"]) | (found > arguments["high"])


def _counted(one: Expectation, wrong: Values, checked: int) -> Result:
    rows = np.flatnonzero(wrong.to_numpy(dtype=bool))
    share = (checked - len(rows)) / checked if checked else 1.0
    first = tuple(int(row) for row in rows[:MOST_FAILING])
    return Result(one, share >= mostly(one), checked, len(rows), first)


def mostly(one: Expectation) -> float:
    """Return which share of the values looked at has to be as expected."""
    if "share" in one.arguments:
        return float(1 - one.arguments["share"])
    return float(one.arguments.get("mostly", 1.0))
