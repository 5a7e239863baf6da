"""Serving again what served before."""

from collections.abc import Sequence

from core import outbox
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError
from core.releases.appending import append
from core.releases.arm import alone, arms, champion, label
from core.releases.reading import current, last_good_before
from core.tables.entities import Experiment, Release


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
