"""The shared features of a spec as columns of a training frame.

Looked-up features are joined point in time: a row gets the newest value at or before the moment
when it was seen, never a later one.
"""

from typing import Any

import pandas as pd
from sqlalchemy.orm import Session

from core import features
from core.datasets import derivation, schema
from core.datasets.values import category
from core.db import Database
from core.errors import InvalidInputError
from core.features import values
from core.features.definitions import Definition
from core.specs import ModelSpec


def complete(db: Database, frame: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Return the frame with the columns that the spec derives or looks up.

    A value that the frame has for a looked-up feature is kept; only missing ones are looked up.
    Completing twice changes nothing. A spec without definitions costs nothing.

    Raises: NotFoundError (a definition), InvalidInputError (a column that it needs).
    """
    if not any(feature.definition for feature in spec.input.features):
        return frame
    with db.read() as session:
        return complete_in(session, frame, spec)


def complete_in(session: Session, frame: pd.DataFrame, spec: ModelSpec) -> pd.DataFrame:
    """Do what `complete` does, in a session."""
    bound = features.of_spec(session, spec)
    if not bound:
        return frame
    result = frame.reset_index(drop=True)
    for column, definition in bound.items():
        if definition.how == "lookup":
            known = _known(session, definition, frame, spec)
            result[column] = _looked_up(result, column, definition, known, spec)
    return of_rows(result, bound)


def _known(
    session: Session, definition: Definition, frame: pd.DataFrame, spec: ModelSpec
) -> pd.DataFrame:
    """Return all values of the entities in the frame: entity, at, value."""
    rows: list[tuple[Any, ...]] = []
    if spec.input.entity in frame.columns:
        entities = sorted(set(_entities(frame, spec)) - {None})
        rows = list(values.of_entities(session, definition.label, entities))
    return pd.DataFrame(rows, columns=["entity", "at", "value"])


def _entities(frame: pd.DataFrame, spec: ModelSpec) -> list[Any]:
    return [category(value) for value in frame[spec.input.entity].astype("object")]


def _looked_up(
    frame: pd.DataFrame, column: str, definition: Definition, known: pd.DataFrame, spec: ModelSpec
) -> "pd.Series[Any]":
    brought = frame[column] if column in frame.columns else None
    if spec.input.entity not in frame.columns or spec.input.at not in frame.columns:
        if brought is not None:  # completed before
            return brought
        lacks = spec.input.at if spec.input.entity in frame.columns else spec.input.entity
        raise InvalidInputError(f"The data has no column {lacks}, by which {column} is looked up.")
    seen = pd.DataFrame({"entity": _entities(frame, spec), "seen": _moments(frame, spec)})
    found = as_of(seen, known, max_age=definition.max_age)
    spelled = [derivation.spelled(value, definition.type) for value in found]
    joined = pd.Series(
        spelled,
        index=frame.index,
        dtype="float64" if definition.type == "numeric" else "object",
    )
    return joined if brought is None else brought.where(brought.notna(), joined)


def _moments(frame: pd.DataFrame, spec: ModelSpec) -> "pd.Series[Any]":
    raw = frame[spec.input.at].astype("object").reset_index(drop=True)
    at = pd.to_datetime(raw, utc=True, errors="coerce", format="ISO8601")
    wrong = raw.notna() & at.isna()
    if wrong.any():
        example = str(raw[wrong].iloc[0])[:40]
        raise InvalidInputError(
            f"Column {spec.input.at} should hold dates like 2030-01-31T12:00Z, not {example!r}."
        )
    return at.astype("datetime64[us, UTC]")


def as_of(seen: pd.DataFrame, known: pd.DataFrame, *, max_age: Any = None) -> list[Any]:  # noqa: ANN401
    """Return for each row (entity, seen) the newest known value (entity, at, value) by then.

    A value at the very moment counts; one older than `max_age` does not.
    """
    left = seen.assign(row=range(len(seen))).dropna(subset=["entity", "seen"])
    answer: list[Any] = [None] * len(seen)
    if left.empty or known.empty:
        return answer
    right = known.assign(at=pd.to_datetime(known["at"], utc=True).astype("datetime64[us, UTC]"))
    joined = pd.merge_asof(
        left.sort_values("seen", kind="stable"),
        right.sort_values("at", kind="stable"),
        left_on="seen",
        right_on="at",
        by="entity",
        tolerance=pd.Timedelta(max_age) if max_age is not None else None,
    )
    for row, value in zip(joined["row"], joined["value"].astype("object"), strict=True):
        answer[row] = value
    return answer


def of_rows(frame: pd.DataFrame, bound: derivation.Bound) -> pd.DataFrame:
    """Add the derived columns, row by row with the function that serving uses."""
    wanted = [name for name, one in bound.items() if one.how != "lookup"]
    if not wanted:
        return frame
    types = derivation.inputs(bound)
    _require_inputs(frame, bound, wanted)
    read = {
        name: _input(frame[name], types.get(name)) for name in (*types, *wanted) if name in frame
    }
    rows = [
        derivation.derive(bound, dict(zip(read, cells, strict=True)))
        for cells in zip(*read.values(), strict=True)
    ]
    for name in wanted:
        dtype = "float64" if bound[name].type == "numeric" else "object"
        frame[name] = pd.Series([row[name] for row in rows], index=frame.index, dtype=dtype)
    return frame


def _input(column: "pd.Series[Any]", type: str | None) -> list[Any]:
    if type == "numeric":
        return list(schema.numbers(column))
    return list(column.astype("object").where(column.notna(), None))


def _require_inputs(frame: pd.DataFrame, bound: derivation.Bound, wanted: list[str]) -> None:
    for name in wanted:
        lacking = [column for column, _ in bound[name].inputs if column not in frame.columns]
        if lacking and name not in frame.columns:
            raise InvalidInputError(f"The data has no column {lacking[0]}, which {name} needs.")
