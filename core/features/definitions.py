"""What a feature is: a name with a number, a type, and how its value comes about."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Literal, cast

from core.errors import InvalidInputError
from core.features import expressions, functions
from core.features.expressions import Kind, Step
from core.tables.entities import FeatureDefinition

Type = Literal["numeric", "category", "text"]
How = Literal["expression", "function", "lookup"]
TYPES: tuple[Type, ...] = ("numeric", "category", "text")
MOST_INPUTS, LONGEST_NAME, OLDEST_DAYS = 50, 200, 36_500
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KINDS: dict[Type, Kind] = {"numeric": "number", "category": "text", "text": "text"}


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of a feature; never changed, so a model that names it stays what it was.

    `body` is an expression, a function's name, or for a look-up the days after which a value is
    too old (empty: never). `inputs` are the columns that it reads, with their types.
    """

    name: str
    version: int
    type: Type
    how: How
    body: str
    inputs: tuple[tuple[str, Type], ...] = ()
    entity: str | None = None

    @property
    def label(self) -> str:
        """The name by which specs know it, like ``debt_ratio@2``."""
        return f"{self.name}@{self.version}"

    @property
    def max_age(self) -> timedelta | None:
        """How old a looked-up value may be, or None where any age will do."""
        return timedelta(days=float(self.body)) if self.how == "lookup" and self.body else None

    @property
    def words(self) -> str:
        """How the value comes about, for people."""
        if self.how == "lookup":
            age = f", at most {float(self.body):g} days old" if self.body else ""
            return f"looked up by {self.entity}{age}"
        columns = ", ".join(name for name, _ in self.inputs)
        return self.body if self.how == "expression" else f"{self.body}({columns})"


def of(row: FeatureDefinition) -> Definition:
    """Return a stored row as a definition."""
    return Definition(
        name=row.name,
        version=row.version,
        type=cast(Type, row.type),
        how=cast(How, row.how),
        body=row.body,
        inputs=tuple((one["name"], one["type"]) for one in row.inputs),
        entity=row.entity,
    )


def check(definition: Definition) -> None:
    """Raise `InvalidInputError` where a definition cannot be used, with a sentence on why."""
    if not _NAME.fullmatch(definition.name):
        raise InvalidInputError("A feature's name has small letters, digits and _ only.")
    if definition.type not in TYPES:
        raise InvalidInputError(f"A feature is {', '.join(TYPES)}.")
    if definition.how == "lookup":
        _check_lookup(definition)
        return
    _check_inputs(definition)
    rule(definition)
    yields = result_type(definition)
    if _KINDS[yields] != _KINDS[definition.type]:
        raise InvalidInputError(
            f"{definition.name} should be {definition.type}, but what it does yields {yields}."
        )


def _check_lookup(definition: Definition) -> None:
    if not definition.entity or len(definition.entity) > LONGEST_NAME:
        raise InvalidInputError("A looked-up feature names its entity, for example customer.")
    if definition.inputs:
        raise InvalidInputError("A looked-up feature reads no other column.")
    if definition.body and not 0 < _number(definition.body) <= OLDEST_DAYS:
        raise InvalidInputError(f"The oldest age is a number of days up to {OLDEST_DAYS:,}.")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def _check_inputs(definition: Definition) -> None:
    names = [name for name, _ in definition.inputs]
    if not 0 < len(names) <= MOST_INPUTS or len(set(names)) < len(names):
        raise InvalidInputError(f"A feature reads 1 to {MOST_INPUTS} different columns.")
    for name, type in definition.inputs:
        if not 0 < len(name) <= LONGEST_NAME or type not in TYPES:
            raise InvalidInputError(f"An input is a column and its type: {', '.join(TYPES)}.")


def result_type(definition: Definition) -> Type:
    """Return what a derived feature yields. Raises: InvalidInputError (it cannot be read)."""
    if definition.how == "function":
        return functions.find(definition.body).gives
    found = expressions.compile(definition.body, _kinds(definition))
    unread = [name for name, _ in definition.inputs if name not in found.inputs]
    if unread:
        raise InvalidInputError(f"The expression does not read its input {unread[0]}.")
    return "numeric" if found.kind == "number" else "category"


def _kinds(definition: Definition) -> Mapping[str, Kind]:
    return {name: _KINDS[type] for name, type in definition.inputs}


@lru_cache(maxsize=1_024)
def rule(definition: Definition) -> Step:
    """Return the function from a row of inputs, spelled by their types, to the value.

    It is the only one: trainings and predictions both call it. Raises: InvalidInputError.
    """
    if definition.how == "expression":
        return expressions.compile(definition.body, _kinds(definition)).evaluate
    function = functions.find(definition.body)
    name, type = definition.inputs[0]
    if len(definition.inputs) != 1 or _KINDS[type] != function.takes:
        raise InvalidInputError(f"{function.name} reads one column, a {function.takes}.")

    def call(row: Mapping[str, expressions.Value]) -> expressions.Value:
        given = row[name]
        return None if given is None else function.call(given)

    return call
