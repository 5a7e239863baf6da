"""Where a version stands, as a view over what is stored, and the changes that move it."""

from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import releases, specs
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError
from core.registry.versions import get
from core.tables.entities import ModelVersion, Release

Stage = Literal["development", "staging", "production", "archived"]
_GATE = {
    "promote": "the gate says: better, release it",
    "first": "the gate says: good enough, with nothing to compare it with; release it",
    "refuse": "the gate refuses it",
    "not_enough_evidence": "the gate says: not enough evidence yet",
}
_SERVES = {
    "promote": "the gate said: better",
    "first": "the gate said: good enough, with nothing to compare it with",
}
"""What was let through and serves: nothing is left to release."""
_UNJUDGED = "the gate has not judged it"


def stage(version: ModelVersion, release: Release | None) -> Stage:
    """Return the stage of a version where `release` is what serves; nothing stores a stage.

    Production serves live traffic, staging is the one challenger, the rest is development.

    >>> stage(ModelVersion(version="1.0.0", state="candidate", staged_at=None), None)
    'development'
    """
    if release is not None and version.version in _live(release):
        return "production"
    if version.state == "archived":
        return "archived"
    return "staging" if version.staged_at is not None else "development"


def challenger(session: Session, model: str) -> ModelVersion | None:
    """Return the version that is named to replace what serves, or None."""
    query = select(ModelVersion).filter_by(model=model)
    return session.scalars(query.where(ModelVersion.staged_at.is_not(None)).limit(1)).first()


def verdict(version: ModelVersion, *, serves: bool = False) -> str:
    """Say what the gate answered, and who overrode it; what `serves` is not to be released.

    >>> verdict(ModelVersion(gate={"answer": "refuse"}, overridden={}))
    'the gate refuses it'
    >>> verdict(ModelVersion(gate={"answer": "promote"}, overridden={}), serves=True)
    'the gate said: better'
    """
    answer = str(version.gate.get("answer"))
    known = "first" if (answer, version.gate.get("rule")) == ("promote", "first") else answer
    said = (_SERVES if serves else _GATE).get(known) or _GATE.get(known, _UNJUDGED)
    if by := (version.overridden or {}).get("by"):
        return f"{said}; overridden by {by}"
    return said


def releasable(version: ModelVersion) -> bool:
    """Say whether a version may be proposed for release.

    The gate says so, an approver overrode the gate, or it was released before.
    """
    asked = version.gate.get("answer") == "promote" or version.state == "approved"
    return asked or bool(version.overridden)


def promote_to_staging(
    db: Database, actor: Actor, model: str, version: str, *, reason: str = ""
) -> ModelVersion:
    """Name a version the challenger of what serves; the one named before goes back.

    Raises: ForbiddenError; NotFoundError; ConflictError (it serves, or may not serve).
    """
    with db.command(actor, "version.stage") as command:
        _lock(command.session, model)
        row = _noted(command, model, version, reason, stage="staging")
        if where := _where(_serving(command.session, row.model), row.version):
            raise ConflictError(f"{row.model} {row.version} {where}; it cannot be staged")
        if row.state in ("rejected", "archived"):
            raise ConflictError(f"{row.model} {row.version} is {row.state}; it cannot be staged")
        command.session.execute(
            update(ModelVersion)
            .where(ModelVersion.model == row.model, ModelVersion.version != row.version)
            .values(staged_at=None)
        )
        row.staged_at = row.staged_at or command.now
        _mirror(command, row)
        return row


def back_to_development(
    db: Database, actor: Actor, model: str, version: str, *, reason: str = ""
) -> ModelVersion:
    """Take the challenger's name away from a version.

    Raises: ForbiddenError; NotFoundError; ConflictError (it is not the challenger).
    """
    with db.command(actor, "version.stage") as command:
        row = _noted(command, model, version, reason, stage="development")
        if row.staged_at is None:
            raise ConflictError(f"{row.model} {row.version} is not in staging")
        row.staged_at = None
        _mirror(command, row)
        return row


def archive(
    db: Database, actor: Actor, model: str, version: str, *, reason: str = ""
) -> ModelVersion:
    """Put a version away for good; its file and its past stay.

    Raises: ForbiddenError; NotFoundError; ConflictError (it serves, is the challenger, is in an
    experiment, is archived already, or no other one is left that a rollback could serve).
    """
    with db.command(actor, "version.archive") as command:
        _lock(command.session, model)
        row = _noted(command, model, version, reason)
        if problem := _needed(command.session, row):
            raise ConflictError(f"{row.model} {row.version} {problem}")
        command.note(before=row.state)
        there_was = _way_back(command.session, row.model)
        row.state = "archived"
        command.session.flush()
        if there_was and not _way_back(command.session, row.model):
            raise ConflictError(
                f"{row.model} {row.version} is the only version that a rollback could serve;"
                " release another one first"
            )
        return row


def _way_back(session: Session, model: str) -> bool:
    """Say whether what serves could be rolled back."""
    serving = _serving(session, model)
    try:
        return serving is not None and bool(releases.last_good_before(session, serving))
    except ConflictError:
        return False


def override(db: Database, actor: Actor, model: str, version: str, *, reason: str) -> ModelVersion:
    """Let a version be proposed although its gate does not say promote; the reason is kept.

    Raises: ForbiddenError (an approver decides this); NotFoundError; InvalidInputError (no
    reason); ConflictError (there is nothing to override, or it was overridden already).
    """
    with db.command(actor, "version.override") as command:
        row = _noted(command, model, version, reason)
        answer = row.gate.get("answer")
        if not reason.strip():
            raise InvalidInputError("say why the gate is overridden: the reason is kept on record")
        if row.state == "archived":
            raise ConflictError(f"{row.model} {row.version} is archived and cannot serve")
        if releasable(row):
            raise ConflictError(f"there is nothing to override: {verdict(row)}")
        row.overridden = {
            "by": command.actor.name,
            "reason": reason.strip(),
            "at": command.now.isoformat(),
            "answer": answer,
        }
        command.note(answer=answer, before=row.state)
        if row.state == "rejected":
            row.state = "candidate"
        return row


def _lock(session: Session, model: str) -> None:
    """Let changes of a model's challenger pass one by one, before any row of it is read.

    All lock in the same order, so that no two can wait for each other.
    """
    rows = select(ModelVersion.version).filter_by(model=specs.canonical(model))
    session.execute(rows.order_by(ModelVersion.number).with_for_update()).all()


def _noted(
    command: Command, model: str, version: str, reason: str, **detail: object
) -> ModelVersion:
    command.note(model=model, version=version, reason=reason, **detail)
    row = get(command.session, model, version)
    command.note(model=row.model, version=row.version)
    return row


def _needed(session: Session, row: ModelVersion) -> str:
    """Return why a version cannot be put away, or an empty text."""
    if row.state == "archived":
        return "is archived already"
    if row.version in _arms(_serving(session, row.model)):
        return "serves, alone or in an experiment; let another version serve first"
    if row.staged_at is not None:
        return "is the challenger; take it out of staging first"
    return ""


def _serving(session: Session, model: str) -> Release | None:
    return releases.find_current(session, model)


def _live(release: Release) -> set[str]:
    return {arm.version for arm in releases.arms(release) if arm.weight}


def _where(release: Release | None, version: str) -> str:
    """Say what a version does in a release; empty: nothing."""
    if release is None or version not in _arms(release):
        return ""
    if version == releases.champion(release):
        return "serves already"
    return "is part of a running experiment"


def _arms(release: Release | None) -> set[str]:
    return {arm.version for arm in releases.arms(release)} if release else set()


def _mirror(command: Command, row: ModelVersion) -> None:
    change = f"{row.version} staged {row.staged_at}, {command.now.isoformat()}"
    releases.mirror_later(command, row.model, change)
