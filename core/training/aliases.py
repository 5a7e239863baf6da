"""Which versions a tracking server should call champion, challenger and previous."""

from collections.abc import Mapping, Set
from contextlib import suppress
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import releases, specs
from core.db import Database
from core.errors import ConflictError
from core.tables.entities import ModelVersion, Release, Run

TRACKED = ("train", "retrain", "register")  # the kinds of runs that leave a job to show them
NAMES = ("champion", "challenger", "previous")


class Shelf(Protocol):
    """Where other tools look up versions by alias."""

    def point(self, model: str, aliases: Mapping[str, str], *, shown: Set[str]) -> frozenset[str]:
        """Let each alias of `NAMES` point to its version; one that is not given points nowhere.

        Returns the versions that the server does not know and that are none of `shown`, which
        tracking brings there sooner or later; their aliases point nowhere.
        Raises: UnavailableError (the server is away, or does not know a version of `shown` yet).
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

    Returns the version behind each alias, and under `skipped` a sentence on those that the server
    cannot know. Raises: UnavailableError (try again later).
    """
    name = specs.canonical(model)
    with db.read() as session:
        aliases, shown = wanted(session, name), _shown(session, name)
    skipped = shelf.point(name, aliases, shown=shown)
    told = {alias: version for alias, version in aliases.items() if version not in skipped}
    if skipped:
        told["skipped"] = f"{', '.join(sorted(skipped))}: no training here made it"
    return told


def _shown(session: Session, model: str) -> frozenset[str]:
    """Return the versions whose runs are shown on the tracking server, now or soon."""
    query = select(ModelVersion.version).join(Run, Run.id == ModelVersion.run_id)
    found = query.where(ModelVersion.model == model, Run.kind.in_(TRACKED))
    return frozenset(session.scalars(found))
