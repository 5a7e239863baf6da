"""Two data sets side by side: columns, counts and classes. How far each drifted is monitoring's."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core.tables.entities import DatasetVersion

SHOWN = ("type", "missing", "distinct")


@dataclass(frozen=True)
class ColumnChange:
    """One column on both sides; a side without it is None.

    `before` and `after` hold type, share of missing values, and number of distinct values.
    """

    name: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def change(self) -> str:
        """In one word or two: added, removed, another type, or the same."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        return "same" if self.before["type"] == self.after["type"] else "another type"


@dataclass(frozen=True)
class Sides:
    """What the stored descriptions of two versions say; `classes` maps label to (before, after)."""

    columns: tuple[ColumnChange, ...]
    rows: tuple[int, int]
    classes: Mapping[str, tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        columns = [asdict(one) | {"change": one.change} for one in self.columns]
        return {"columns": columns, "rows": self.rows, "classes": dict(self.classes)}


def sides(before: DatasetVersion, after: DatasetVersion) -> Sides:
    """Compare what is known about two versions without reading their rows."""
    old, new = _columns(before), _columns(after)
    names = [*old, *(name for name in new if name not in old)]
    counted = [row.report.get("classes") or {} for row in (before, after)]
    labels = sorted({*counted[0], *counted[1]})
    return Sides(
        columns=tuple(ColumnChange(name, old.get(name), new.get(name)) for name in names),
        rows=(before.n_rows, after.n_rows),
        classes={one: (counted[0].get(one, 0), counted[1].get(one, 0)) for one in labels},
    )


def _columns(row: DatasetVersion) -> dict[str, dict[str, Any]]:
    return {
        one["name"]: {
            "type": one["type"],
            "missing": one["missing"] / max(1, row.n_rows),
            "distinct": one["distinct"],
        }
        for one in row.columns
    }
