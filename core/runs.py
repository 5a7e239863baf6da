"""Trainings: requested by somebody, carried out by a worker, ended exactly once."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jobs, notes, specs
from core.access import Actor, system
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.ids import new_id
from core.jobs import Claim
from core.specs import options as run_options
from core.tables.entities import DatasetVersion, ModelSpecRow, Run
from core.tables.operational import Job

OPEN = ("queued", "running")
KINDS = ("train", "retrain")
WORKER = system("worker")


def request(
    db: Database,
    actor: Actor,
    model: str,
    *,
    kind: str = "train",
    candidates: list[Any] | None = None,
    trigger: str,
    reason: str = "",
    dataset_id: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Run:
    """Queue a training of `model`; `candidates` are kinds or ``{kind, parameters}``.

    `options` are what differs from the spec (`core.specs.options`).

    Raises: ForbiddenError, NotFoundError, InvalidInputError, ConflictError (one is under way, or
    changes are frozen: whoever wants it all the same ends the freeze).
    """
    with db.command(actor, "run.request") as command:
        command.note(model=specs.canonical(model), reason=reason, kind=kind, trigger=trigger)
        notes.check_freeze(command.session, specs.canonical(model), command.now)
        return request_in(
            command,
            model,
            kind=kind,
            candidates=candidates,
            trigger=trigger,
            reason=reason,
            dataset_id=dataset_id,
            options=options,
        )


def request_in(
    command: Command,
    model: str,
    *,
    kind: str = "train",
    candidates: list[Any] | None = None,
    trigger: str,
    reason: str = "",
    dataset_id: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Run:
    """Do what `request` does, inside a command; the job is queued in the same transaction."""
    session, now = command.session, command.now
    command.note(model=specs.canonical(model), reason=reason, kind=kind, trigger=trigger)
    if kind not in KINDS:
        raise InvalidInputError(f"A training is a train or a retrain, not {kind!r}.")
    row = _locked_spec(session, model)
    spec = specs.parse(row.yaml)
    chosen = specs.candidates_from(spec, candidates)
    differs = run_options.checked(options or {}, spec)
    if busy := under_way(session, row.model):
        raise ConflictError(f"a training of {row.model} is {busy.state} already: {busy.id}")
    if dataset_id is not None:
        _check_dataset(session, row.model, dataset_id)
    run = Run(
        id=new_id(now),
        model=row.model,
        kind=kind,
        state="queued",
        spec_version=row.version,
        dataset_id=dataset_id,
        candidates=[candidate.model_dump() for candidate in chosen],
        parameters={},
        metrics={},
        leaderboard=[],
        trigger=trigger,
        reason=reason,
        author=command.actor.name,
        at=now,
        options=differs,
    )
    run.job_id = jobs.enqueue(session, "train", {"run_id": run.id}, now=now, key=run.id).id
    session.add(run)
    session.flush()
    command.note(run=run.id)
    if differs:
        command.note(options=differs)
    return run


def _locked_spec(session: Session, model: str) -> ModelSpecRow:
    """Return the spec in force and hold its row, so that of two requests one sees the other."""
    row = specs.active_row(session, model)
    session.refresh(row, with_for_update=True)
    return row


def _check_dataset(session: Session, model: str, dataset_id: str) -> None:
    dataset = session.get(DatasetVersion, dataset_id)
    if dataset is None or dataset.model != model or dataset.role != "train":
        raise NotFoundError(f"{model} has no training data {dataset_id}")
    if dataset.state not in ("validated", "pending"):  # what is being checked is waited for
        raise ConflictError(f"this data is {dataset.state}; a training needs validated data")


def cancel(db: Database, actor: Actor, run_id: str, *, reason: str = "") -> Run:
    """End a training: one that waits ends now, one that runs within a heartbeat.

    Raises: ForbiddenError, NotFoundError, ConflictError (it has ended already).
    """
    with db.command(actor, "run.cancel") as command:
        run = get(command.session, run_id)
        command.note(model=run.model, reason=reason, run=run.id)
        if run.state not in OPEN:
            raise ConflictError(f"the training has {run.state} already")
        job = jobs.get(command.session, run.job_id)
        if job.state in OPEN:
            jobs.request_cancel(command.session, job.id, now=command.now)
        if job.state not in OPEN:
            _end(command, run, "cancelled", reason or f"cancelled by {command.actor.name}")
        return run


def begin(db: Database, claim: Claim, run_id: str) -> Run:
    """Mark a training as running; again after its worker died is right.

    A training that has finished is returned as it is, for its job may be repeated.
    Raises: NotFoundError, ConflictError (it was cancelled, or the claim was taken over).
    """
    with db.read() as session:
        run = get(session, run_id)
        if run.state == "finished":
            return run
    with db.command(WORKER, "run.begin") as command:
        run = get(command.session, run_id)
        command.note(model=run.model, run=run.id, attempt=claim.fence)
        jobs.check_fence(command.session, claim)
        if run.state not in OPEN:
            raise ConflictError(f"the training has {run.state} already")
        run.state, run.started_at = "running", command.now
        return run


def finish_in(
    command: Command,
    run: Run,
    *,
    version: str,
    dataset_id: str,
    parameters: dict[str, Any],
    metrics: dict[str, Any],
    leaderboard: list[Any],
    study: dict[str, Any],
) -> None:
    """Note what a training yielded, inside the command that registers the version."""
    if run.state != "running":
        raise ConflictError(f"the training has {run.state} already; nothing was registered")
    run.state, run.finished_at, run.version = "finished", command.now, version
    run.dataset_id, run.parameters = dataset_id, parameters
    run.metrics, run.leaderboard, run.study = metrics, leaderboard, study


def note_tracking(db: Database, run_id: str, mlflow_run_id: str) -> None:
    """Remember where the tracking server keeps a finished training."""
    with db.command(WORKER, "run.finish") as command:
        run = get(command.session, run_id)
        command.note(model=run.model, run=run.id, mlflow_run_id=mlflow_run_id)
        run.mlflow_run_id = mlflow_run_id


def fail(db: Database, claim: Claim, run_id: str, error: str) -> Run:
    """End a training as failed; one that has ended already stays as it is.

    Raises: NotFoundError, ConflictError (its job was taken over).
    """
    return _end_by_worker(db, claim, run_id, "failed", error)


def cancelled(db: Database, claim: Claim, run_id: str) -> Run:
    """End a training whose process was stopped on request. Raises: as `fail`."""
    return _end_by_worker(db, claim, run_id, "cancelled", "cancelled while it ran")


def _end_by_worker(db: Database, claim: Claim, run_id: str, state: str, why: str) -> Run:
    with db.read() as session:
        ended = get(session, run_id)
    if ended.state not in OPEN:
        return ended
    with db.command(WORKER, "run.finish") as command:
        run = get(command.session, run_id)
        command.note(model=run.model, run=run.id, state=state, error=why)
        job = command.session.get(Job, claim.job_id)
        if job is None or job.fence != claim.fence:
            raise ConflictError(f"job {claim.job_id} was taken over; the training goes on there")
        if run.state not in OPEN:
            raise ConflictError(f"the training has {run.state} already")
        _end(command, run, state, why)
        return run


def _end(command: Command, run: Run, state: str, why: str) -> None:
    run.state, run.finished_at, run.error = state, command.now, why


def get(session: Session, run_id: str) -> Run:
    """Return a training. Raises: NotFoundError."""
    if run := session.get(Run, run_id):
        return run
    raise NotFoundError(f"there is no training {run_id}")


def under_way(session: Session, model: str) -> Run | None:
    """Return the training of a model that waits or runs, or None."""
    query = select(Run).where(Run.model == specs.canonical(model), Run.state.in_(OPEN))
    return session.scalars(query.order_by(Run.at.desc(), Run.id.desc()).limit(1)).first()


def history(session: Session, model: str | None = None, limit: int = 50) -> list[Run]:
    """Return the trainings of a model, or of all models, newest first."""
    query = select(Run).order_by(Run.at.desc(), Run.id.desc()).limit(limit)
    if model is not None:
        query = query.filter_by(model=specs.canonical(model))
    return list(session.scalars(query))
