"""What is kept of a reference, so that a window is compared with it without reading its rows.

Sorted values and counts of levels, computed once per data set and kept in a file beside it: a line
of JSON, then the values as 64-bit floats. It holds nothing that is executed, and it is checked
before it is used: another digest, another content, or no file at all, and it is made anew.
"""

import hashlib
import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.datasets import versions
from core.settings import Settings
from core.tables.entities import DatasetVersion

Array = NDArray[np.float64]
Kind = Literal["numeric", "category"]

FORMAT = 1
FEW_VALUES = 20
"""A numeric column of so few values is counted value by value."""


@dataclass(frozen=True)
class Column:
    """One column: `values` are its known numbers in order (none for a category).

    `counts` are those of its levels, for a category or a number of few values. `whole`: the
    column is of an integer type.
    """

    name: str
    kind: Kind
    whole: bool
    missing: float
    values: Array
    counts: Mapping[str, int]

    @property
    def n(self) -> int:
        """Rows with a value."""
        return len(self.values) if self.kind == "numeric" else sum(self.counts.values())


@dataclass(frozen=True)
class Statistics:
    """The columns of a reference of `n_rows` rows."""

    n_rows: int
    columns: tuple[Column, ...]

    def without(self, names: Collection[str]) -> "Statistics":
        """The same, less some columns."""
        kept = (column for column in self.columns if column.name not in names)
        return Statistics(self.n_rows, tuple(kept))


def of_dataset(settings: Settings, row: DatasetVersion) -> Statistics:
    """Return the statistics of a version, kept ones where they are good.

    Raises: as `versions.frame`, where they are not and the rows are needed.
    """
    path = settings.folder("datasets") / f"{row.digest}.statistics"
    kept = _read(path, row.digest)
    if kept is not None:
        return kept
    made = of(versions.frame(settings, row))
    _write(path, row.digest, made)
    return made


def of(frame: pd.DataFrame) -> Statistics:
    """Return the statistics of some rows.

    >>> of(pd.DataFrame({"age": [3.0, None, 1.0]})).columns[0].values.tolist()
    [1.0, 3.0]
    """
    return Statistics(len(frame), tuple(_column(frame[name]) for name in frame.columns))


def _column(series: "pd.Series[Any]") -> Column:
    name = str(series.name)
    if not is_numeric(series):
        counts = levels(series)
        known = sum(counts.values())
        missing = 1 - known / max(1, len(series))
        return Column(name, "category", False, missing, np.zeros(0), counts)
    values = np.sort(numbers(series))
    values = values[: len(values) - int(np.isnan(values).sum())]
    return Column(
        name=name,
        kind="numeric",
        whole=pd.api.types.is_integer_dtype(series.dtype),
        missing=1 - len(values) / max(1, len(series)),
        values=values,
        counts=few_values(values),
    )


def is_numeric(series: "pd.Series[Any]") -> bool:
    """Whether a column holds numbers; yes and no are levels."""
    return bool(
        pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype)
    )


def numbers(series: "pd.Series[Any]") -> Array:
    """The values as floats; what is no finite number counts as missing."""
    values = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def levels(series: "pd.Series[Any]") -> dict[str, int]:
    """How often each level comes, as text."""
    found = series.value_counts(sort=False)
    counted: dict[str, int] = {}
    for level, n in zip(map(word, found.index.tolist()), found.tolist(), strict=True):
        counted[level] = counted.get(level, 0) + int(n)
    return counted


def few_values(known: Array, sought: Mapping[str, int] | None = None) -> dict[str, int]:
    """How often each value comes, where there are few of them or those `sought` are counted so."""
    if not sought and len(np.unique(known[:1000])) > FEW_VALUES:
        return {}
    values, counts = np.unique(known, return_counts=True)
    if not sought and len(values) > FEW_VALUES:
        return {}
    return {word(value): int(n) for value, n in zip(values.tolist(), counts, strict=True)}


def word(value: object) -> str:
    """A level as text; 1.0 and 1 are the same level."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _write(path: Path, digest: str, made: Statistics) -> None:
    body = np.concatenate([np.zeros(0), *(c.values for c in made.columns)]).astype("<f8").tobytes()
    columns = [
        {
            "name": column.name,
            "kind": column.kind,
            "whole": column.whole,
            "missing": column.missing,
            "values": len(column.values),
            "counts": dict(column.counts),
        }
        for column in made.columns
    ]
    told = {"format": FORMAT, "digest": digest, "n_rows": made.n_rows, "columns": columns}
    text = json.dumps(told)
    head = json.dumps({"sha256": _sum(text, body), "told": text}).encode()
    fresh = path.with_name(f".{secrets.token_hex(8)}.part")
    fresh.write_bytes(head + b"\n" + body)
    fresh.replace(path)


def _read(path: Path, digest: str) -> Statistics | None:
    """Return what a file holds, or None where it is absent, damaged or about something else."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        outer = json.loads(head)
        told = json.loads(outer["told"])
        if outer["sha256"] != _sum(outer["told"], body):
            return None
        if (told["format"], told["digest"]) != (FORMAT, digest):
            return None
        return _statistics(told, np.frombuffer(body, dtype="<f8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _statistics(told: Mapping[str, Any], values: Array) -> Statistics:
    columns, start = [], 0
    for one in told["columns"]:
        end = start + int(one["values"])
        columns.append(Column(**{**one, "values": values[start:end]}))
        start = end
    return Statistics(int(told["n_rows"]), tuple(columns))


def _sum(text: str, body: bytes) -> str:
    return hashlib.sha256(text.encode() + b"\n" + body).hexdigest()
