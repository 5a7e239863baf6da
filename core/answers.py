"""Finding the answers of one model in the log of all models, at the cost of its own answers only.

The log is in the order of time, so that those of a quiet model lie far apart between those of busy
ones. The hourly counters say in which hours it has any, and an index finds these. In an hour that
holds many they lie close together, and are read in the order of time.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, func, literal, select, tuple_
from sqlalchemy.orm import Session

from core.clock import begin_of, hour_of
from core.tables.telemetry import HourlyCount, Prediction

BUSY = 5_000
"""Answers of one hour from which on they are read in the order of time."""

Columns = TypeVarTuple("Columns")

_FEWEST, _MOST = 1_000, 20_000  # counted answers among which one query looks
_LARGEST_KEY = 2**63 - 1
_KEYS = (
    Prediction.at, Prediction.id, Prediction.sample_key,
    Prediction.model, Prediction.version, Prediction.is_shadow,
)  # fmt: skip

Position = tuple[datetime, str]
"""The place of an answer in the log: when it was given, and its id."""

Part = Select[datetime, str, int]
"""A query of some answers: (at, id, sample_key)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The answers of a model, or of one version, behind one place in the log up to another."""

    model: str
    version: str | None = None
    after: Position | None = None
    until: Position | None = None

    @classmethod
    def of(
        cls, model: str, version: str | None, since: datetime | None, until: datetime | None
    ) -> "Stretch":
        """Return the answers from one moment until another, both included."""
        end = None if until is None else through(until)
        return cls(model, version, None if since is None else (since, ""), end)

    def inside(self, query: Select[*Columns]) -> Select[*Columns]:
        """Return the part of a query with columns `at` and `id` that lies in here."""
        place = tuple_(query.selected_columns.at, query.selected_columns.id)
        if self.after is not None:
            query = query.where(place > _literal(self.after))
        return query if self.until is None else query.where(place <= _literal(self.until))

    @property
    def owned(self) -> list[ColumnElement[bool]]:
        """The conditions that a prediction is of this model and version."""
        return _owned(Prediction, self)


def through(moment: datetime) -> Position:
    """Return the position behind every answer up to and at `moment`."""
    return moment + timedelta(microseconds=1), ""


def hours(session: Session, of: Stretch) -> dict[int, int]:
    """Return how many answers the counters name in each hour that a stretch touches, if any."""
    answered = func.sum(HourlyCount.requests - HourlyCount.errors)
    own = (*_owned(HourlyCount, of), HourlyCount.variant != "shadow")
    query = select(HourlyCount.hour, answered).where(*own)
    if of.after is not None:
        query = query.where(HourlyCount.hour >= hour_of(of.after[0]))
    if of.until is not None:
        query = query.where(HourlyCount.hour <= hour_of(of.until[0]))
    rows = session.execute(query.group_by(HourlyCount.hour).having(answered > 0))
    return {hour: int(n) for hour, n in rows}


def parts(session: Session, of: Stretch, n: int, *, newest_first: bool = False) -> Iterator[Part]:
    """Yield a stretch in parts that follow each other, of as many hours as hold about `n`."""
    counted = hours(session, of)
    for group in _groups(sorted(counted.items(), reverse=newest_first), n):
        busy = counted[group[0]] > BUSY
        yield of.inside(_by_time(of, group[0]) if busy else by_hour(of, group))


def by_hour(of: Stretch, found: Collection[int], *, share: float = 1.0) -> Part:
    """Return the answers in some whole hours, or a uniform share of them."""
    conditions = [Prediction.hour.in_(list(found)), *of.owned]
    if share < 1:
        conditions.append(Prediction.sample_key <= int(share * _LARGEST_KEY))
    return _read_first(of, conditions)


def by_id(of: Stretch, ids: Select[str]) -> Part:
    """Return those of a model, or of a version, among the predictions with some ids."""
    return _read_first(of, [Prediction.id.in_(ids)])


def nth(session: Session, of: Stretch, n: int, *, newest_first: bool = False) -> Position | None:
    """Return the place of the `n`-th answer, or of the `n`-th newest; None where fewer are."""
    for part in parts(session, of, n, newest_first=newest_first):
        query = in_order(part, newest_first=newest_first).offset(n - 1).limit(1)
        if row := session.execute(query).first():
            return row[0], row[1]
        n -= count(session, part)
    return None


def newest(session: Session, of: Stretch, n: int) -> Iterator[Part]:
    """Yield selections that together are the newest `n` answers, the newest first."""
    for part in parts(session, of, n, newest_first=True):
        read = in_order(part, newest_first=True).limit(n)
        yield read
        n -= count(session, read)
        if n <= 0:
            return


def first(session: Session, of: Stretch, n: int) -> list[Prediction]:
    """Return the first `n` answers, oldest first."""
    rows: list[Prediction] = []
    for part in parts(session, of, n):
        rows += rows_of(session, in_order(part).limit(n - len(rows)))
        if len(rows) == n:
            break
    return rows


def in_order(part: Part, *, newest_first: bool = False) -> Part:
    """Return a part in the order of time."""
    at, key = part.selected_columns.at, part.selected_columns.id
    return part.order_by(*((at.desc(), key.desc()) if newest_first else (at, key)))


def count(session: Session, part: Part) -> int:
    """Return how many answers a part holds."""
    return session.scalar(select(func.count()).select_from(part.subquery())) or 0


def rows_of(session: Session, part: Part) -> list[Prediction]:
    """Return the answers of a part, oldest first."""
    rows = session.scalars(joined(select(Prediction), part))
    return sorted(rows, key=lambda row: (row.at, row.id))


def joined(query: Select[*Columns], part: Part) -> Select[*Columns]:
    """Return a query of predictions, of those in a part alone."""
    keys = part.subquery()
    return query.join(keys, and_(Prediction.at == keys.c.at, Prediction.id == keys.c.id))


def _groups(counted: Iterable[tuple[int, int]], n: int) -> Iterator[list[int]]:
    """Yield hours that follow each other and hold about `n` together; a busy one by itself."""
    group: list[int] = []
    held, enough = 0, min(max(n, _FEWEST), _MOST)
    for hour, found in counted:
        if found > BUSY and group:
            yield group
            group, held = [], 0
        group.append(hour)
        held += found
        if held >= enough or found > BUSY:
            yield group
            group, held = [], 0
    if group:
        yield group


def _read_first(of: Stretch, conditions: Iterable[ColumnElement[bool]]) -> Part:
    """Return the answers of a model among some predictions.

    These are read by themselves: where databases are free to begin at the order of time, or at the
    model in an index, they may go along the whole log.
    """
    keys = select(*_KEYS).where(*conditions).cte().prefix_with("MATERIALIZED")
    own = [keys.c.model == of.model, ~keys.c.is_shadow]
    if of.version is not None:
        own.append(keys.c.version == of.version)
    return select(keys.c.at, keys.c.id, keys.c.sample_key).where(*own)


def _by_time(of: Stretch, hour: int) -> Part:
    """Return the answers of one hour, out of the order of time."""
    start = begin_of(hour)
    then = (Prediction.at >= start, Prediction.at < start + timedelta(hours=1))
    query = select(Prediction.at, Prediction.id, Prediction.sample_key)
    return query.where(*then, *of.owned, ~Prediction.is_shadow)


def _owned(table: type[Prediction] | type[HourlyCount], of: Stretch) -> list[ColumnElement[bool]]:
    own = [table.model == of.model]
    return own if of.version is None else [*own, table.version == of.version]


def _literal(position: Position) -> Any:  # noqa: ANN401 (an SQL tuple)
    return tuple_(literal(position[0], Prediction.at.type), literal(position[1]))
