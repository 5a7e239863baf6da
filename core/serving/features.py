"""Features that a request leaves out: derived from what it gives, or looked up in memory.

The request path never asks the database: a thread of the service follows what was loaded there.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from core import features
from core.datasets import derivation
from core.datasets.values import LARGEST, category
from core.errors import InvalidInputError
from core.features import values
from core.features.definitions import Definition
from core.features.expressions import Value
from core.serving.scorer import Input
from core.tables.entities import ModelVersion

log = logging.getLogger("api")
MOST_VALUES = 500_000
OVERLAP = timedelta(seconds=10)
"""How far each look at the database goes back: a load may commit a little after its clock says."""

_LONGEST_TEXT = 10_000


class Values:
    """The newest value of each feature and entity, bounded, replaced entry by entry."""

    def __init__(self, most: int = MOST_VALUES) -> None:
        self._most = most
        self._rows: dict[tuple[str, str], tuple[datetime, Value]] = {}
        self._followed: dict[str, datetime] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._rows)

    def follow(self, session: Session, labels: set[str], now: datetime) -> None:
        """Read what was loaded for these features since the last time; all of a new one."""
        for gone in self._followed.keys() - labels:
            del self._followed[gone]
            for key in [key for key in self._rows if key[0] == gone]:
                del self._rows[key]
        for label in sorted(labels):
            since = self._followed.get(label)
            back = since - OVERLAP if since else None
            self._take(values.current(session, [label], since=back, most=self._most))
            self._followed[label] = now

    def _take(self, rows: Iterable[tuple[str, str, datetime, Value]]) -> None:
        before = self.dropped
        for feature, entity, at, value in rows:
            known = self._rows.get((feature, entity))
            if known is None and len(self._rows) >= self._most:
                self.dropped += 1
            elif known is None or known[0] <= at:
                self._rows[feature, entity] = (at, value)
        if over := self.dropped - before:
            log.error("%d values of features do not fit into memory; they count as missing", over)

    def look(self, session: Session, labels: Iterable[str], entity: str) -> None:
        """Read the newest values of one entity now, for an answer outside the request path."""
        for label in labels:
            rows = values.of_entities(session, label, [entity])
            self._take((label, entity, at, value) for entity, at, value in rows)

    def find(self, definition: Definition, entity: str | None, now: datetime) -> Value:
        """Return the newest value of an entity, or None: unknown, or older than allowed."""
        found = self._rows.get((definition.label, entity)) if entity is not None else None
        if found is None:
            return None
        at, value = found
        if definition.max_age is not None and now - at > definition.max_age:
            return None
        return derivation.spelled(value, definition.type)


@dataclass(frozen=True, slots=True)
class Completion:
    """What one version needs besides what a request gives: column → definition."""

    bound: Mapping[str, Definition]

    @property
    def looked_up(self) -> set[str]:
        """The labels of the features that are looked up."""
        return {one.label for one in self.bound.values() if one.how == "lookup"}

    def asked(self, features: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """Return column → type of what a person gives: no derived columns, but what they read."""
        own = {one["name"]: one["type"] for one in features}
        reads = derivation.inputs(self.bound)
        for name, definition in self.bound.items():
            if definition.how != "lookup" and name not in reads:
                own.pop(name, None)
        return {**own, **{name: type for name, type in reads.items() if name not in own}}

    def complete(
        self,
        given: Mapping[str, Any],
        *,
        reads: Iterable[str],
        entity_id: object,
        known: Values,
        now: datetime,
    ) -> dict[str, Any]:
        """Return a request's features with what it leaves out; columns only read are taken away.

        Raises: InvalidInputError (an input of a wrong type).
        """
        if not self.bound:
            return dict(given)
        row = dict(given)
        entity = category(entity_id)
        for column, definition in self.bound.items():
            if definition.how == "lookup" and row.get(column) is None:
                row[column] = known.find(definition, entity, now)
        types = derivation.inputs(self.bound)
        for name, type in types.items():
            _check(name, type, row.get(name))
        row.update(derivation.derive(self.bound, row))
        own = set(reads)
        return {name: value for name, value in row.items() if name in own or name not in types}


def _check(name: str, type: str, value: object) -> None:
    """Raise where a training would have refused this value, or read it differently."""
    if value is None:
        return
    if type == "numeric":
        _check_number(name, value)
    elif not isinstance(value, str | bool | int | float):
        raise InvalidInputError(f"{name} must be a text")
    elif isinstance(value, str) and (len(value) > _LONGEST_TEXT or "\x00" in value):
        raise InvalidInputError(f"{name} must be a text of at most {_LONGEST_TEXT:,} characters")


def _check_number(name: str, value: object) -> None:
    try:
        fine = isinstance(value, int | float) and abs(float(value)) <= LARGEST
    except OverflowError:
        fine = False
    if not fine or isinstance(value, bool):
        raise InvalidInputError(
            f"{name} must be a finite number of at most {LARGEST:g}, or null where it is missing"
        )


def of_versions(session: Session, rows: Iterable[Any]) -> dict[str, Completion]:
    """Return version → what completes its requests, from the signatures. Raises: NotFoundError."""
    return {
        row.version: Completion(
            features.bound(session, (row.signature.get("input") or {}).get("features") or ())
        )
        for row in rows
    }


def completed(
    session: Session, version: ModelVersion, given: Input, *, entity_id: str | None, now: datetime
) -> Input:
    """Return an input as a prediction would complete it, read from the database and not logged.

    Raises: InvalidInputError (an input of a wrong type), NotFoundError (a definition).
    """
    if isinstance(given, str):
        return given
    completion, known = of_versions(session, [version])[version.version], Values()
    if entity := category(entity_id):
        known.look(session, completion.looked_up, entity)
    reads = [one["name"] for one in version.signature["input"].get("features") or ()]
    return completion.complete(given, reads=reads, entity_id=entity, known=known, now=now)
