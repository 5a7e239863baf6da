"""GET /experiments/{name}/status: how an experiment stands."""

from typing import Annotated, Any

from fastapi import Query

from api import auth
from api.auth import Serving
from api.docs import guarded
from api.schemas import ExperimentName, ExperimentStatus, ModelName
from core.errors import NotFoundError
from core.specs import canonical

router = auth.router("read", tag="experiments")


@router.get(
    "/experiments/{name}/status", response_model=ExperimentStatus, responses=guarded(404, 422, 503)
)
def status(
    service: Serving, name: ExperimentName, model: Annotated[ModelName | None, Query()] = None
) -> dict[str, Any]:
    """Return samples, metrics and the verdict; of two with one name the newest, or name a model."""
    from core.experiments import lifecycle  # loads scipy, which no other route needs

    with service.db.read() as session:
        rows = lifecycle.all(session, canonical(model) if model else None)
        found = next((row for row in rows if row.name == name), None)
        if found is None:
            raise NotFoundError("there is no experiment of this name")
        return {"name": found.name, "model": found.model, **lifecycle.status(session, found.id)}
