"""What served when: reading the list of releases."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import ConflictError, NotFoundError
from core.releases.arm import BUCKETS, arms, champion, label, live, set_thresholds
from core.tables.entities import ActionRow, ModelVersion, Recommendation, Release

UNFIT = ("rejected", "archived")  # states of versions that may not serve


def current(session: Session, model: str) -> Release:
    """Return what serves. Raises: NotFoundError (nothing was ever released)."""
    if release := find_current(session, model):
        return release
    raise NotFoundError(f"no version of {model} is released yet")


def find_current(session: Session, model: str) -> Release | None:
    """Return what serves, or None."""
    query = select(Release).filter_by(model=model).order_by(Release.seq.desc()).limit(1)
    return session.scalars(query).first()


def history(session: Session, model: str) -> list[Release]:
    """Return all releases of a model, newest first."""
    query = select(Release).filter_by(model=model).order_by(Release.seq.desc())
    return list(session.scalars(query))


def serving_since(session: Session, model: str) -> datetime:
    """Return when the champion began to serve, however its weight changed since.

    Raises: NotFoundError (nothing is released).
    """
    newest = current(session, model)
    since = newest.at
    for release in history(session, model):
        if champion(release) != champion(newest):
            break
        since = release.at
    return since


def as_of(session: Session, model: str, moment: datetime) -> Release | None:
    """Return what served at `moment`."""
    query = select(Release).filter_by(model=model).where(Release.at <= moment)
    return session.scalars(query.order_by(Release.seq.desc()).limit(1)).first()


@dataclass(frozen=True, slots=True)
class Served:
    """One stretch of a model's past: what served, since when, by whom and why, and until when."""

    release: Release
    state: str  # current, superseded, rolled back
    until: datetime | None  # None while it serves
    by: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        row = self.release
        return {
            "release": row.seq,
            "serves": label(row),
            "versions": {arm.version: arm.weight / BUCKETS for arm in arms(row)},
            "thresholds": set_thresholds(row),
            "mode": row.mode,
            "state": self.state,
            "since": row.at.isoformat(),
            "until": self.until.isoformat() if self.until else None,
            "by": self.by,
            "why": row.reason,
            "takes_back": row.undoes,
        }


def past(session: Session, model: str) -> list[Served]:
    """Return what served when and why, newest first."""
    rows = history(session, model)
    undone, ends = {row.undoes for row in rows}, [None, *(row.at for row in rows)]
    states = ["rolled back" if row.seq in undone else "superseded" for row in rows]
    states[:1] = ["current"] if rows else []
    by = deciders(session, rows)
    return [Served(*one) for one in zip(rows, states, ends[: len(rows)], by, strict=True)]


def deciders(session: Session, releases: Sequence[Release]) -> list[str]:
    """Return for each release of one model who decided it, and who proposed it where that differs.

    What was approved is carried out by the product: then it is not the one who wrote the release.
    """
    model = releases[0].model if releases else ""
    approved = (
        select(
            ActionRow.after["release"].as_integer(),
            Recommendation.decided_by,
            Recommendation.proposed_by,
        )
        .join(Recommendation, Recommendation.id == ActionRow.recommendation_id)
        .where(ActionRow.model == model)
    )
    found = {seq: _both(*who) for seq, *who in session.execute(approved) if seq is not None}
    return [found.get(row.seq) or row.actor for row in releases]


def _both(decided_by: str | None, proposed_by: str) -> str:
    if decided_by in (None, proposed_by):
        return proposed_by
    return f"{decided_by}, proposed by {proposed_by}"


def served_at(session: Session, model: str, moment: datetime) -> Served:
    """Return what served at `moment`. Raises: NotFoundError (nothing did)."""
    for one in past(session, model):
        if one.release.at <= moment:
            return one
    raise NotFoundError(f"nothing of {model} served at {moment.isoformat()}")


def state(release: Release, all_releases: Sequence[Release]) -> str:
    """Return current, superseded or rolled back; a state is derived, never stored."""
    if release.seq == max(other.seq for other in all_releases):
        return "current"
    undone = any(other.undoes == release.seq for other in all_releases)
    return "rolled back" if undone else "superseded"


def last_good_before(session: Session, bad: Release) -> Release:
    """Return the release that a rollback of `bad` goes back to.

    The newest earlier release with one live version at 100 %, unless a later rollback took that
    version out of service, the bad release serves it too, or it was archived since.

    Raises: ConflictError (there is none).
    """
    releases = history(session, bad.model)
    undone = {release.undoes for release in releases}
    distrusted = live(bad) | _unfit(session, bad.model)
    for release in releases:
        versions = live(release)
        if release.seq >= bad.seq:
            continue
        if release.seq in undone:
            distrusted |= versions
        elif len(versions) == 1 and not versions & distrusted:
            return release
    raise ConflictError(f"{bad.model} has no earlier release to go back to")


def _unfit(session: Session, model: str) -> set[str]:
    """Return the versions that may not serve."""
    query = select(ModelVersion.version).filter_by(model=model)
    return set(session.scalars(query.where(ModelVersion.state.in_(UNFIT))))
