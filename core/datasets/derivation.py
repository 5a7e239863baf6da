"""A row of inputs completed with its derived features: the one way, in training and serving."""

from collections.abc import Mapping

from core.datasets.values import category
from core.features.definitions import Definition, rule
from core.features.expressions import Value

Bound = Mapping[str, Definition]
"""Column of the model → the definition that its spec names."""


def inputs(bound: Bound) -> dict[str, str]:
    """Return the columns that derived features read, with their types."""
    return {
        name: type
        for definition in bound.values()
        if definition.how != "lookup"
        for name, type in definition.inputs
    }


def spelled(value: object, type: str) -> Value:
    """Return an input as definitions read it; None where it is missing.

    >>> spelled(1, "category"), spelled(float("nan"), "numeric"), spelled(2, "numeric")
    ('1', None, 2.0)
    """
    if type == "category":
        return category(value)
    if value is None or value == "" or value != value:  # a NaN differs from itself
        return None
    if type == "numeric":
        return float(value)  # type: ignore[arg-type]
    return value.replace("\x00", "") if isinstance(value, str) else category(value)


def derive(bound: Bound, row: Mapping[str, object]) -> dict[str, Value]:
    """Return the derived features of a row, by column, spelled by their types.

    Where a row has none of a definition's inputs, the value that it brings itself is kept: such
    rows were completed before, for example when a prediction was logged.
    """
    found: dict[str, Value] = {}
    for column, definition in bound.items():
        if definition.how == "lookup":
            continue
        given = {name: spelled(row.get(name), type) for name, type in definition.inputs}
        absent = all(value is None for value in given.values())
        value = row.get(column) if absent else rule(definition)(given)
        found[column] = spelled(value, definition.type)
    return found
