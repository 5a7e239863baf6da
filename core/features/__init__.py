"""Features that models share: defined once, under a name and a number, and never changed."""

from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import Actor
from core.db import Command, Database
from core.errors import NotFoundError
from core.features.definitions import Definition, How, Type, check, of
from core.specs import ModelSpec
from core.tables.entities import FeatureDefinition

__all__ = ["Definition", "How", "Type", "bound", "define", "history", "named", "newest", "of_spec"]


def define(
    db: Database,
    actor: Actor,
    name: str,
    *,
    type: Type,
    how: How,
    body: str = "",
    inputs: Mapping[str, Type] | None = None,
    entity: str | None = None,
) -> Definition:
    """Keep a definition; what differs from the newest version becomes the next version.

    Raises: ForbiddenError, InvalidInputError (a sentence on what cannot be used), ConflictError.
    """
    with db.command(actor, "feature.define") as command:
        command.note(feature=name[:200])
        newest = _newest(command.session, name)
        wanted = Definition(
            name=name,
            version=newest.version + 1 if newest else 1,
            type=type,
            how=how,
            body=body.strip(),
            inputs=tuple((inputs or {}).items()),
            entity=entity,
        )
        check(wanted)
        if newest is not None and _same(of(newest), wanted):
            return of(newest)
        command.session.add(_row(command, wanted))
        command.note(version=wanted.version, does=wanted.words)
        return wanted


def _row(command: Command, wanted: Definition) -> FeatureDefinition:
    return FeatureDefinition(
        name=wanted.name,
        version=wanted.version,
        type=wanted.type,
        how=wanted.how,
        body=wanted.body,
        inputs=[{"name": name, "type": type} for name, type in wanted.inputs],
        entity=wanted.entity,
        author=command.actor.name,
        at=command.now,
    )


def _same(one: Definition, other: Definition) -> bool:
    return (one.type, one.how, one.body, one.inputs, one.entity) == (
        (other.type, other.how, other.body, other.inputs, other.entity)
    )


def _newest(session: Session, name: str) -> FeatureDefinition | None:
    query = select(FeatureDefinition).filter_by(name=name)
    return session.scalars(query.order_by(FeatureDefinition.version.desc()).limit(1)).first()


def named(session: Session, label: str) -> Definition:
    """Return ``name@version``, or the newest version of a plain name. Raises: NotFoundError."""
    name, at, version = label.partition("@")
    if not at:
        row = _newest(session, name)
    else:
        known = version.isdecimal() and len(version) <= 6
        row = session.get(FeatureDefinition, (name, int(version))) if known else None
    if row is None:
        raise NotFoundError(f"there is no feature {label[:100]}")
    return of(row)


def newest(session: Session) -> list[Definition]:
    """Return the newest version of every feature, by name."""
    rows = session.scalars(
        select(FeatureDefinition).order_by(FeatureDefinition.name, FeatureDefinition.version)
    )
    return list({row.name: of(row) for row in rows}.values())


def history(session: Session, name: str) -> list[FeatureDefinition]:
    """Return every version of a feature, newest first."""
    query = select(FeatureDefinition).filter_by(name=name)
    return list(session.scalars(query.order_by(FeatureDefinition.version.desc())))


def bound(session: Session, features: Iterable[Mapping[str, object]]) -> dict[str, Definition]:
    """Return column → definition, for those of a signature's features that name one.

    Raises: NotFoundError.
    """
    labels = {str(one["name"]): one.get("definition") for one in features}
    return {name: named(session, str(label)) for name, label in labels.items() if label}


def of_spec(session: Session, spec: ModelSpec) -> dict[str, Definition]:
    """Return column → definition of a spec's shared features. Raises: NotFoundError."""
    return bound(session, [feature.model_dump() for feature in spec.input.features])
