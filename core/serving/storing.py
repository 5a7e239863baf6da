"""One batch of log records as rows; storing a batch twice is the same as storing it once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.clock import hour_of
from core.serving import labelling
from core.serving.spool import Record
from core.tables.telemetry import HourlyCount, Prediction, RequestOnce

BUCKETS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)
Row = dict[str, Any]
Insert = postgresql.Insert | sqlite.Insert


def store(session: Session, records: Sequence[Record]) -> None:
    """Write predictions, faults and labels, in one transaction of the caller."""
    by_kind: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_kind[record["kind"]].append(record)
    new = _predictions(session, by_kind["prediction"])
    _count(session, new, by_kind["fault"])
    labelling.store(session, by_kind["label"])


def _predictions(session: Session, records: Iterable[Record]) -> list[Record]:
    """Add the rows that are not there yet, and return their records."""
    records = _first_requests(session, list(records))
    rows = {(row["at"], row["id"]): (row, record) for row, record in map(_row, records)}
    if not rows:
        return []
    table = _table(Prediction)
    insert = _insert(session, table).on_conflict_do_nothing().returning(table.c.at, table.c.id)
    added = session.execute(insert, [row for row, _ in rows.values()])
    return [rows[at, key][1] for at, key in added]


def _row(record: Record) -> tuple[Row, Record]:
    at = datetime.fromisoformat(record["row"]["at"])
    return {**record["row"], "at": at, "hour": hour_of(at)}, record


def _first_requests(session: Session, records: list[Record]) -> list[Record]:
    """Drop the answers to a request_id that was stored before."""
    named: dict[str, Record] = {}
    for record in records:
        if record["once"]:
            named.setdefault(record["once"], record)
    if not named:
        return records
    table = _table(RequestOnce)
    insert = _insert(session, table).on_conflict_do_nothing().returning(table.c.prediction_id)
    seen = [{"prediction_id": key, "at": _row(record)[0]["at"]} for key, record in named.items()]
    first = {key for (key,) in session.execute(insert, seen)}
    kept = [named[key] for key in first]
    return [record for record in records if not record["once"]] + kept


def _count(session: Session, new: Iterable[Record], faults: Iterable[Record]) -> None:
    """Add new rows and faults to the hourly counters."""
    changes: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in (*new, *faults):
        row = record["row"]
        hour = hour_of(datetime.fromisoformat(row["at"]))
        changes[row["model"], row["version"], row["variant"], hour].append(record)
    for key in sorted(changes):  # one order for all, so that two shippers cannot deadlock
        _add(_counter(session, key), changes[key])


def _counter(session: Session, key: tuple[Any, ...]) -> HourlyCount:
    names = ("model", "version", "variant", "hour")
    wanted = dict(zip(names, key, strict=True))
    numbers = ("requests", "errors", "positives", "latency_ms_sum")
    empty = {**wanted, **dict.fromkeys(numbers, 0), "latency_buckets": {}}
    session.execute(_insert(session, _table(HourlyCount)).on_conflict_do_nothing(), [empty])
    return session.scalars(select(HourlyCount).filter_by(**wanted).with_for_update()).one()


def _add(counter: HourlyCount, records: list[Record]) -> None:
    answers = [record for record in records if record["kind"] == "prediction"]
    counter.requests += len(records)
    counter.errors += len(records) - len(answers)
    counter.positives += sum(record["positive"] for record in answers)
    counter.latency_ms_sum += sum(record["row"]["latency_ms"] for record in answers)
    buckets = dict(counter.latency_buckets)
    for record in answers:
        bound = latency_bucket(record["row"]["latency_ms"])
        buckets[bound] = buckets.get(bound, 0) + 1
    counter.latency_buckets = buckets


def latency_bucket(milliseconds: float) -> str:
    """Return the upper bound of the bucket that a latency falls into.

    >>> latency_bucket(0.7), latency_bucket(5), latency_bucket(9_000)
    ('1', '5', 'inf')
    """
    return next((str(bound) for bound in BUCKETS_MS if milliseconds <= bound), "inf")


def _insert(session: Session, table: Table) -> Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _table(entity: Any) -> Table:  # noqa: ANN401 (a mapped class)
    table: Table = entity.__table__
    return table
