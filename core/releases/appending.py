"""Adding a release: the one way to change what serves."""

import secrets
from collections.abc import Sequence

from sqlalchemy.orm import Session

from core import jobs
from core.db import Command
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.releases.arm import BUCKETS, Arm, live, only
from core.releases.reading import UNFIT, find_current
from core.tables.entities import ModelVersion, Release

MIRROR_ATTEMPTS = 100


def append(
    command: Command,
    model: str,
    arms: Sequence[Arm],
    *,
    replaces: int,
    mode: str = "live",
    undoes: int | None = None,
    experiment_id: str | None = None,
    salt: str | None = None,
    reason: str = "",
) -> Release:
    """Add the release that follows `replaces`; its unique key refuses the second of two at once.

    A pure change of weights inherits the salt, so that only users between the old and the new
    boundary move; `salt` gives one.

    Raises: InvalidInputError (weights), NotFoundError (version), ConflictError (not the newest).
    """
    session = command.session
    _check_arms(session, model, arms)
    newest = find_current(session, model)
    seq = newest.seq if newest else 0
    if seq != replaces:
        raise ConflictError(f"{model} was released again meanwhile; look at what serves now")
    same = newest is not None and live(newest) == {arm.version for arm in arms if arm.weight}
    release = Release(
        model=model,
        seq=seq + 1,
        replaces=seq,
        mode=mode,
        arms=[arm.to_dict() for arm in arms],
        salt=salt or (newest.salt if newest and same else secrets.token_hex(8)),
        undoes=undoes,
        experiment_id=experiment_id,
        actor=command.actor.name,
        reason=reason,
        at=command.now,
    )
    session.add(release)
    session.flush()
    mirror_later(command, model, f"release {release.seq}")
    return release


def _check_arms(session: Session, model: str, arms: Sequence[Arm]) -> None:
    if sum(arm.weight for arm in arms) != BUCKETS or any(arm.weight < 0 for arm in arms):
        raise InvalidInputError("the weights of a release must add up to 100 %")
    if [arm.variant for arm in arms].count("control") != 1:
        raise InvalidInputError("a release needs exactly one control version")
    for arm in arms:
        version = session.get(ModelVersion, (model, arm.version))
        if version is None:
            raise NotFoundError(f"{model} has no version {arm.version}")
        if version.state in UNFIT:
            raise ConflictError(f"{model} {arm.version} is {version.state} and cannot serve")


def mirror_later(command: Command, model: str, change: str) -> None:
    """Queue the job that shows other tools what serves, once this command is committed."""
    jobs.enqueue(
        command.session,
        "mirror",
        {"model": model},
        now=command.now,
        key=f"mirror:{model}:{change}",
        max_attempts=MIRROR_ATTEMPTS,
    )


def promote(command: Command, model: str, version: str, *, replaces: int, reason: str) -> Release:
    """Let `version` serve everything, inside the executor's command."""
    release = append(command, model, only(version), replaces=replaces, reason=reason)
    promoted = command.session.get_one(ModelVersion, (model, version))
    promoted.state, promoted.staged_at = "approved", None
    return release
