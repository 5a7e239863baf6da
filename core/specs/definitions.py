"""Checks that the shared features which a spec names exist and fit it."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from core.errors import InvalidInputError
from core.specs.document import Feature, ModelSpec
from core.tables.entities import FeatureDefinition


def check(session: Session, spec: ModelSpec) -> None:
    """Raise `InvalidInputError`, naming the feature, where a definition is missing or does not fit.

    A look-up needs the spec's `input.entity` and `input.at`; a derived feature reads plain or
    looked-up columns, spelled as the model spells them.
    """
    rows = {f.name: _row(session, f) for f in spec.input.features if f.definition}
    for feature in spec.input.features:
        if row := rows.get(feature.name):
            _fits(feature, row, spec)
    derived = {name for name, row in rows.items() if row.how != "lookup"}
    plain = {f.name: f.type for f in spec.input.features}
    for name in derived:
        for one in rows[name].inputs:
            _readable(name, one["name"], one["type"], derived, plain, spec)


def _row(session: Session, feature: Feature) -> FeatureDefinition:
    name, _at, version = str(feature.definition).partition("@")
    if row := session.get(FeatureDefinition, (name, int(version))):
        return row
    raise InvalidInputError(
        f"The spec's feature {feature.name} names {feature.definition}, which is not defined; "
        f"`pilothouse features list` shows what is."
    )


def _fits(feature: Feature, row: FeatureDefinition, spec: ModelSpec) -> None:
    if row.type != feature.type:
        raise InvalidInputError(
            f"The spec's feature {feature.name} is {feature.type}, but {feature.definition} is "
            f"{row.type}."
        )
    if row.how == "lookup" and (spec.input.entity is None or spec.input.at is None):
        raise InvalidInputError(
            f"The spec's feature {feature.name} is looked up by {row.entity}: the spec must name "
            f"the columns input.entity and input.at."
        )


def _readable(
    feature: str,
    column: str,
    type: str,
    derived: set[str],
    plain: Mapping[str, str],
    spec: ModelSpec,
) -> None:
    if column in derived:
        raise InvalidInputError(
            f"The spec's feature {feature} reads {column}, which is derived itself; derive it "
            f"from the columns behind that."
        )
    if column == spec.target.column:
        raise InvalidInputError(f"The spec's feature {feature} reads the target {column}.")
    if plain.get(column, type) != type:
        raise InvalidInputError(
            f"The spec's feature {feature} reads {column} as {type}, but the model reads it as "
            f"{plain[column]}."
        )
