"""Disjoint windows over the prediction log, and their inputs as text or as a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd
from sqlalchemy.orm import Session

from core import answers
from core.answers import Part, Stretch
from core.answers import Position as Position
from core.clock import hour_of
from core.monitoring.limits import LONGEST_TEXT, MOST_ROWS
from core.specs import ModelSpec
from core.tables.telemetry import MonitorReport, Prediction

_COUNTED = 4 * MOST_ROWS  # more than this are not looked at one by one
_LOOKED_AT = 1_000  # of an hour that is counted by a sample: to 3 % of that hour
_SPARE = 1.15  # so many times the rows are drawn: 5,000 are then among them, but for bad luck


@dataclass(frozen=True)
class Window:
    """Predictions of one version: `n` answered, of which `rows` (all, or a sample) are read."""

    rows: Sequence[Prediction]
    n: int
    end: Position

    @property
    def start(self) -> datetime:
        """When the first prediction was answered."""
        return min(row.at for row in self.rows)


def waiting(session: Session, of: Stretch) -> int:
    """Return how many answers of a version lie in a stretch that has a beginning.

    Many are not counted one by one: of the hours in which it begins and ends, the part inside is
    estimated through a sample of that hour (to about 3 %), and hours between have their counters.
    """
    hours = answers.hours(session, of)
    if sum(hours.values()) <= _COUNTED:
        return sum(answers.count(session, part) for part in answers.parts(session, of, _COUNTED))
    edges = {hour_of(place[0]) for place in (of.after, of.until) if place}
    whole = sum(n for hour, n in hours.items() if hour not in edges)
    return whole + sum(_inside_hour(session, of, hour, hours.get(hour, 0)) for hour in edges)


def behind(session: Session, of: Stretch, *, n: int, total: int) -> Window | None:
    """Return the window of the first `n` answers of a stretch, where `total` wait in it.

    A larger window than is read whole ends where the sample says that its share of them ends.
    A row that reaches the log late, behind the end of its window, is in no window. None where the
    answers are no longer stored.
    """
    if n <= MOST_ROWS:
        found = answers.first(session, of, n)
        return Window(found, len(found), (found[-1].at, found[-1].id)) if found else None
    end = answers.nth(session, of, 1, newest_first=True)
    if end and n < total:
        end = _share_ends(session, replace(of, until=end), n, total)
    rows = _sample(session, replace(of, until=end)) if end else []
    return Window(rows, n, end) if end and rows else None


def _share_ends(session: Session, of: Stretch, n: int, total: int) -> Position | None:
    """Return where the first `n` of `total` answers end: exactly, or by the sample where many."""
    if n <= _COUNTED:
        return answers.nth(session, of, n) or of.until
    rows = _sample(session, of)
    last = rows[math.ceil(len(rows) * n / total) - 1]
    return last.at, last.id


def between(
    session: Session, model: str, version: str, start: datetime, end: datetime
) -> list[Prediction]:
    """Return the answers from `start` until `end`, or a uniform sample of 5,000, oldest first."""
    return _sample(session, Stretch.of(model, version, start, end))


def of_report(session: Session, report: MonitorReport) -> list[Prediction]:
    """Return the predictions that a report was about, or the sample of them."""
    start, end = (report.window_start, ""), (report.window_end, report.window_last_id)
    return _sample(session, Stretch(report.model, report.version, start, end))


def _sample(session: Session, of: Stretch) -> list[Prediction]:
    """Return the answers with the smallest sample keys, at most `MOST_ROWS`, oldest first."""
    hours = answers.hours(session, of)
    total = sum(hours.values())
    share = _SPARE * MOST_ROWS / total if total > _COUNTED else 1.0
    while share < 1:
        rows = _smallest(session, of.inside(answers.by_hour(of, hours, share=share)))
        if len(rows) == MOST_ROWS:
            return rows
        # the window is a part of its hours
        share *= max(_SPARE, _SPARE * MOST_ROWS / max(len(rows), 1))
    parts = answers.parts(session, of, _COUNTED)
    found = [row for part in parts for row in _smallest(session, part)]
    smallest = sorted(found, key=lambda row: row.sample_key)[:MOST_ROWS]
    return sorted(smallest, key=lambda row: (row.at, row.id))


def _smallest(session: Session, part: Part) -> list[Prediction]:
    key = part.selected_columns.sample_key
    return answers.rows_of(session, part.order_by(key).limit(MOST_ROWS))


def _inside_hour(session: Session, of: Stretch, hour: int, total: int) -> int:
    """Return how many of an hour's `total` answers lie in a stretch, by a sample of them."""
    share = min(1.0, min(MOST_ROWS, _LOOKED_AT) / max(total, 1))
    drawn = answers.by_hour(of, [hour], share=share)
    n = answers.count(session, drawn)
    return round(total * answers.count(session, of.inside(drawn)) / n) if n else 0


def texts(rows: Sequence[Prediction]) -> list[str]:
    """Return the messages of a text model's predictions, without those that were not stored."""
    given = [row.input.get("message") for row in rows]
    return [text[:LONGEST_TEXT] for text in given if isinstance(text, str)]


def table(spec: ModelSpec, rows: Sequence[Prediction]) -> pd.DataFrame:
    """Return the features of a tabular model's predictions, one column per feature."""
    given = [row.input.get("features") for row in rows]
    known = [features for features in given if isinstance(features, dict)]
    return pd.DataFrame(known, columns=spec.columns)


def frame(spec: ModelSpec, rows: Sequence[Prediction]) -> pd.DataFrame:
    """Return the inputs as the columns of the spec; a text model has one."""
    if spec.input.text is None:
        return table(spec, rows)
    return pd.DataFrame({spec.input.text: texts(rows)})
