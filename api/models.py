"""Models and versions: what is there, what serves, and taking a release back."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Query, Response

from api import auth
from api.auth import Asking, Serving
from api.docs import guarded
from api.model_schemas import (
    History,
    Model,
    Models,
    PromoteBody,
    Promotion,
    SideBySide,
    Version,
)
from api.schemas import Comparison, ModelName, Rollback, RollbackBody, VersionName
from core import outbox, recommendations, registry, releases
from core.serving import overview
from core.serving.service import Service

reading = auth.router("read", tag="models")
operating = auth.router("operate", tag="models")


@reading.get("/models/comparison", response_model=Comparison, responses=guarded(404, 422, 503))
def comparison(
    service: Serving, model: Annotated[ModelName | None, Query()] = None
) -> dict[str, Any]:
    """Set the version that serves beside the one that a rollback would go back to."""
    with service.db.read() as session:
        return overview.comparison(session, overview.named(session, model, service.board))


@operating.post(
    "/models/rollback", response_model=Rollback, responses=guarded(404, 409, 413, 422, 503)
)
def roll_back(service: Serving, caller: Asking, body: RollbackBody | None = None) -> dict[str, Any]:
    """Serve again what served before; the audit trail keeps the key and the reason."""
    asked = body or RollbackBody()
    with service.db.read() as session:
        model = overview.named(session, asked.model, service.board)
        bad = releases.current(session, model)
    good = releases.roll_back(
        service.db,
        caller.actor,
        model,
        reason=asked.reason,
        seen=bad.seq,
        channels=outbox.channels(service.settings),
    )
    return {
        "status": "rolled_back",
        "model": model,
        "previous_version": releases.label(bad),
        "rolled_back_to": releases.label(good),
        "timestamp": good.at.isoformat(),
    }


@reading.get("/api/v1/models", response_model=Models, responses=guarded(503))
def models(service: Serving) -> dict[str, Any]:
    """Return every model that has a spec, with what serves of it."""
    with service.db.read() as session:
        return {"models": overview.models(session)}


@reading.get("/api/v1/models/{name}", response_model=Model, responses=guarded(404, 422, 503))
def model(service: Serving, name: ModelName) -> dict[str, Any]:
    """Return one model: what serves, the challenger, and its newest versions."""
    with service.db.read() as session:
        return overview.model(session, name)


@reading.get(
    "/api/v1/models/{name}/history", response_model=History, responses=guarded(404, 422, 503)
)
def history(
    service: Serving,
    name: ModelName,
    at: Annotated[datetime | None, Query(description="Only what served then.")] = None,
) -> dict[str, Any]:
    """Say what served when, by whom and why; a time without a zone is in UTC."""
    moment = at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
    with service.db.read() as session:
        return overview.past(session, name, moment)


@reading.get(
    "/api/v1/models/{name}/compare/{v1}/{v2}",
    response_model=SideBySide,
    responses=guarded(404, 422, 503),
)
def compare(service: Serving, name: ModelName, v1: VersionName, v2: VersionName) -> dict[str, Any]:
    """Set two versions side by side: figures, parameters, data, slices, the same rows."""
    with service.db.read() as session:
        return registry.compare(session, name, v1, v2)


@reading.get(
    "/api/v1/models/{name}/{version}", response_model=Version, responses=guarded(404, 422, 503)
)
def version(service: Serving, name: ModelName, version: VersionName) -> dict[str, Any]:
    """Return one registered version with its stage, metrics, gate and signature."""
    with service.db.read() as session:
        return overview.version(session, name, version)


@operating.post(
    "/api/v1/models/{name}/{version}/promote",
    response_model=Promotion,
    responses={
        **guarded(404, 409, 413, 422, 503),
        202: {"model": Promotion, "description": "A release waits for an approver"},
    },
)
def promote(
    service: Serving,
    caller: Asking,
    answer: Response,
    name: ModelName,
    version: VersionName,
    body: PromoteBody | None = None,
) -> dict[str, Any]:
    """Name the challenger (staging), or propose a release that an approver decides (production).

    What the gate did not let through is proposed only after an approver overrode the gate.
    """
    asked = body or PromoteBody()
    if asked.stage == "staging":
        registry.promote_to_staging(service.db, caller.actor, name, version, reason=asked.reason)
        return _promotion(service, name, version, None)
    made = recommendations.propose_promotion(
        service.db, service.settings, caller.actor, model=name, version=version, reason=asked.reason
    )
    answer.status_code = 202
    return _promotion(service, name, version, made.id if made else None)


def _promotion(service: Service, name: str, version: str, waits: str | None) -> dict[str, Any]:
    with service.db.read() as session:
        found = overview.version(session, name, version)
    link = f"{service.settings.panel_address}/recommendation?id={waits}"
    return {
        "status": "proposed" if waits else "staged",
        "name": found["name"],
        "version": found["version"],
        "stage": found["stage"],
        "recommendation_id": waits,
        "recommendation_url": link if waits else None,
    }
