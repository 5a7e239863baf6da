"""What REST tells about models and their past: stored results only, as plain values."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jobs, registry, releases, runs, specs
from core.errors import ConflictError, NotFoundError
from core.serving.board import Board
from core.tables.entities import ModelVersion, Release, Run

MOST_VERSIONS = 100


def named(session: Session, name: str | None, board: Board) -> str:
    """Return the canonical name of a model; without a name the one that is served by default.

    Raises: NotFoundError (no spec of this name, or nothing is served).
    """
    if name is not None:
        return specs.active(session, specs.canonical(name)).name
    if main := board.main:
        return main.model
    raise NotFoundError("no model is released yet; name one, or train and promote one first")


def comparison(session: Session, model: str) -> dict[str, Any]:
    """Set the serving version beside the one that a rollback would go back to.

    Raises: NotFoundError (nothing serves).
    """
    release = releases.current(session, model)
    current = registry.get(session, model, releases.champion(release))
    previous = None
    try:
        before = releases.last_good_before(session, release)
        previous = registry.get(session, model, releases.champion(before))
    except ConflictError:
        pass  # the first release has nothing before it
    return {
        "model": model,
        "current_model": _figures(current),
        "previous_model": _figures(previous) if previous else None,
        "improvement": _improvement(session, current, previous),
    }


def _figures(version: ModelVersion) -> dict[str, Any]:
    numbers = {k: v for k, v in version.metrics.items() if isinstance(v, int | float)}
    f1 = numbers.pop("f1", None)
    return {
        "version": version.version,
        "algorithm": version.algorithm,
        "f1_score": f1,
        **numbers,
        "registered_at": version.at.isoformat(),
    }


def _improvement(
    session: Session, current: ModelVersion, previous: ModelVersion | None
) -> float | None:
    """Return how much more often the current version is right, on rows both were judged on.

    Accuracies on different held-out rows say nothing about each other: then None.
    """
    if previous is None or previous.version == current.version:
        return None
    both = registry.compare(session, current.model, previous.version, current.version)
    return round(float(both["paired"]["difference"]), 6) if both["paired"] else None


def retrainings(session: Session, model: str | None, *, limit: int) -> list[dict[str, Any]]:
    """Return trainings with what came of them, newest first."""
    return [_retraining(session, run) for run in runs.history(session, model, limit)]


def _retraining(session: Session, run: Run) -> dict[str, Any]:
    version = session.get(ModelVersion, (run.model, run.version)) if run.version else None
    return {
        "model": run.model,
        "timestamp": run.at.isoformat(),
        "trigger": run.trigger,
        "reasoning": run.reason or run.error or "",
        "decision": version.state if version else run.state,
        "version": run.version,
        "metrics": run.metrics,
    }


def models(session: Session) -> list[dict[str, Any]]:
    """Return every model that has a spec, with what serves of it."""
    return [
        _model(session, spec.name) | {"title": spec.title, "task": spec.task}
        for spec in specs.all_active(session)
    ]


def _model(session: Session, name: str) -> dict[str, Any]:
    release = releases.find_current(session, name)
    challenger = registry.challenger(session, name)
    return {
        "name": name,
        "serving": releases.label(release) if release else None,
        "release": release.seq if release else None,
        "challenger": challenger.version if challenger else None,
        "versions": [row.version for row in registry.versions(session, name)],
    }


def model(session: Session, name: str) -> dict[str, Any]:
    """Return one model with a line about each of its newest versions. Raises: NotFoundError."""
    spec = specs.active(session, name)
    release = releases.find_current(session, spec.name)
    rows = registry.versions(session, spec.name)[:MOST_VERSIONS]
    lines = [_line(row, release) for row in rows]
    about = {"title": spec.title, "task": spec.task, "versions": lines}
    return _model(session, spec.name) | about


def _line(row: ModelVersion, release: Release | None) -> dict[str, Any]:
    return {
        "version": row.version,
        "stage": registry.stage(row, release),
        "state": row.state,
        "algorithm": row.algorithm,
        "accuracy": row.metrics.get("accuracy"),
        "f1": row.metrics.get("f1"),
        "gate": row.gate.get("answer"),
        "registered_at": row.at.isoformat(),
    }


def version(session: Session, model: str, number: str) -> dict[str, Any]:
    """Return one registered version. Raises: NotFoundError."""
    row = registry.get(session, model, number)
    release, run = releases.find_current(session, row.model), session.get(Run, row.run_id)
    where = registry.stage(row, release)
    return {
        "name": row.model,
        "version": row.version,
        "stage": where,
        "state": row.state,
        "algorithm": row.algorithm,
        "serving": where == "production",
        "threshold": releases.threshold(release, row),
        "metrics": row.metrics,
        "gate": row.gate,
        "verdict": registry.verdict(row, serves=where == "production"),
        "overridden": row.overridden,
        "parameters": run.parameters if run else {},
        "datasets": {
            "train": row.train_dataset_id,
            "test": row.test_dataset_id,
            "reference": row.reference_dataset_id,
        },
        "signature": row.signature,
        "artifact": row.artifact,
        "registered_at": row.at.isoformat(),
    }


def past(session: Session, name: str, at: datetime | None) -> dict[str, Any]:
    """Return what served when and why, newest first; with `at` only what served then.

    Raises: NotFoundError (no such model, or nothing served then).
    """
    model = specs.active(session, name).name
    found = [releases.served_at(session, model, at)] if at else releases.past(session, model)
    return {"model": model, "history": [one.to_dict() for one in found]}


def training(session: Session, job_id: str) -> dict[str, Any]:
    """Return how far a training is. Raises: NotFoundError (no job of this id is a training)."""
    run = session.scalars(select(Run).filter_by(job_id=job_id)).first()
    if run is None:
        raise NotFoundError("there is no training with this job id")
    job = jobs.get(session, job_id)
    return {
        "job_id": job.id,
        "status": job.state,
        "done": job.done,
        "total": job.total,
        "note": job.note,
        "error": run.error or job.error,
        "version": run.version,
        "metrics": run.metrics,
        "lines": [line.text for line in jobs.lines(session, job_id)][-200:],
    }
