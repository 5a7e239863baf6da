"""Disjoint windows over the prediction log, and their inputs as text or as a table."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, and_, func, literal, select, tuple_
from sqlalchemy.orm import Session

from core import releases
from core.clock import hour_of
from core.specs import ModelSpec
from core.tables.telemetry import HourlyCount, MonitorReport, Prediction

MOST_ROWS = 5_000
"""A larger window is compared through a uniform sample of this many of its predictions."""
_COUNTED = 4 * MOST_ROWS  # more than this are not looked at one by one
_LOOKED_AT = 1_000  # of an hour that is counted by a sample: to 3 % of that hour
_SPARE = 1.15  # so many times the rows are drawn: 5,000 are then among them, but for bad luck
LONGEST_TEXT = 10_000
"""A longer message is compared by its first so many characters."""

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


def nth(
    session: Session, model: str, version: str, after: Position, n: int, *, until: Position
) -> Position | None:
    """Return the place of the `n`-th answer behind `after`, None where there are fewer."""
    query = select(Prediction.at, Prediction.id).where(_between(model, version, after, until))
    query = query.order_by(Prediction.at, Prediction.id).offset(n - 1).limit(1)
    found = session.execute(query).first()
    return (found[0], found[1]) if found else None


def waiting(
    session: Session, model: str, version: str, after: Position, *, until: Position | None = None
) -> int:
    """Return how many answers of a version lie behind `after`, up to `until`.

    Many are not counted one by one: of the hours in which the two lie, the part between them is
    estimated through a sample of that hour (to about 3 %), and hours between have their counters.
    """
    hours = _hours(session, model, version, after, until)
    if sum(hours.values()) <= _COUNTED:
        inside = _between(model, version, after, until)
        return session.scalar(select(func.count()).select_from(Prediction).where(inside)) or 0
    edges = {hour_of(after[0]), *([hour_of(until[0])] if until else [])}
    whole = sum(n for hour, n in hours.items() if hour not in edges)
    return whole + sum(
        _inside_hour(session, model, version, hour, hours.get(hour, 0), after, until)
        for hour in edges
    )


def behind(
    session: Session,
    model: str,
    version: str,
    after: Position,
    *,
    n: int,
    of: int,
    until: Position | None = None,
) -> Window | None:
    """Return the window of the next `n` answers behind `after`, where `of` wait up to `until`.

    A larger window than is read whole ends where the sample says that its share of them ends.
    A row that reaches the log late, behind the end of its window, is in no window. None where the
    answers are no longer stored.
    """
    if n <= MOST_ROWS:
        query = select(Prediction).where(_between(model, version, after, until))
        query = query.order_by(Prediction.at, Prediction.id).limit(n)
        found = session.scalars(query).all()
        return Window(found, len(found), (found[-1].at, found[-1].id)) if found else None
    end = _newest(session, model, version, after, until)
    if n < of:
        end = _share_ends(session, model, version, after, end, n, of)
    rows = _sample(session, model, version, after, end) if end else []
    return Window(rows, n, end) if end and rows else None


def _share_ends(
    session: Session,
    model: str,
    version: str,
    after: Position,
    end: Position | None,
    n: int,
    of: int,
) -> Position | None:
    """Return where the first `n` of `of` answers end: exactly, or by the sample where many."""
    if end is None:
        return None
    if n <= _COUNTED:
        return nth(session, model, version, after, n, until=end) or end
    rows = _sample(session, model, version, after, end)
    last = rows[math.ceil(len(rows) * n / of) - 1]
    return last.at, last.id


def through(moment: datetime) -> Position:
    """Return the position behind every answer up to and at `moment`."""
    return moment + timedelta(microseconds=1), ""


def between(
    session: Session, model: str, version: str, start: datetime, end: datetime
) -> list[Prediction]:
    """Return the answers from `start` until `end`, or a uniform sample of 5,000, oldest first."""
    return _sample(session, model, version, (start, ""), through(end))


def of_report(session: Session, report: MonitorReport) -> list[Prediction]:
    """Return the predictions that a report was about, or the sample of them."""
    end = (report.window_end, report.window_last_id)
    return _sample(session, report.model, report.version, (report.window_start, ""), end)


def _newest(
    session: Session, model: str, version: str, after: Position, until: Position | None
) -> Position | None:
    query = select(Prediction.at, Prediction.id).where(_between(model, version, after, until))
    query = query.order_by(Prediction.at.desc(), Prediction.id.desc()).limit(1)
    found = session.execute(query).first()
    return (found[0], found[1]) if found else None


def _sample(
    session: Session, model: str, version: str, after: Position, until: Position
) -> list[Prediction]:
    """Return the answers with the smallest sample keys, at most `MOST_ROWS`, oldest first."""
    hours = _hours(session, model, version, after, until)
    inside = _between(model, version, after, until)
    query = select(Prediction).where(inside).order_by(Prediction.sample_key).limit(MOST_ROWS)
    total = sum(hours.values())
    share = _SPARE * MOST_ROWS / total if total > _COUNTED else 1.0
    while True:
        if share >= 1:
            rows = session.scalars(query).all()
        else:
            rows = session.scalars(query.where(*_drawn(model, version, hours, share))).all()
        if share >= 1 or len(rows) == MOST_ROWS:
            return sorted(rows, key=lambda row: (row.at, row.id))
        share *= max(
            _SPARE, _SPARE * MOST_ROWS / max(len(rows), 1)
        )  # the window is a part of its hours


def _inside_hour(
    session: Session,
    model: str,
    version: str,
    hour: int,
    total: int,
    after: Position,
    until: Position | None,
) -> int:
    """Return how many of an hour's `total` answers lie in between, by a sample of them."""
    share = min(1.0, min(MOST_ROWS, _LOOKED_AT) / max(total, 1))
    drawn = _drawn(model, version, [hour], share)
    query = select(Prediction.at, Prediction.id).where(~Prediction.is_shadow, *drawn)
    found = [
        (at, key) > after and (until is None or (at, key) <= until)
        for at, key in session.execute(query)
    ]
    return round(total * sum(found) / len(found)) if found else 0


def _hours(
    session: Session, model: str, version: str, after: Position, until: Position | None
) -> dict[int, int]:
    """Return the answers of a version in each hour that a window touches, from the counters."""
    answers = func.sum(HourlyCount.requests - HourlyCount.errors)
    query = select(HourlyCount.hour, answers).where(
        HourlyCount.model == model,
        HourlyCount.version == version,
        HourlyCount.variant != "shadow",
        HourlyCount.hour >= hour_of(after[0]),
    )
    if until is not None:
        query = query.where(HourlyCount.hour <= hour_of(until[0]))
    return {hour: n for hour, n in session.execute(query.group_by(HourlyCount.hour))}


def _drawn(
    model: str, version: str, hours: Iterable[int], share: float
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a uniform share of some hours: a range of the index in each."""
    return (
        Prediction.hour.in_(list(hours)),
        Prediction.model == model,
        Prediction.version == version,
        Prediction.sample_key <= min(int(share * 2**63), 2**63 - 1),
    )


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
