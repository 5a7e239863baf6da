"""Model specs: one YAML document says everything about one model; each edit is a new row."""

import hashlib
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.access import Actor, Kind, require, system
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.specs import definitions, gates, meanings, thresholds
from core.specs.candidates import Candidate, Range, Search, Threshold
from core.specs.document import (
    Feature,
    Gate,
    ModelSpec,
    Monitoring,
    Policy,
    Source,
    candidates_from,
    canonical,
    parse,
)
from core.tables.decisions import PolicyVersion
from core.tables.entities import ModelSpecRow, Release

__all__ = [
    "Candidate",
    "Feature",
    "Gate",
    "ModelSpec",
    "Monitoring",
    "Policy",
    "Range",
    "Search",
    "Source",
    "Threshold",
    "active",
    "active_row",
    "all_active",
    "apply",
    "apply_in",
    "at_version",
    "candidates_from",
    "canonical",
    "find_row",
    "history",
    "install",
    "parse",
    "put_gate_in",
]


def apply(db: Database, actor: Actor, text: str) -> ModelSpec:
    """Make `text` the model's spec: a new row, or nothing where it is the spec already.

    Changing the gate or the policy of a model that exists needs `policy.change` too; those of one
    that has served are changed by a proposal instead (`change_gate`, `change_policy`).
    Raises: InvalidInputError, TooLargeError, ForbiddenError, ConflictError.
    """
    spec = parse(text)
    with db.read() as session:
        if _same(find_row(session, spec.name), text):
            return spec
    with db.command(actor, "spec.apply") as command:
        return apply_in(command, text)


def apply_in(command: Command, text: str) -> ModelSpec:
    """Do what `apply` does, inside a command."""
    spec = parse(text)
    newest = find_row(command.session, spec.name)
    if _same(newest, text):
        return spec
    command.note(model=spec.name)
    definitions.check(command.session, spec)
    _check_values(command.session, spec)
    before = parse(newest.yaml) if newest else None
    if before and (before.gate, before.policy) != (spec.gate, spec.policy):
        command.note(changes="gate or policy")
        if (command.actor.kind, command.actor.name) != (Kind.SYSTEM, "bootstrap"):
            _check_served(command.session, before, spec)
            require(command.actor, "policy.change")
    row = _add(command, spec.name, text, newest)
    command.note(version=row.version)
    return spec


def _check_values(session: Session, spec: ModelSpec) -> None:
    """Raise `InvalidInputError` unless the policy makes sense under what people approved over it.

    The version for all models ("*") comes before the model's own.
    """
    thresholds.Policy.of(spec.policy.accuracy_floor, spec.policy.overrides)
    about = PolicyVersion.model.in_(("*", spec.name))
    approved = session.scalars(select(PolicyVersion).where(about, PolicyVersion.state == "active"))
    layers = [row.thresholds for row in sorted(approved, key=lambda row: row.model != "*")]
    for words in meanings.misfits(thresholds.layered(spec, *layers)):
        raise InvalidInputError(f"the thresholds of {spec.name} do not fit together: {words}")


def _check_served(session: Session, before: ModelSpec, after: ModelSpec) -> None:
    """Raise `ConflictError` where a spec would change what two people decide."""
    name = after.name
    if session.scalar(select(Release.seq).filter_by(model=name).limit(1)) is None:
        return
    if before.policy != after.policy:
        raise ConflictError(
            f"{name} has served, so another person approves changes of its policy: propose"
            f" them under Automation, or with `pilothouse policy propose {name} --set"
            " NAME=VALUE`, and leave `policy` in the spec as it is"
        )
    if before.gate != after.gate:
        raise ConflictError(
            f"{name} has served, so another person approves changes of its gate: propose them"
            f" under Releases, or with `pilothouse gate propose {name} --set NAME=VALUE`, and"
            f" leave `gate` in the spec as it is (`pilothouse gate show {name}`)"
        )


def put_gate_in(command: Command, model: str, gate: Gate) -> ModelSpecRow:
    """Give a model another gate inside a command: a new row of its spec, the rest as it was.

    Raises: NotFoundError; ConflictError (it has that gate already).
    """
    newest = active_row(command.session, model)
    if parse(newest.yaml).gate == gate:
        raise ConflictError(f"the gate of {newest.model} is that already")
    row = _add(command, newest.model, gates.rewritten(newest.yaml, gate), newest)
    command.note(version=row.version, gate=gates.words(gate))
    return row


def _add(command: Command, model: str, text: str, newest: ModelSpecRow | None) -> ModelSpecRow:
    row = ModelSpecRow(
        model=model,
        version=newest.version + 1 if newest else 1,
        yaml=text,
        digest=_digest(text),
        state="active",
        author=command.actor.name,
        at=command.now,
    )
    command.session.add(row)
    return row


def _same(row: ModelSpecRow | None, text: str) -> bool:
    return row is not None and row.state == "active" and row.digest == _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256("\n".join(text.strip().splitlines()).encode()).hexdigest()


def install(db: Database, folder: Path) -> list[ModelSpec]:
    """Apply the specs of a folder whose model is not known yet; edits made since are kept."""
    specs = {path: parse(path.read_text()) for path in sorted(folder.glob("*.yaml"))}
    with db.read() as session:
        new = [path for path, spec in specs.items() if find_row(session, spec.name) is None]
    return [apply(db, system("bootstrap"), path.read_text()) for path in new]


def find_row(session: Session, model: str) -> ModelSpecRow | None:
    """Return the newest row of a model, archived or not, or None."""
    query = select(ModelSpecRow).filter_by(model=canonical(model))
    return session.scalars(query.order_by(ModelSpecRow.version.desc()).limit(1)).first()


def active_row(session: Session, model: str) -> ModelSpecRow:
    """Return the row of the spec in force. Raises: NotFoundError."""
    row = find_row(session, model)
    if row is None or row.state != "active":
        raise NotFoundError(f"there is no model {canonical(model)}")
    return row


def active(session: Session, model: str) -> ModelSpec:
    """Return the spec in force. Raises: NotFoundError."""
    return parse(active_row(session, model).yaml)


def all_active(session: Session) -> list[ModelSpec]:
    """Return the specs in force, by name."""
    newest = select(ModelSpecRow.model, func.max(ModelSpecRow.version).label("version"))
    latest = newest.group_by(ModelSpecRow.model).subquery()
    query = select(ModelSpecRow).join(
        latest,
        (ModelSpecRow.model == latest.c.model) & (ModelSpecRow.version == latest.c.version),
    )
    rows = session.scalars(query.filter_by(state="active").order_by(ModelSpecRow.model))
    return [parse(row.yaml) for row in rows]


def history(session: Session, model: str) -> list[ModelSpecRow]:
    """Return every edit of a model's spec, newest first."""
    query = select(ModelSpecRow).filter_by(model=canonical(model))
    return list(session.scalars(query.order_by(ModelSpecRow.version.desc())))


def at_version(session: Session, model: str, version: int) -> ModelSpec:
    """Return the spec as edit number `version` had it. Raises: NotFoundError."""
    row = session.get(ModelSpecRow, (canonical(model), version))
    if row is None:
        raise NotFoundError(f"the spec of {canonical(model)} has no edit {version}")
    return parse(row.yaml)
