"""Trainings: asking for one, following it, and the history."""

from typing import Annotated, Any

from fastapi import Query

from api import auth
from api.auth import Asking, Serving
from api.docs import guarded
from api.schemas import (
    JobId,
    ModelName,
    RetrainingBody,
    RetrainingHistory,
    TrainingBody,
    TrainingStarted,
    TrainingStatus,
)
from core import runs
from core.serving import overview
from core.specs import options

reading = auth.router("read", tag="training")
operating = auth.router("operate", tag="training")


@operating.post(
    "/api/v1/training/start",
    status_code=202,
    response_model=TrainingStarted,
    responses=guarded(404, 409, 413, 422, 503),
)
def start(body: TrainingBody, service: Serving, caller: Asking) -> dict[str, Any]:
    """Queue a training; it yields a candidate, and never changes what serves."""
    return _queued(body, service, caller, kind="train")


@operating.post(
    "/api/v1/training/trigger-retraining",
    status_code=202,
    response_model=TrainingStarted,
    responses=guarded(404, 409, 413, 422, 503),
)
def retrain(body: RetrainingBody, service: Serving, caller: Asking) -> dict[str, Any]:
    """Queue a training on the rows of what serves and the labelled ones from production.

    It yields a candidate that is judged on both; it never changes what serves.
    """
    return _queued(body, service, caller, kind="retrain")


def _queued(body: TrainingBody, service: Serving, caller: Asking, *, kind: str) -> dict[str, Any]:
    with service.db.read() as session:
        model = overview.named(session, body.model_name, service.board)
    run = runs.request(
        service.db,
        caller.actor,
        model,
        kind=kind,
        candidates=list(body.model_types) if body.model_types else None,
        trigger="api",
        reason=body.trigger_reason,
        options=options.asked(
            search=body.hyperparameter_optimization,
            auto_deploy_threshold=body.auto_deploy_threshold,
            others=body.config_overrides,
        ),
    )
    return {
        "job_id": run.job_id,
        "run_id": run.id,
        "status": run.state,
        "status_url": f"/api/v1/training/status/{run.job_id}",
    }


@reading.get(
    "/api/v1/training/status/{job_id}",
    response_model=TrainingStatus,
    responses=guarded(404, 422, 503),
)
def status(job_id: JobId, service: Serving) -> dict[str, Any]:
    """Say how far a training is."""
    with service.db.read() as session:
        return overview.training(session, job_id)


@reading.get("/retraining/history", response_model=RetrainingHistory, responses=guarded(422, 503))
def history(
    service: Serving,
    limit: Annotated[int, Query(ge=1, le=500)] = 20,
    model: Annotated[ModelName | None, Query()] = None,
) -> dict[str, Any]:
    """Return trainings with what came of them, newest first."""
    with service.db.read() as session:
        return {"history": overview.retrainings(session, model, limit=limit)}
