"""Which versions a tracking server should call champion, challenger and previous."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import releases, specs
from core.db import Database
from core.errors import ConflictError
from core.tables.entities import ModelVersion, Release

NAMES = ("champion", "challenger", "previous")


class Shelf(Protocol):
    """Where other tools look up versions by alias."""

    def point(self, model: str, aliases: Mapping[str, str]) -> None:
        """Let each alias of `NAMES` point to its version; one that is not given points nowhere.

        Raises: UnavailableError (the server is away, or does not know a version yet).
        """
        ...


def wanted(session: Session, model: str) -> dict[str, str]:
    """Return the version behind each alias; what serves is told by the newest release alone."""
    release = releases.find_current(session, model)
    if release is None:
        return {}
    found = {"champion": releases.champion(release)}
    if challenger := _challenger(session, release):
        found["challenger"] = challenger
    with suppress(ConflictError):  # nothing served before
        found["previous"] = releases.champion(releases.last_good_before(session, release))
    return found


def _challenger(session: Session, release: Release) -> str | None:
    """Return the version that is compared with the champion, or else the one named for it."""
    for arm in releases.arms(release):
        if arm.variant != "control":
            return arm.version
    query = select(ModelVersion.version).where(
        ModelVersion.model == release.model, ModelVersion.staged_at.is_not(None)
    )
    return session.scalars(query.order_by(ModelVersion.staged_at.desc()).limit(1)).first()


def mirror(db: Database, shelf: Shelf, model: str) -> dict[str, str]:
    """Show the present state, whatever change asked for it, so that late or repeated calls agree.

    Raises: UnavailableError (try again later).
    """
    with db.read() as session:
        aliases = wanted(session, specs.canonical(model))
    shelf.point(specs.canonical(model), aliases)
    return aliases
