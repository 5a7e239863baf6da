"""An experiment from draft to result: it points to its releases and holds no weights."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import releases
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.experiments import statistics, units
from core.experiments.statistics import ArmCounts, Verdict
from core.experiments.units import Counted
from core.ids import new_id
from core.releases import Arm
from core.tables.entities import Experiment, ModelVersion, Release

ARMS = ("control", "treatment")
METRICS = ("accuracy",)
ASSUMED_ACCURACY = 0.9
"""The accuracy a sample size is planned with where the control was never measured."""


def draft(
    db: Database,
    actor: Actor,
    *,
    model: str,
    name: str,
    control: str,
    treatment: str,
    share: float,
    hypothesis: str,
    metric: str = "accuracy",
    minimum_effect: float = 0.01,
    alpha: float = 0.05,
) -> Experiment:
    """Write down an experiment before it starts; `share` of the traffic will meet `treatment`.

    `planned_n` follows from the control's accuracy: labelled predictions of both arms together
    that find `minimum_effect` with 80 % power.

    Raises: ForbiddenError; InvalidInputError; NotFoundError (version); ConflictError (name).
    """
    with db.command(actor, "experiment.draft") as command:
        session = command.session
        command.note(model=model, name=name, control=control, treatment=treatment, share=share)
        _check_words(name, metric, share)
        _check_versions(session, model, control, treatment)
        if session.scalars(select(Experiment).filter_by(model=model, name=name)).first():
            raise ConflictError(f"{model} has an experiment called {name} already")
        row = Experiment(
            id=new_id(command.now),
            model=model,
            name=name,
            state="draft",
            hypothesis=hypothesis,
            control=control,
            treatment=treatment,
            share=share,
            metric=metric,
            alpha=alpha,
            minimum_effect=minimum_effect,
            planned_n=_planned(session, model, control, minimum_effect, alpha, share),
            verdict={},
            author=command.actor.name,
            at=command.now,
        )
        session.add(row)
        return row


def start_in(command: Command, experiment_id: str) -> Release:
    """Append the release that splits the traffic, inside the executor's command.

    Raises: NotFoundError; ConflictError (not a draft, another one runs, the control does not
    serve).
    """
    session, row = command.session, _locked(command.session, experiment_id)
    if row.state != "draft":
        raise ConflictError(f"experiment {row.name} is {row.state}; only a draft can start")
    _make_room(command, row)
    current = releases.current(session, row.model)
    if releases.label(current) != row.control:
        raise ConflictError(
            f"{row.model} serves {releases.label(current)}, and the control is {row.control}:"
            " draft the experiment against what serves"
        )
    weight = round(row.share * releases.BUCKETS)
    arms = [
        Arm(row.control, "control", releases.BUCKETS - weight),
        Arm(row.treatment, "treatment", weight),
    ]
    release = releases.append(
        command,
        row.model,
        arms,
        replaces=current.seq,
        mode="canary",
        experiment_id=row.id,
        reason=f"experiment {row.name}",
    )
    row.state, row.release_seq, row.started_at = "running", release.seq, command.now
    command.note(model=row.model, experiment=row.id, release=release.seq)
    return release


def stop(db: Database, actor: Actor, experiment_id: str, *, reason: str) -> Experiment:
    """End an experiment: all traffic goes back to the control, the result is kept.

    Raises: ForbiddenError; NotFoundError; ConflictError (it does not run).
    """
    with db.command(actor, "experiment.stop") as command:
        return stop_in(command, experiment_id, reason=reason)


def stop_in(command: Command, experiment_id: str, *, reason: str) -> Experiment:
    """Do what `stop` does inside a command."""
    session, row = command.session, _locked(command.session, experiment_id)
    command.note(model=row.model, experiment=row.id, reason=reason)
    if row.state != "running":
        raise ConflictError(f"experiment {row.name} is {row.state}; there is nothing to stop")
    current = releases.current(session, row.model)
    if current.experiment_id == row.id:
        back = releases.only(row.control)
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
    counted = _counts(session, row)
    verdict = _judge(row, counted)
    state = true_state(session, row)
    return {
        "id": row.id,
        "state": state,
        "result": row.result or (verdict.result if verdict else None),
        "versions": {"control": row.control, "treatment": row.treatment},
        "share": row.share,
        "planned_n": row.planned_n,
        "predictions": {arm: counted[arm].predictions for arm in ARMS},
        "labelled": {arm: counted[arm].labelled for arm in ARMS},
        "correct": {arm: counted[arm].correct for arm in ARMS},
        "users": {arm: counted[arm].units.assigned for arm in ARMS},
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


def get(session: Session, experiment_id: str) -> Experiment:
    """Return an experiment. Raises: NotFoundError."""
    if row := session.get(Experiment, experiment_id):
        return row
    raise NotFoundError(f"there is no experiment {experiment_id}")


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
    return session.scalars(query).first() or get(session, experiment_id)


def _make_room(command: Command, row: Experiment) -> None:
    """Refuse a second running experiment; close one that another release ended long ago."""
    query = select(Experiment).filter_by(model=row.model, state="running").with_for_update()
    for other in command.session.scalars(query).all():
        if true_state(command.session, other) == "running":
            raise ConflictError(f"experiment {other.name} runs on {row.model}; stop it first")
        _close(command, other, "another release took its place")


def _close(command: Command, row: Experiment, reason: str) -> None:
    verdict = _judge(row, _counts(command.session, row))
    row.state, row.stopped_at = "stopped", command.now
    row.result = verdict.result if verdict else "inconclusive"
    row.verdict = {**(verdict.to_dict() if verdict else {}), "stopped_because": reason}


def _judge(row: Experiment, counted: dict[str, Counted]) -> Verdict | None:
    """Return the verdict; None before the first outcome."""
    if not any(arm.labelled for arm in counted.values()):
        return None
    weights = {"control": 1 - row.share, "treatment": row.share}
    names = {"control": row.control, "treatment": row.treatment}
    first, second = (
        ArmCounts(names[arm], weights[arm], found.labelled, found.correct, found.units)
        for arm, found in counted.items()
    )
    return statistics.judge(
        (first, second),
        planned_n=row.planned_n,
        alpha=row.alpha,
        minimum_effect=row.minimum_effect,
    )


def _counts(session: Session, row: Experiment) -> dict[str, Counted]:
    control = session.get(ModelVersion, (row.model, row.control))
    labels = control.signature.get("labels", []) if control else []
    found = units.count(session, row.model, row.id, labels)
    return {arm: found.get(arm, units.NOTHING) for arm in ARMS}


def _check_words(name: str, metric: str, share: float) -> None:
    if not 0 < len(name.strip()) <= 100:
        raise InvalidInputError("give the experiment a name of 1 to 100 characters")
    if metric not in METRICS:
        raise InvalidInputError(f"experiments compare {' or '.join(METRICS)}, not {metric}")
    if not 0.001 <= share <= 0.999:
        raise InvalidInputError("the treatment's share lies between 0.1 % and 99.9 %")


def _check_versions(session: Session, model: str, control: str, treatment: str) -> None:
    if control == treatment:
        raise InvalidInputError("an experiment compares two different versions")
    for version in (control, treatment):
        found = session.get(ModelVersion, (model, version))
        if found is None:
            raise NotFoundError(f"{model} has no version {version}")
        if found.state in ("rejected", "archived"):
            raise ConflictError(f"{model} {version} is {found.state} and cannot serve")


def _planned(
    session: Session, model: str, control: str, effect: float, alpha: float, share: float
) -> int:
    measured = session.get_one(ModelVersion, (model, control)).metrics.get("accuracy")
    baseline = min(max(float(measured or ASSUMED_ACCURACY), 0.001), 0.999)
    if not 0 < effect < 1:
        raise InvalidInputError("the minimum effect lies between 0 and 1")
    sign = 1 if baseline + effect < 1 else -1  # no room above: plan to find a loss of that size
    return statistics.sample_size(baseline, sign * effect, alpha=alpha, share=share)
