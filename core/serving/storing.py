"""One batch of log records as rows; storing a batch twice is the same as storing it once."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core.clock import hour_of
from core.serving import bulk, labelling
from core.serving.frames import Record
from core.tables.telemetry import HourlyCount, Prediction, RequestOnce

BUCKETS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)
_BUCKET_NAMES = (*map(str, BUCKETS_MS), "inf")
_PLAIN = (
    "model", "version", "variant", "release_seq", "is_shadow", "sample_key", "label",
    "probability", "latency_ms", "entity_id", "experiment", "key_id",
)  # fmt: skip
_COLUMNS = ("at", "id", "hour", "input", *_PLAIN)
_UTC = "+00:00"
Insert = postgresql.Insert | sqlite.Insert
CounterKey = tuple[str, str, str, int]


def store(session: Session, records: Iterable[Record]) -> None:
    """Write predictions, faults and labels, in one transaction of the caller.

    Raises: SQLAlchemy's errors, KeyError, TypeError, ValueError (a record that is none of ours).
    """
    by_kind: dict[str, list[Record]] = {"prediction": [], "fault": [], "label": []}
    by_kind["problem"] = []  # the shipper makes jobs of these
    for record in records:
        by_kind[record["kind"]].append(record)
    tallies: dict[CounterKey, Tally] = defaultdict(Tally)
    moments = Moments()
    _predictions(session, by_kind["prediction"], moments, tallies)
    for fault in by_kind["fault"]:
        row = fault["row"]
        key = (row["model"], row["version"], row["variant"], moments.read(row["at"])[1])
        tallies[key].add_fault()
    for counter in sorted(tallies):  # one order for all, so that two shippers cannot deadlock
        _count(session, counter, tallies[counter])
    labelling.store(session, by_kind["label"])


class Moments:
    """Reads moments of records, each hour of the day looked up once."""

    def __init__(self) -> None:
        self._hours: dict[str, int] = {}

    def read(self, text: str) -> tuple[str, int]:
        """Return a moment as both databases take it (UTC), and its hour.

        >>> Moments().read("2030-01-01T12:30:00.000001+00:00")
        ('2030-01-01 12:30:00.000001', 525972)
        >>> Moments().read("2030-01-01T13:30:00+01:00")
        ('2030-01-01 12:30:00.000000', 525972)
        """
        if len(text) != 32 or text[26:] != _UTC:
            moment = datetime.fromisoformat(text).astimezone(UTC)
            text = moment.isoformat(timespec="microseconds")
        hour = self._hours.get(text[:13])
        if hour is None:
            hour = self._hours[text[:13]] = hour_of(datetime.fromisoformat(text))
        return f"{text[:10]} {text[11:26]}", hour


@dataclass(slots=True)
class Tally:
    """What one batch adds to one hourly counter."""

    requests: int = 0
    errors: int = 0
    positives: int = 0
    latency_ms_sum: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * len(_BUCKET_NAMES))

    def add(self, latency_ms: float, *, positive: bool) -> None:
        """Count one answer."""
        self.requests += 1
        self.positives += positive
        self.latency_ms_sum += latency_ms
        self.buckets[bisect_left(BUCKETS_MS, latency_ms)] += 1

    def add_fault(self) -> None:
        """Count one input on which the version failed."""
        self.requests += 1
        self.errors += 1


def latency_bucket(milliseconds: float) -> str:
    """Return the upper bound of the bucket that a latency falls into.

    >>> latency_bucket(0.7), latency_bucket(5), latency_bucket(9_000)
    ('1', '5', 'inf')
    """
    return _BUCKET_NAMES[bisect_left(BUCKETS_MS, milliseconds)]


def _predictions(
    session: Session,
    records: Sequence[Record],
    moments: Moments,
    tallies: Mapping[CounterKey, Tally],
) -> None:
    """Add the rows that are not there yet, and count these."""
    plain, dumps = itemgetter(*_PLAIN), orjson.dumps
    zone = _zone(session)
    rows, positives = [], []
    for record in _first_requests(session, records, moments):
        row = record["row"]
        at, hour = moments.read(row["at"])
        rows.append((at + zone, row["id"], hour, dumps(row["input"]).decode(), *plain(row)))
        positives.append(record["positive"])
    new = bulk.insert_new(session, _table(Prediction), _COLUMNS, rows)
    left = None if new is None else {(_moment(at), key) for at, key in new}
    for row, positive in zip(rows, positives, strict=True):
        if left is not None:
            if (place := (row[0][:26], row[1])) not in left:
                continue
            left.remove(place)  # a batch may hold the same row twice
        tallies[row[4], row[5], row[6], row[2]].add(row[12], positive=positive)


def _moment(stored: datetime | str) -> str:
    """Return a moment that a driver gave back as `Moments` writes it."""
    if isinstance(stored, str):
        return stored[:26]
    return stored.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _first_requests(
    session: Session, records: Sequence[Record], moments: Moments
) -> Sequence[Record]:
    """Drop the answers to a request_id that was stored before."""
    named: dict[str, Record] = {}
    for record in records:
        if record["once"]:
            named.setdefault(record["once"], record)
    if not named:
        return records
    zone = _zone(session)
    seen = [(key, moments.read(record["row"]["at"])[0] + zone) for key, record in named.items()]
    new = bulk.insert_new(session, _table(RequestOnce), ("prediction_id", "at"), seen)
    kept = [record for key, record in named.items() if new is None or (key,) in new]
    return [record for record in records if not record["once"]] + kept


def _count(session: Session, key: CounterKey, tally: Tally) -> None:
    """Add to an hourly counter, whose row is made when it is the first."""
    counter = session.get(HourlyCount, key, with_for_update=True) or _new_counter(session, key)
    counter.requests += tally.requests
    counter.errors += tally.errors
    counter.positives += tally.positives
    counter.latency_ms_sum += tally.latency_ms_sum
    buckets = dict(counter.latency_buckets)
    for name, n in zip(_BUCKET_NAMES, tally.buckets, strict=True):
        if n:
            buckets[name] = buckets.get(name, 0) + n
    counter.latency_buckets = buckets


def _new_counter(session: Session, key: CounterKey) -> HourlyCount:
    names = ("model", "version", "variant", "hour")
    numbers = ("requests", "errors", "positives", "latency_ms_sum")
    empty = {
        **dict(zip(names, key, strict=True)), **dict.fromkeys(numbers, 0), "latency_buckets": {}
    }  # fmt: skip
    session.execute(_insert(session, _table(HourlyCount)).on_conflict_do_nothing(), [empty])
    return session.get_one(HourlyCount, key, with_for_update=True)


def _zone(session: Session) -> str:
    """Return what a moment in UTC ends with: SQLite keeps no zone."""
    return _UTC if session.get_bind().dialect.name == "postgresql" else ""


def _insert(session: Session, table: Table) -> Insert:
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def _table(entity: Any) -> Table:  # noqa: ANN401 (a mapped class)
    table: Table = entity.__table__
    return table
