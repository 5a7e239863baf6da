"""The rows of a data set that failed a check, whole, for a table or a file."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.datasets import versions
from core.datasets.expectations import MOST_FAILING
from core.settings import Settings
from core.tables.entities import DatasetVersion

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def places(report: Mapping[str, Any]) -> list[tuple[int, str]]:
    """Return position (from 0) and finding of each row that a report names, gravest first.

    At most 100 of each finding.
    """
    named: list[tuple[bool, str, list[int]]] = [
        (one["severity"] == "error", one["sentence"], one.get("where") or [])
        for one in report.get("problems", [])
    ]
    named += [
        (one["severity"] == "hard", one["sentence"], one["rows"])
        for one in report.get("failed", [])
    ]
    named.sort(key=lambda finding: not finding[0])
    return [(row, words) for _hard, words, rows in named for row in rows[:MOST_FAILING]]


def rows(settings: Settings, row: DatasetVersion) -> pd.DataFrame:
    """Return the rows that failed: `row` (from 1), `finding`, then the columns of the data.

    Raises: NotFoundError (the file is gone), ConflictError (it was changed).
    """
    found = places(row.report)
    whole = versions.frame(settings, row)
    told = pd.DataFrame(
        {
            "row": [place + 1 for place, _words in found],
            "finding": [words for _place, words in found],
        }
    )
    failed = whole.iloc[[place for place, _words in found]].reset_index(drop=True)
    return pd.concat([told, failed.drop(columns=["row", "finding"], errors="ignore")], axis=1)


def as_csv(rows: pd.DataFrame) -> bytes:
    r"""Return rows as a file that a spreadsheet opens without running what a cell says.

    >>> as_csv(pd.DataFrame({"a": ["=1+1"]}))
    b"a\n'=1+1\n"
    """
    safe = rows.copy()
    for name in safe.columns:
        if safe[name].dtype.kind not in "fiub":
            safe[name] = safe[name].map(_harmless)
    text: str = safe.to_csv(index=False, lineterminator="\n")
    return text.encode()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
