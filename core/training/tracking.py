"""Showing finished trainings on a tracking server: once, from what is stored, at any later time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from core import jobs, registry, runs, specs
from core.datasets import schema, versions
from core.db import Command, Database
from core.errors import ConflictError
from core.serving import artifacts
from core.settings import Settings
from core.tables.entities import ModelVersion, Run
from core.tables.operational import Job

MOST_EXAMPLES = 5
SOON = timedelta(minutes=2)  # by then the training has shown itself, where nothing was in the way
MOST_ATTEMPTS = 100


@dataclass(frozen=True)
class FinishedRun:
    """What a tracking server is told about a training; all figures are those of the version."""

    run_id: str
    model: str
    version: str
    kind: str
    trigger: str
    algorithm: str
    parameters: dict[str, Any]
    leaderboard: list[dict[str, Any]]
    metrics: dict[str, Any]
    gate: dict[str, Any]
    signature: dict[str, Any]
    examples: list[Any]  # texts, or features by name
    dataset_source: str
    dataset_digest: str
    dataset_rows: int
    artifact_path: str
    card: str  # the model card, in Markdown
    started_at: datetime
    finished_at: datetime


class Tracker(Protocol):
    """Where finished trainings are shown to people outside the product."""

    def log(self, run: FinishedRun) -> str | None:
        """Keep the run and return its id there.

        Raises: UnavailableError (a note in the job's log, never an error of the training).
        """
        ...


def make_sure(command: Command, run_id: str) -> Job:
    """Queue the job that shows a training, should the training itself not get to it."""
    return jobs.enqueue(
        command.session,
        "track",
        {"run_id": run_id},
        now=command.now,
        key=f"track:{run_id}",
        max_attempts=MOST_ATTEMPTS,
        delay=SOON,
    )


def pause(attempt: int) -> timedelta:
    """Return how long a server that is away is left alone: a minute first, an hour at most.

    >>> [pause(attempt).total_seconds() / 60 for attempt in (1, 2, 3, 90)]
    [1.0, 2.0, 4.0, 60.0]
    """
    return timedelta(minutes=min(60, 2 ** min(attempt - 1, 6)))


def once(db: Database, settings: Settings, tracker: Tracker, run_id: str) -> str | None:
    """Show a finished training unless that was done; return its id on the tracking server.

    Raises: UnavailableError (the server); NotFoundError (its data is gone); ConflictError (it
    yielded no version).
    """
    with db.read() as session:
        run = runs.get(session, run_id)
        if run.mlflow_run_id is not None:
            return run.mlflow_run_id
        if run.version is None:
            raise ConflictError(f"the training {run_id} yielded no version to show")
        version = registry.get(session, run.model, run.version)
    there = tracker.log(_finished(db, settings, run, version))
    if there is not None:
        runs.note_tracking(db, run_id, there)
    return there


def _finished(db: Database, settings: Settings, run: Run, version: ModelVersion) -> FinishedRun:
    with db.read() as session:
        spec = specs.at_version(session, run.model, run.spec_version)
        ids = (version.train_dataset_id, version.test_dataset_id, version.reference_dataset_id)
        dataset, test, sample = (versions.get(session, id_) for id_ in ids)
    rows = schema.conform(versions.frame(settings, test).head(MOST_EXAMPLES), spec)
    examples = schema.inputs(rows, spec)
    return FinishedRun(
        run_id=run.id,
        model=run.model,
        version=version.version,
        kind=run.kind,
        trigger=run.trigger,
        algorithm=version.algorithm,
        parameters={**run.parameters, "decision_threshold": _threshold(version)},
        leaderboard=run.leaderboard,
        metrics=version.metrics,
        gate=version.gate,
        signature=version.signature,
        examples=examples if isinstance(examples, list) else examples.to_dict("records"),
        dataset_source=dataset.source,
        dataset_digest=dataset.digest,
        dataset_rows=dataset.n_rows,
        artifact_path=str(artifacts.path(settings, version.artifact)),
        card=registry.card(version, title=spec.title, run=run, datasets=(dataset, test, sample)),
        started_at=run.started_at or run.at,
        finished_at=run.finished_at or run.at,
    )


def _threshold(version: ModelVersion) -> float:
    return 0.5 if version.threshold is None else version.threshold
