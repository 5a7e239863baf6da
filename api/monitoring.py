"""Monitoring: all models in one answer, one model's dashboard, reports, and checks on request."""

from typing import Annotated, Any

from fastapi import Query

from api import auth
from api.auth import Asking, Serving
from api.docs import guarded
from api.monitoring_schemas import (
    CheckJob,
    Dashboard,
    Moment,
    Monitoring,
    Report,
    ReportKind,
    Reports,
    RunAsked,
    RunBody,
)
from api.schemas import JobId, ModelName
from core.serving import overview, watched

reading = auth.router("read", tag="monitoring")
operating = auth.router("operate", tag="monitoring")


@reading.get("/monitoring/status", response_model=Monitoring, responses=guarded(422, 503))
def status(service: Serving, hours: Annotated[int, Query(ge=1, le=24 * 90)] = 24) -> dict[str, Any]:
    """Sum up traffic, accuracy, incidents and alerts of the last hours, and each model."""
    with service.db.read() as session:
        return watched.status(session, hours=hours, now=service.clock())


@operating.post(
    "/api/v1/monitoring/run",
    status_code=202,
    response_model=RunAsked,
    responses=guarded(404, 409, 413, 422, 503),
)
def run(service: Serving, caller: Asking, body: RunBody | None = None) -> dict[str, Any]:
    """Ask for a check of the newest windows; while one is queued or running, that is the answer."""
    with service.db.read() as session:
        model = overview.named(session, body.model_name if body else None, service.board)
    job = watched.ask(service.db, caller.actor, model)
    return {
        "job_id": job.id,
        "model": model,
        "status": job.state,
        "status_url": f"/api/v1/monitoring/jobs/{job.id}",
    }


@reading.get(
    "/api/v1/monitoring/jobs/{job_id}",
    response_model=CheckJob,
    responses=guarded(404, 422, 503),
)
def job(job_id: JobId, service: Serving) -> dict[str, Any]:
    """Say how far a check is and what it found."""
    with service.db.read() as session:
        return watched.job(session, job_id)


@reading.get(
    "/api/v1/monitoring/dashboard/{name}",
    response_model=Dashboard,
    responses=guarded(404, 422, 503),
)
def dashboard(name: ModelName, service: Serving) -> dict[str, Any]:
    """Return what the panel says first of a model: drift, accuracy, checks, incidents, alerts."""
    with service.db.read() as session:
        return watched.dashboard(session, name)


@reading.get(
    "/api/v1/monitoring/reports",
    response_model=Reports,
    responses=guarded(404, 422, 503),
)
def reports(
    service: Serving,
    model: Annotated[ModelName | None, Query()] = None,
    kind: Annotated[ReportKind | None, Query()] = None,
    since: Annotated[
        Moment | None, Query(description="Made then or later; UTC where it names no zone.")
    ] = None,
    before: Annotated[JobId | None, Query(description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Return monitor reports, the newest first, page by page."""
    with service.db.read() as session:
        return watched.listed(
            session, model=model, kind=kind, since=since, before=before, limit=limit
        )


@reading.get(
    "/api/v1/monitoring/reports/{report_id}",
    response_model=Report,
    responses=guarded(404, 422, 503),
)
def report(report_id: JobId, service: Serving) -> dict[str, Any]:
    """Return one report with all of its figures."""
    with service.db.read() as session:
        return watched.report(session, report_id)
