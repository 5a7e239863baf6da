"""An experiment from draft to result: it points to its releases and holds no weights."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import releases
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError, NotFoundError
from core.experiments import paired, statistics, units
from core.experiments.drafting import draft as draft
from core.experiments.drafting import planned, whole_share
from core.experiments.drafting import size as size
from core.experiments.statistics import ArmCounts, Verdict
from core.releases import Arm
from core.tables.entities import Experiment, ModelVersion, Release

ARMS = ("control", "treatment")


def start_in(command: Command, experiment_id: str, *, seen: int | None = None) -> Release:
    """Append the release that splits the traffic, inside the executor's command.

    `seen` is the release that was approved to be replaced; None: whatever serves.
    Raises: NotFoundError; ConflictError (not a draft, another one runs, the control does not
    serve, another release serves than was seen).
    """
    session, row = command.session, _locked(command.session, experiment_id)
    if row.state != "draft":
        raise ConflictError(f"experiment {row.name} is {row.state}; only a draft can start")
    _make_room(command, row)
    current = _current(session, row, seen)
    if releases.label(current) != row.control:
        raise ConflictError(
            f"{row.model} serves {releases.label(current)}, and the control is {row.control}:"
            " draft the experiment against what serves"
        )
    row.state, row.started_at = "running", command.now
    return _release(command, row, current, f"experiment {row.name}")


def widen_in(
    command: Command, experiment_id: str, share: float, *, seen: int | None = None
) -> Release:
    """Give a running canary another share of the traffic, inside the executor's command.

    Users between the old and the new boundary move, all others stay. Its figures begin anew: those
    of another split cannot be added to them. So does its error, with half of what is left.

    Raises: NotFoundError; InvalidInputError (the share); ConflictError (no canary that runs, it
    has this share, or another release serves than was `seen`).
    """
    session, row = command.session, _locked(command.session, experiment_id)
    current = _current(session, row, seen)
    if row.mode != "canary" or current.experiment_id != row.id:
        raise ConflictError(f"experiment {row.name} is no canary that runs")
    share, before = whole_share(row.mode, share), row.share
    if share == before:  # it would only throw away the figures so far, for another try
        raise ConflictError(f"experiment {row.name} has this share already")
    row.share, step = share, _splits(session, row) + 1
    control = session.get_one(ModelVersion, (row.model, row.control))
    row.planned_n = planned(control, row.minimum_effect, row.alpha, share, step=step)
    return _release(command, row, current, f"experiment {row.name}: {before:.1%} to {share:.1%}")


def _current(session: Session, row: Experiment, seen: int | None) -> Release:
    """Return what serves. Raises: ConflictError (not what was seen)."""
    current = releases.current(session, row.model)
    if seen is not None and current.seq != seen:
        raise ConflictError(f"{row.model} was released again meanwhile; look at what serves now")
    return current


def _release(command: Command, row: Experiment, current: Release, reason: str) -> Release:
    weight = round(row.share * releases.BUCKETS)
    variant = "shadow" if row.mode == "shadow" else "treatment"
    release = releases.append(
        command,
        row.model,
        [
            replace(releases.control(current), weight=releases.BUCKETS - weight),
            Arm(row.treatment, variant, weight),
        ],
        replaces=current.seq,
        mode=row.mode,
        experiment_id=row.id,
        reason=reason,
    )
    row.release_seq = release.seq
    command.note(model=row.model, experiment=row.id, release=release.seq)
    return release


def stop(db: Database, actor: Actor, experiment_id: str, *, reason: str) -> Experiment:
    """End an experiment: all traffic goes back to the control, the result is kept.

    Raises: ForbiddenError; NotFoundError; ConflictError (it does not run).
    """
    with db.command(actor, "experiment.stop") as command:
        return stop_in(command, experiment_id, reason=reason)


def stop_in(
    command: Command, experiment_id: str, *, reason: str, seen: int | None = None
) -> Experiment:
    """Do what `stop` does inside a command; another release than was `seen` is a conflict."""
    session, row = command.session, _locked(command.session, experiment_id)
    command.note(model=row.model, experiment=row.id, reason=reason)
    if row.state != "running":
        raise ConflictError(f"experiment {row.name} is {row.state}; there is nothing to stop")
    current = _current(session, row, seen)
    if current.experiment_id == row.id:
        back = releases.alone(current)
        words = f"experiment {row.name} stopped: {reason}"
        releases.append(command, row.model, back, replaces=current.seq, reason=words)
    _close(command, row, reason)
    return row


def status(session: Session, experiment_id: str) -> dict[str, Any]:
    """Say how an experiment stands, as plain values ready for JSON.

    `state` is what is true: running only while its release serves. `predictions`, `labelled`,
    `correct` and `users` count per arm; `verdict` (see `statistics.Verdict`) is None before the
    first label.

    Raises: NotFoundError.
    """
    row = get(session, experiment_id)
    seen = _seen(session, row)
    state, verdict = true_state(session, row), seen.verdict
    return {
        "id": row.id,
        "state": state,
        "mode": row.mode,
        "result": row.result or (verdict.result if verdict else None),
        "versions": {"control": row.control, "treatment": row.treatment},
        "share": row.share,
        "planned_n": row.planned_n,
        "predictions": dict(zip(ARMS, seen.predictions, strict=True)),
        "labelled": dict(zip(ARMS, seen.labelled, strict=True)),
        "correct": dict(zip(ARMS, seen.correct, strict=True)),
        "users": dict(zip(ARMS, seen.users, strict=True)),
        "verdict": verdict.to_dict() if verdict else None,
        "sentence": _sentence(row, state, verdict),
    }


def _sentence(row: Experiment, state: str, verdict: Verdict | None) -> str:
    if state == "draft":
        return f"Not started; {row.planned_n:,} labelled predictions are planned."
    words = verdict.sentence if verdict else "No outcome is known yet."
    if state == "stopped" and row.state == "running":
        return f"Another release took its place before it was stopped. {words}"
    return words


def plan(row: Experiment) -> str:
    """Say what an experiment does with the traffic.

    >>> plan(Experiment(mode="canary", treatment="2.0.0", share=0.125))
    '2.0.0 to 12.5 % of traffic'
    """
    if row.mode == "shadow":
        return f"{row.treatment} in shadow, for the log only"
    return f"{row.treatment} to {row.share * 100:g} % of traffic"


def get(session: Session, experiment_id: str) -> Experiment:
    """Return an experiment. Raises: NotFoundError."""
    if row := session.get(Experiment, experiment_id):
        return row
    raise NotFoundError(f"there is no experiment {experiment_id}")


def find(session: Session, called: str, model: str | None = None) -> Experiment:
    """Return the newest experiment (of one model) with this name, or the one with this id.

    Raises: NotFoundError.
    """
    rows = all(session, model)
    named = [row for row in rows if row.name == called]
    if found := named or [row for row in rows if row.id == called]:
        return found[0]
    raise NotFoundError(f"there is no experiment {called}, neither by name nor by id")


def all(session: Session, model: str | None = None) -> list[Experiment]:
    """Return the experiments (of one model), newest first."""
    query = select(Experiment).order_by(Experiment.id.desc())
    return list(session.scalars(query.filter_by(model=model) if model else query))


def running(session: Session, model: str) -> Experiment | None:
    """Return the experiment that the current release carries, if it is one."""
    current = releases.find_current(session, model)
    if current is None or current.experiment_id is None:
        return None
    return session.get(Experiment, current.experiment_id)


def true_state(session: Session, row: Experiment) -> str:
    """Return the state as it is: stopped when another release took the experiment's place."""
    if row.state != "running":
        return row.state
    now = running(session, row.model)
    return "running" if now is not None and now.id == row.id else "stopped"


def _locked(session: Session, experiment_id: str) -> Experiment:
    query = select(Experiment).filter_by(id=experiment_id).with_for_update()
    fresh = {"populate_existing": True}  # it may have been read before it was locked
    return session.scalars(query, execution_options=fresh).first() or get(session, experiment_id)


def _make_room(command: Command, row: Experiment) -> None:
    """Refuse a second running experiment; close one that another release ended long ago."""
    query = select(Experiment).filter_by(model=row.model, state="running").with_for_update()
    fresh = {"populate_existing": True}
    for other in command.session.scalars(query, execution_options=fresh).all():
        if true_state(command.session, other) == "running":
            raise ConflictError(f"experiment {other.name} runs on {row.model}; stop it first")
        _close(command, other, "another release took its place")


def _close(command: Command, row: Experiment, reason: str) -> None:
    verdict = _seen(command.session, row).verdict
    row.state, row.stopped_at = "stopped", command.now
    row.result = verdict.result if verdict else "inconclusive"
    row.verdict = {**(verdict.to_dict() if verdict else {}), "stopped_because": reason}


@dataclass(frozen=True)
class _Seen:
    """Counts of the control and the treatment; the verdict is None before the first outcome."""

    predictions: tuple[int, int]
    labelled: tuple[int, int]
    correct: tuple[int, int]
    users: tuple[int, int]
    verdict: Verdict | None


def _seen(session: Session, row: Experiment) -> _Seen:
    control = session.get(ModelVersion, (row.model, row.control))
    labels = control.signature.get("labels", []) if control else []
    return (_in_shadow if row.mode == "shadow" else _split)(session, row, labels)


def _in_shadow(session: Session, row: Experiment, labels: Sequence[str]) -> _Seen:
    pairs = units.count_pairs(session, row.model, row.id, row.treatment, labels)
    verdict = paired.judge((row.control, row.treatment), pairs, **_plan(row)) if pairs.n else None
    both = pairs.answered, pairs.answered
    right = pairs.first_right, pairs.second_right
    return _Seen(both, (pairs.n, pairs.n), right, (pairs.users, pairs.users), verdict)


def _split(session: Session, row: Experiment, labels: Sequence[str]) -> _Seen:
    since = row.release_seq or 0
    found = units.count(session, row.model, row.id, labels, since_seq=since)
    one, other = (found.get(arm, units.NOTHING) for arm in ARMS)
    verdict = None
    if one.labelled or other.labelled:
        first = ArmCounts(row.control, 1 - row.share, one.labelled, one.correct, one.units)
        second = ArmCounts(row.treatment, row.share, other.labelled, other.correct, other.units)
        verdict = statistics.judge((first, second), **_plan(row), step=_splits(session, row))
    return _Seen(
        (one.predictions, other.predictions),
        (one.labelled, other.labelled),
        (one.correct, other.correct),
        (one.units.assigned, other.units.assigned),
        verdict,
    )


def _splits(session: Session, row: Experiment) -> int:
    """Return how many splits an experiment had so far, this one too."""
    ours = (Release.model == row.model, Release.experiment_id == row.id)
    query = select(func.count()).select_from(Release).where(*ours, Release.seq <= row.release_seq)
    return session.scalar(query) or 0


def _plan(row: Experiment) -> dict[str, Any]:
    return {
        "planned_n": row.planned_n,
        "alpha": row.alpha,
        "minimum_effect": row.minimum_effect,
    }
