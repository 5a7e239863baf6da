"""Alerts, incidents and silences: what is wrong, and what need not be told."""

from typing import Annotated, Any

from fastapi import Query

from api import auth
from api.alert_schemas import (
    AlertList,
    AlertState,
    Cause,
    IncidentList,
    Reason,
    SilenceBody,
    Silenced,
    SilenceList,
    SilencePreview,
    SilenceRow,
)
from api.auth import Asking, Serving
from api.docs import guarded
from api.schemas import JobId, ModelName
from core import incidents
from core.incidents import reading as alerts
from core.incidents import rows, silences
from core.specs.alerts import RuleName, Severity

reading = auth.router("read", tag="monitoring")
operating = auth.router("operate", tag="monitoring")
Limit = Annotated[int, Query(ge=1, le=1_000)]


@reading.get("/api/v1/monitoring/alerts", response_model=AlertList, responses=guarded(422, 503))
def listed(
    service: Serving,
    model: ModelName | None = None,
    state: AlertState | None = None,
    severity: Severity | None = None,
    rule: RuleName | None = None,
    limit: Limit = 200,
) -> dict[str, Any]:
    """Return alerts as they are stored, the newest first."""
    wanted: dict[str, Any] = {"model": model, "state": state, "severity": severity, "rule": rule}
    with service.db.read() as session:
        found = alerts.found(session, **wanted, limit=limit)
    return {"alerts": [rows.alert(row) for row in found]}


@reading.get(
    "/api/v1/monitoring/incidents", response_model=IncidentList, responses=guarded(422, 503)
)
def known(
    service: Serving,
    model: ModelName | None = None,
    open_only: bool = False,
    limit: Limit = 200,
) -> dict[str, Any]:
    """Return incidents with their timelines, the newest first."""
    with service.db.read() as session:
        found = incidents.all(session, model=model, open_only=open_only, limit=limit)
    return {"incidents": [rows.incident(row) for row in found]}


@reading.get("/api/v1/monitoring/silences", response_model=SilenceList, responses=guarded(422, 503))
def silent(service: Serving, limit: Limit = 200) -> dict[str, Any]:
    """Return silences, the one that ends last first."""
    with service.db.read() as session:
        found = silences.all(session, limit=limit)
    return {"silences": [rows.silence(row, service.clock()) for row in found]}


@reading.get(
    "/api/v1/monitoring/silences/preview",
    response_model=SilencePreview,
    responses=guarded(404, 422, 503),
)
def preview(
    service: Serving,
    model: Silenced | None = None,
    rule: RuleName | None = None,
    cause: Annotated[Cause | None, Query()] = None,
    severity: Severity | None = None,
) -> dict[str, Any]:
    """Return what such a silence would cover; nothing is made."""
    given = {"model": model, "rule": rule, "cause": cause, "severity": severity}
    matchers = {name: str(value) for name, value in given.items() if value}
    with service.db.read() as session:
        return rows.preview(silences.preview(session, matchers, service.clock()))


@operating.post(
    "/api/v1/monitoring/silences",
    response_model=SilenceRow,
    status_code=201,
    responses=guarded(404, 413, 422, 503),
)
def silence(body: SilenceBody, service: Serving, caller: Asking) -> dict[str, Any]:
    """Silence what matches for some hours; critical alerts only where the body names them."""
    given = body.model_dump(include=set(silences.MATCHERS), exclude_none=True)
    row = silences.create(
        service.db,
        caller.actor,
        matchers=given,
        hours=body.hours,
        comment=body.comment,
        starts_at=body.starts_at,
    )
    return rows.silence(row, service.clock())


@operating.delete(
    "/api/v1/monitoring/silences/{silence_id}",
    response_model=SilenceRow,
    responses=guarded(404, 409, 422, 503),
)
def unsilence(
    silence_id: JobId, reason: Annotated[Reason, Query()], service: Serving, caller: Asking
) -> dict[str, Any]:
    """End a silence early; what still fires is told within a minute."""
    row = silences.end(service.db, caller.actor, silence_id, reason)
    return rows.silence(row, service.clock())
