"""Disjoint windows over the prediction log, and their inputs as text or as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, and_, func, literal, select, tuple_
from sqlalchemy.orm import Session

from core import predictions, releases
from core.specs import ModelSpec
from core.tables.telemetry import MonitorReport, Prediction

MOST_ROWS = 5_000
"""A larger window is compared through a uniform sample of this many of its predictions."""

Position = tuple[datetime, str]


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


def serving_since(session: Session, model: str) -> datetime:
    """Return when the champion began to serve, however its weight changed since.

    Raises: NotFoundError (nothing is released).
    """
    champion = releases.champion(releases.current(session, model))
    since = None
    for release in releases.history(session, model):
        if releases.champion(release) != champion:
            break
        since = release.at
    assert since is not None  # noqa: S101 (the current release itself)
    return since


def waiting(session: Session, model: str, version: str, after: Position) -> int:
    """Return how many answers of a version lie behind `after`."""
    inside = _between(model, version, after, None)
    return session.scalar(select(func.count()).select_from(Prediction).where(inside)) or 0


def behind(session: Session, model: str, version: str, after: Position, *, n: int) -> Window:
    """Return the window of the next `n` answers behind `after`; there must be as many.

    A row that reaches the log late, behind the end of its window, is in no window.
    """
    if n <= MOST_ROWS:
        rows = predictions.window(session, model, version, after=after, limit=n)
        return Window(rows, len(rows), (rows[-1].at, rows[-1].id))
    position = select(Prediction.at, Prediction.id).where(_between(model, version, after, None))
    position = position.order_by(Prediction.at, Prediction.id).offset(n - 1).limit(1)
    at, last = session.execute(position).one()
    rows = _sample(session, _between(model, version, after, (at, last)))
    return Window(rows, n, (at, last))


def of_report(session: Session, report: MonitorReport) -> list[Prediction]:
    """Return the predictions that a report was about, or the sample of them."""
    end = (report.window_end, report.window_last_id)
    return _sample(session, _between(report.model, report.version, (report.window_start, ""), end))


def _sample(session: Session, inside: ColumnElement[bool]) -> list[Prediction]:
    query = select(Prediction).where(inside).order_by(Prediction.sample_key).limit(MOST_ROWS)
    return sorted(session.scalars(query), key=lambda row: (row.at, row.id))


def _between(
    model: str, version: str, after: Position, until: Position | None
) -> ColumnElement[bool]:
    position = tuple_(Prediction.at, Prediction.id)
    conditions = [Prediction.model == model, Prediction.version == version, ~Prediction.is_shadow]
    conditions.append(position > _literal(after))
    if until is not None:
        conditions.append(position <= _literal(until))
    return and_(*conditions)


def _literal(position: Position) -> Any:  # noqa: ANN401 (an SQL tuple)
    return tuple_(literal(position[0], Prediction.at.type), literal(position[1]))


def texts(rows: Sequence[Prediction]) -> list[str]:
    """Return the messages of a text model's predictions, without those that were not stored."""
    return [text for row in rows if isinstance(text := row.input.get("message"), str)]


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
