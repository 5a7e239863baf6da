"""Values of looked-up features: loaded from files, only ever added, read by entity and moment."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Table as SqlTable
from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from core import features
from core.access import Actor
from core.db import Database
from core.errors import InvalidInputError, PilothouseError
from core.features.definitions import Definition
from core.features.expressions import Value
from core.tables.telemetry import FeatureValue

COLUMNS = ("feature", "entity_id", "at", "value")
CHUNK, LONGEST = 1_000, 10_000
AHEAD = timedelta(minutes=5)  # clocks differ


@dataclass(frozen=True, slots=True)
class Given:
    """One value as somebody gives it: what of whom was so, from when on (ISO 8601, else UTC)."""

    feature: str
    entity_id: str
    at: str | datetime
    value: object


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many values were new, and how many were known already."""

    new: int
    known: int


def load_file(db: Database, actor: Actor, file: Path) -> Loaded:
    """Add the rows of a CSV file with the columns feature, entity_id, at, value.

    Loading a file again changes nothing. Raises: as `load`; the row is the file's line.
    """
    return load(db, actor, _Rows(file), source=file.name, first_line=2)


def load(
    db: Database,
    actor: Actor,
    given: Iterable[Given],
    *,
    source: str = "",
    first_line: int = 1,
) -> Loaded:
    """Add values; one that is known for the same entity and moment stays as it is.

    All are checked before the first is added, so `given` is gone through twice. The audit row
    comes between, so that no answer changes without it; each thousand rows is one transaction.
    Raises: ForbiddenError, NotFoundError (a feature), InvalidInputError (names the row).
    """
    rows = list(given) if isinstance(given, Iterator) else given
    counts, problem = _checked(db, rows, first_line)
    with db.command(actor, "feature.load") as command:
        command.note(source=source[:200], rows=counts.total(), features=dict(counts))
        if problem is not None:
            raise problem
    new = count = 0
    for chunk in _chunks(db, rows, first_line):
        count += len(chunk)
        new += _add(db, chunk)
    return Loaded(new, count - new)


class _Rows:
    """The rows of a CSV file, read anew each time that they are gone through."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __iter__(self) -> Iterator[Given]:
        with self._file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise InvalidInputError(f"The file has no column {lacking[0]}.")
            for row in reader:
                yield Given(**{name: row[name] or "" for name in COLUMNS})


def _checked(
    db: Database, rows: Iterable[Given], first_line: int
) -> tuple[Counter[str], PilothouseError | None]:
    """Return how many usable rows each feature has, and why a row cannot be used."""
    counts: Counter[str] = Counter()
    try:
        for chunk in _chunks(db, rows, first_line):
            counts.update(row["feature"] for row in chunk)
    except PilothouseError as problem:
        return counts, problem
    return counts, None


def _chunks(db: Database, rows: Iterable[Given], first_line: int) -> Iterator[list[dict[str, Any]]]:
    rest = enumerate(rows, first_line)
    with db.read() as session:
        reader = _Reader(session, db.clock())
        while chunk := list(islice(rest, CHUNK)):
            yield [reader.read(one, line) for line, one in chunk]


class _Reader:
    """Checks given values; asks for each definition once."""

    def __init__(self, session: Session, now: datetime) -> None:
        self._session, self._now = session, now
        self._known: dict[str, Definition] = {}

    def read(self, given: Given, line: int) -> dict[str, Any]:
        try:
            definition = self._definition(given.feature)
            entity = given.entity_id.strip()
            if not 0 < len(entity) <= 200 or "\x00" in entity:
                raise InvalidInputError("an entity_id has 1 to 200 characters")
            at = _moment(given.at, self._now)
            value = _value(definition, given.value)
        except InvalidInputError as problem:
            raise InvalidInputError(f"Row {line} cannot be used: {problem}.") from problem
        key = {"feature": definition.label, "entity_id": entity, "at": at}
        return {**key, "value": {"value": value}}

    def _definition(self, label: str) -> Definition:
        if label not in self._known:
            found = features.named(self._session, label.strip())
            if found.how != "lookup":
                raise InvalidInputError(f"{found.label} is derived and has no values to load")
            self._known[label] = found
        return self._known[label]


def _moment(given: str | datetime, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(given.strip()) if isinstance(given, str) else given
    except ValueError:
        raise InvalidInputError("at is a date with a time, like 2030-01-31T12:00Z") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at > now + AHEAD:
        raise InvalidInputError("its moment lies ahead; a value is known from a moment on")
    return at


def _value(definition: Definition, given: object) -> Value:
    """Return a value of the definition's type; an empty one says: from now on it is missing."""
    if given is None or given == "":
        return None
    if definition.type == "numeric":
        return _number(definition, given)
    text = given if isinstance(given, str) else str(given)
    if len(text) > LONGEST or "\x00" in text:
        raise InvalidInputError(f"{definition.label} is a text of at most {LONGEST:,} characters")
    return text


def _number(definition: Definition, given: object) -> float:
    try:
        number = math.nan if isinstance(given, bool) else float(cast(float, given))
    except (ValueError, TypeError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInputError(f"{definition.label} is a number")
    return number


def _add(db: Database, rows: Sequence[dict[str, Any]]) -> int:
    """Add what is new and return how much that was.

    The moment of loading is that of this chunk: who follows the values looks back seconds only.
    """
    table, now = cast(SqlTable, FeatureValue.__table__), db.clock()
    unique = {
        (row["feature"], row["entity_id"], row["at"]): {**row, "loaded_at": now}
        for row in reversed(rows)
    }
    with db.append() as session:
        insert = (postgresql if db.is_postgresql else sqlite).insert(table)
        statement = insert.values(list(unique.values())).on_conflict_do_nothing()
        return len(session.execute(statement.returning(table.c.at)).all())


def of_entities(
    session: Session, label: str, entities: Sequence[str]
) -> Iterator[tuple[str, datetime, Value]]:
    """Yield (entity, from when on, value) of some entities, all moments, in no order."""
    columns = (FeatureValue.entity_id, FeatureValue.at, FeatureValue.value)
    for start in range(0, len(entities), CHUNK):
        some = list(entities[start : start + CHUNK])
        query = select(*columns).where(FeatureValue.feature == label)
        for entity, at, value in session.execute(query.where(FeatureValue.entity_id.in_(some))):
            yield entity, at, value["value"]


def current(
    session: Session, labels: Sequence[str], *, since: datetime | None, most: int
) -> Iterator[tuple[str, str, datetime, Value]]:
    """Yield (feature, entity, from when on, value): the newest of each, loaded since a moment."""
    key = (FeatureValue.feature, FeatureValue.entity_id)
    newest = select(*key, func.max(FeatureValue.at).label("at"))
    newest = newest.where(FeatureValue.feature.in_(labels))
    if since is not None:
        newest = newest.where(FeatureValue.loaded_at >= since)
    found = newest.group_by(*key).subquery()
    query = select(*key, FeatureValue.at, FeatureValue.value).where(
        tuple_(*key, FeatureValue.at).in_(select(found.c.feature, found.c.entity_id, found.c.at))
    )
    query = query.order_by(FeatureValue.at.desc()).limit(most)
    for feature, entity, at, value in session.execute(query.execution_options(yield_per=CHUNK)):
        yield feature, entity, at, value["value"]


def summary(session: Session) -> Mapping[str, tuple[int, datetime]]:
    """Return feature → (values, newest moment)."""
    query = select(FeatureValue.feature, func.count(), func.max(FeatureValue.at))
    rows = session.execute(query.group_by(FeatureValue.feature))
    return {feature: (n, at) for feature, n, at in rows}
