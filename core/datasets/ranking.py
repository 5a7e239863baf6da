"""Which of a model's data sets is best to train on: a score between 0 and 1, with its parts.

The score is a weighted mean, larger is better: rows (0.4) is the square root of the share of the
largest version's rows; balance (0.2) is twice the share of the rarer class; quality (0.2) loses
the share of the suite that failed, and a tenth for each warning; freshness (0.2) halves every 90
days. A version from which another usable one was made is superseded by that one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.datasets import suites
from core.errors import NotFoundError
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion

WEIGHTS: Mapping[str, float] = {"rows": 0.4, "balance": 0.2, "quality": 0.2, "freshness": 0.2}
HALF_LIFE_DAYS, COST_OF_WARNING = 90.0, 0.1


@dataclass(frozen=True)
class Ranked:
    """One version: its score and parts (0 to 1), or in `why_not` why it is not to be used."""

    row: DatasetVersion
    score: float
    parts: Mapping[str, float]
    why_not: str = ""


def ranked(
    rows: Sequence[DatasetVersion], spec: ModelSpec, settings: Settings, *, now: datetime
) -> list[Ranked]:
    """Return versions in order: the usable ones first, the best of them in front."""
    reasons = {row.id: _unusable(row, spec, settings) for row in rows}
    usable = [row for row in rows if not reasons[row.id]]
    parents = {row.parent_id for row in usable}
    for row in usable:
        if row.id in parents:
            reasons[row.id] = "superseded by a version made from it"
    largest = max((row.n_rows for row in usable), default=1)
    found = []
    for row in rows:
        parts = _parts(row, largest=largest, now=now)
        score = sum(WEIGHTS[name] * part for name, part in parts.items())
        found.append(Ranked(row, score, parts, reasons[row.id]))
    return sorted(found, key=lambda one: (not one.why_not, one.score, one.row.at), reverse=True)


def best(session: Session, settings: Settings, spec: ModelSpec, *, now: datetime) -> DatasetVersion:
    """Return the version to train on unless a run names one.

    Raises: NotFoundError (none can be used; the sentence says why of the newest).
    """
    query = select(DatasetVersion).filter_by(model=spec.name, role="train")
    rows = list(session.scalars(query.order_by(DatasetVersion.at.desc())))
    found = ranked(rows, spec, settings, now=now)
    if found and not found[0].why_not:
        return found[0].row
    why = f": the newest is {reason}" if (reason := _why(rows, found)) else ""
    raise NotFoundError(f"{spec.name} has no validated train data yet{why}")


def _why(rows: Sequence[DatasetVersion], found: Sequence[Ranked]) -> str:
    return next((one.why_not for one in found if rows and one.row.id == rows[0].id), "")


def _unusable(row: DatasetVersion, spec: ModelSpec, settings: Settings) -> str:
    """Return why a version cannot be trained on, or nothing."""
    if row.role != "train":
        return f"{row.role} data"
    if row.state == "pending":
        return "still being checked: start again in a minute"
    if row.state != "validated":
        return row.state
    there = {column["name"] for column in row.columns}
    wanted = {*spec.columns, spec.target.column} - suites.looked_up(spec)
    if missing := sorted(wanted - there):
        return f"without the column {missing[0]}"
    if not (settings.folder("datasets") / f"{row.digest}.parquet").exists():
        return "no longer in the data folder"
    return ""


def _parts(row: DatasetVersion, *, largest: int, now: datetime) -> dict[str, float]:
    days = max(0.0, (now - row.at).total_seconds() / 86_400)
    return {
        "rows": min(1.0, row.n_rows / max(1, largest)) ** 0.5,
        "balance": _balance(row),
        "quality": _quality(row),
        "freshness": 0.5 ** (days / HALF_LIFE_DAYS),
    }


def _balance(row: DatasetVersion) -> float:
    counts = list((row.report.get("classes") or {}).values())
    return 2 * min(counts) / sum(counts) if len(counts) > 1 and sum(counts) else 0.0


def _quality(row: DatasetVersion) -> float:
    failed, n = row.report.get("failed") or [], row.report.get("n_expectations") or 0
    warnings = row.report.get("problems") or []
    return max(0.0, 1 - len(failed) / max(1, n) - COST_OF_WARNING * len(warnings))
