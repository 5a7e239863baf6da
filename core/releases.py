"""What serves: an append-only list of releases per model; the newest row serves, nothing else."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jobs, outbox
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.tables.entities import Experiment, ModelVersion, Release

BUCKETS = 1000
MIRROR_ATTEMPTS = 100
UNFIT = ("rejected", "archived")  # states of versions that may not serve


@dataclass(frozen=True, slots=True)
class Arm:
    """One version in a release: `weight` of 1,000 buckets; a shadow arm has weight 0.

    `threshold` is the probability from which it answers positive, where people set another than
    the version's own.
    """

    version: str
    variant: str  # control, treatment, shadow
    weight: int
    threshold: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a release keeps them.

        >>> Arm("1.0.0", "control", 1000).to_dict()
        {'version': '1.0.0', 'variant': 'control', 'weight': 1000}
        """
        values = {"version": self.version, "variant": self.variant, "weight": self.weight}
        return values if self.threshold is None else {**values, "threshold": self.threshold}


def arms(release: Release) -> list[Arm]:
    """Return the arms of a release, the control first."""
    return [Arm(**arm) for arm in release.arms]


def label(release: Release) -> str:
    """Say in a few words what a release serves.

    >>> label(Release(arms=[{"version": "1.0.0", "variant": "control", "weight": 1000}]))
    '1.0.0'
    """
    live = [arm for arm in arms(release) if arm.weight]
    if len(live) == 1:
        return live[0].version
    return " + ".join(f"{arm.version} {arm.weight / 10:g}%" for arm in live)


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
            "by": row.actor,
            "why": row.reason,
            "takes_back": row.undoes,
        }


def past(session: Session, model: str) -> list[Served]:
    """Return what served when and why, newest first."""
    rows = history(session, model)
    undone, ends = {row.undoes for row in rows}, [None, *(row.at for row in rows)]
    states = ["rolled back" if row.seq in undone else "superseded" for row in rows]
    states[:1] = ["current"] if rows else []
    return [Served(*one) for one in zip(rows, states, ends[: len(rows)], strict=True)]


def served_at(session: Session, model: str, moment: datetime) -> Served:
    """Return what served at `moment`. Raises: NotFoundError (nothing did)."""
    for one in past(session, model):
        if one.release.at <= moment:
            return one
    raise NotFoundError(f"nothing of {model} served at {moment.isoformat()}")


def champion(release: Release) -> str:
    """Return the version that a release trusts most: its control arm."""
    return control(release).version


def control(release: Release) -> Arm:
    """Return the arm of the champion."""
    return next(arm for arm in arms(release) if arm.variant == "control")


def set_thresholds(release: Release) -> dict[str, float]:
    """Return the thresholds that people set in place of the versions' own, by version."""
    return {arm.version: arm.threshold for arm in arms(release) if arm.threshold is not None}


def threshold(release: Release | None, version: ModelVersion) -> float:
    """Return from which probability on a version answers positive where it serves in `release`."""
    own = 0.5 if version.threshold is None else version.threshold
    return set_thresholds(release).get(version.version, own) if release else own


def state(release: Release, all_releases: Sequence[Release]) -> str:
    """Return current, superseded or rolled back; a state is derived, never stored."""
    if release.seq == max(other.seq for other in all_releases):
        return "current"
    undone = any(other.undoes == release.seq for other in all_releases)
    return "rolled back" if undone else "superseded"


def same(one: Release, other: Release) -> bool:
    """Say whether two releases of a model serve every user alike, in the same experiment."""
    split = len(_live(one)) > 1
    return (
        one.model == other.model
        and arms(one) == arms(other)
        and one.experiment_id == other.experiment_id
        and (one.salt == other.salt or not split)
    )


def last_good_before(session: Session, bad: Release) -> Release:
    """Return the release that a rollback of `bad` goes back to.

    The newest earlier release with one live version at 100 %, unless a later rollback took that
    version out of service, the bad release serves it too, or it was archived since.

    Raises: ConflictError (there is none).
    """
    releases = history(session, bad.model)
    undone = {release.undoes for release in releases}
    distrusted = _live(bad) | _unfit(session, bad.model)
    for release in releases:
        versions = _live(release)
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


def _live(release: Release) -> set[str]:
    return {arm.version for arm in arms(release) if arm.weight}


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
    same = newest is not None and _live(newest) == {arm.version for arm in arms if arm.weight}
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


def only(version: str, *, threshold: float | None = None) -> list[Arm]:
    """Return the arms of a plain release: everything to one version."""
    return [Arm(version, "control", BUCKETS, threshold)]


def alone(release: Release) -> list[Arm]:
    """Return the arms that serve a release's champion to everybody, as it answers there."""
    return [replace(control(release), weight=BUCKETS)]


def split(release: Release, version: str, share: float) -> list[Arm]:
    """Return the arms that give `version` a share and the champion the rest; 0 ends it.

    Raises: ConflictError (the champion itself, another version has a share, nothing would change).
    """
    first, weight = control(release), round(share * BUCKETS)
    second = next((arm for arm in arms(release) if arm.weight and arm != first), None)
    if version == first.version:
        raise ConflictError(f"{version} serves what no other version gets; name the other one")
    if second and second.version != version:
        raise ConflictError(f"{second.version} has a share already; end that one first")
    if weight == (second.weight if second else 0):
        has = "has this share already" if weight else "has no share to end"
        raise ConflictError(f"{release.model} {version} {has}")
    if not weight:
        return alone(release)
    kept = second or Arm(version, "treatment", 0, first.threshold)
    return [replace(first, weight=BUCKETS - weight), replace(kept, weight=weight)]


def promote(command: Command, model: str, version: str, *, replaces: int, reason: str) -> Release:
    """Let `version` serve everything, inside the executor's command."""
    release = append(command, model, only(version), replaces=replaces, reason=reason)
    promoted = command.session.get_one(ModelVersion, (model, version))
    promoted.state, promoted.staged_at = "approved", None
    return release


def roll_back(
    db: Database,
    actor: Actor,
    model: str,
    *,
    reason: str,
    seen: int | None = None,
    channels: Sequence[str] = (),
) -> Release:
    """Serve again what served before the current release of `model`, and tell `channels`.

    `seen` is the release that the caller looked at; another one meanwhile is a conflict.

    Raises: ForbiddenError; NotFoundError (nothing serves); ConflictError (no earlier release).
    """
    with db.command(actor, "release.rollback") as command:
        command.note(model=model, reason=reason)
        bad = current(command.session, model)
        if seen is not None and seen != bad.seq:
            raise ConflictError(f"{model} was released again meanwhile; look at what serves now")
        return undo(command, bad, reason=reason, channels=channels)


def undo(command: Command, bad: Release, *, reason: str, channels: Sequence[str] = ()) -> Release:
    """Append the release that takes `bad` back, inside a command, and tell `channels`."""
    good = last_good_before(command.session, bad)
    command.note(model=bad.model, before=label(bad), after=label(good), reason=reason)
    back = alone(good)
    release = append(command, bad.model, back, replaces=bad.seq, undoes=bad.seq, reason=reason)
    tell_back(command, bad, release, reason=reason, channels=channels)
    return release


def restore(command: Command, bad: Release, earlier: Release, *, reason: str) -> Release:
    """Append a release that serves exactly what `earlier` served, with its experiment.

    Where that experiment was stopped meanwhile, its champion serves everything.
    Raises: as `append`.
    """
    command.note(model=bad.model, before=label(bad), after=label(earlier), reason=reason)
    experiment = command.session.get(Experiment, earlier.experiment_id or "")
    ended = experiment is not None and experiment.state != "running"
    return append(
        command,
        bad.model,
        alone(earlier) if ended else arms(earlier),
        replaces=bad.seq,
        mode="live" if ended else earlier.mode,
        undoes=None if champion(bad) == champion(earlier) else bad.seq,
        experiment_id=None if ended else earlier.experiment_id,
        salt=earlier.salt,
        reason=reason,
    )


def tell_back(
    command: Command, bad: Release, release: Release, *, reason: str, channels: Sequence[str]
) -> None:
    """Leave a message for each of `channels` that `release` takes `bad` back."""
    why = f"{command.actor.name}: {reason}" if reason else command.actor.name
    outbox.post(
        command,
        list(channels),
        f"{bad.model} now serves {label(release)} again (rolled back by {why})",
        model=bad.model,
        text=f"It served {label(bad)} before.",
        path=f"/releases?model={bad.model}",
    )
