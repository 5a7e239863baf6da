"""How two dataset versions differ: columns, counts, classes, and how far each column drifted."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from core import specs
from core.datasets import comparison, schema, versions
from core.datasets.comparison import Sides
from core.db import Database
from core.errors import InvalidInputError
from core.monitoring import tabular, text
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion

MOST_COLUMNS = 100


@dataclass(frozen=True)
class Compared:
    """Both versions, what is known of both, and the drift from the first to the second.

    `drift` has a row per column: name, distance (0 to 1), p value, change, detail.
    """

    before: DatasetVersion
    after: DatasetVersion
    sides: Sides
    sentence: str
    p_value: float | None
    drift: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "before": self.before.id,
            "after": self.after.id,
            **self.sides.to_dict(),
            "sentence": self.sentence,
            "p_value": self.p_value,
            "drift": list(self.drift),
        }


def compare(db: Database, settings: Settings, first: str, second: str) -> Compared:
    """Compare two versions of one model's data, the first as the reference.

    Raises: NotFoundError (version, its rows), ConflictError (a file was changed),
    InvalidInputError (data of two models, or the same version twice).
    """
    with db.read() as session:
        before, after = versions.get(session, first), versions.get(session, second)
        if before.model != after.model:
            raise InvalidInputError("These are data sets of two models; compare those of one.")
        if before.id == after.id:
            raise InvalidInputError("This is one and the same version; choose two.")
        spec = specs.active(session, before.model)
    frames = [schema.typed(versions.frame(settings, row)) for row in (before, after)]
    sentence, p_value, drift = _drift(spec, frames[0], frames[1])
    return Compared(before, after, comparison.sides(before, after), sentence, p_value, drift)


def _drift(
    spec: ModelSpec, before: pd.DataFrame, after: pd.DataFrame
) -> tuple[str, float | None, tuple[dict[str, Any], ...]]:
    """Return the finding, the global p value and the columns; a text model has its text first."""
    wanted = [*spec.columns, spec.target.column]
    shared = [name for name in wanted if name in before and name in after]
    told: list[tuple[str, float | None]] = []
    rows: list[dict[str, Any]] = []
    if spec.input.text in shared:
        found = text.compare(*(_texts(frame[spec.input.text]) for frame in (before, after)))
        told.append((found.sentence, found.p_value))
        rows.append(_row(str(spec.input.text), found.score, found.p_value, _terms(found)))
        shared.remove(str(spec.input.text))
    if shared:
        table = tabular.compare(before, after, columns=shared[:MOST_COLUMNS])
        told.append((table.sentence, table.p_value))
        rows += [_row(c.name, c.distance, c.p_value, c.detail) for c in table.columns]
    if not told:
        return "The two have no column of the model in common.", None, ()
    rows.sort(key=lambda row: -row["distance"])
    p_value = min(p for _words, p in told if p is not None)
    return " ".join(words for words, _p in told), min(1.0, p_value * len(told)), tuple(rows)


def _texts(values: "pd.Series[Any]") -> list[str]:
    return [str(value) for value in values.dropna()]


def _terms(found: text.TextDrift) -> str:
    terms = [term.term for term in found.new_terms]
    terms += [term for campaign in found.campaigns for term in campaign.terms]
    new = ", ".join(list(dict.fromkeys(terms))[:5])
    return f"new words: {new}" if new else ""


def _row(name: str, distance: float, p_value: float, detail: str) -> dict[str, Any]:
    return {"column": name, "distance": distance, "p_value": p_value, "detail": detail}
