"""Models and versions: what is there, what serves, and taking a release back."""

from typing import Annotated, Any

from fastapi import Query

from api import auth
from api.auth import Asking, Serving
from api.docs import guarded
from api.schemas import Comparison, ModelName, Models, Rollback, RollbackBody, Version, VersionName
from core import outbox, releases
from core.serving import overview

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


@reading.get(
    "/api/v1/models/{name}/{version}", response_model=Version, responses=guarded(404, 422, 503)
)
def version(service: Serving, name: ModelName, version: VersionName) -> dict[str, Any]:
    """Return one registered version with its metrics, gate and signature."""
    with service.db.read() as session:
        return overview.version(session, name, version)
