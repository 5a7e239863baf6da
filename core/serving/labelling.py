"""Labels as rows: a source is taken at its newest word, and what it said before is kept.

Labels may arrive in any order and more than once: what is stored in the end is the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.tables.telemetry import EarlierLabel, Label

Record = Mapping[str, Any]
Row = dict[str, Any]
Key = tuple[str, str]
_MOST_IDS = 500
"""So many ids fit one query on every database."""


def store(session: Session, records: Sequence[Record]) -> None:
    """Add labels, in one transaction of the caller.

    The same value again has no effect. Another value of the same source is a correction: the
    newer one stands, the older one is kept beside it with its time.
    """
    rows = sorted((_row(record) for record in records), key=_order)  # one order: no deadlock
    if not rows:
        return
    first: dict[Key, Row] = {}
    for row in rows:
        first.setdefault(_key(row), row)
    new = _insert(session, Label, list(first.values()))
    again = [row for row in rows if _key(row) not in new or row is not first[_key(row)]]
    if again:
        _say_again(session, again)


def _row(record: Record) -> Row:
    return {**record["row"], "at": datetime.fromisoformat(record["row"]["at"])}


def _key(row: Row) -> Key:
    return row["prediction_id"], row["source"]


def _order(row: Row) -> tuple[Any, ...]:
    return (*_key(row), row["at"], row["value"])


def _insert(session: Session, entity: type[Any], rows: list[Row]) -> set[Key]:
    """Add the rows that are not there yet, and return their keys."""
    table: Table = entity.__table__
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).on_conflict_do_nothing()
    found = session.execute(statement.returning(table.c.prediction_id, table.c.source), rows)
    return {(prediction_id, source) for prediction_id, source in found}


def _say_again(session: Session, rows: Sequence[Row]) -> None:
    """Let sources repeat or correct what they said; `rows` are in the order of `_order`."""
    known = _locked(session, sorted({row["prediction_id"] for row in rows}))
    earlier = [
        before for row in rows if (before := _say(known[_key(row)], row["value"], row["at"]))
    ]
    if earlier:
        _insert(session, EarlierLabel, sorted(earlier, key=_order))
    session.flush()


def _say(label: Label, value: str, at: datetime) -> Row | None:
    """Take one more word of a source; return what it said earlier instead, if it differs."""
    last = label.said_at or label.at
    if value == label.value:
        label.said_at = max(last, at) if at != label.at else label.said_at
        return None
    key = {"prediction_id": label.prediction_id, "source": label.source}
    if (at, value) <= (last, label.value):
        return {**key, "at": at, "value": value}
    before = {**key, "at": label.at, "value": label.value}
    label.value, label.at, label.said_at = value, at, None
    return before


def _locked(session: Session, prediction_ids: Sequence[str]) -> dict[Key, Label]:
    found: dict[Key, Label] = {}
    for part in _parts(prediction_ids):
        query = select(Label).where(Label.prediction_id.in_(part))
        query = query.order_by(Label.prediction_id, Label.source).with_for_update()
        found |= {(row.prediction_id, row.source): row for row in session.scalars(query)}
    return found


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[place : place + _MOST_IDS] for place in range(0, len(ids), _MOST_IDS))
