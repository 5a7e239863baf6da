"""GET /monitoring/status: all models in one answer."""

from typing import Annotated, Any

from fastapi import Query

from api import auth
from api.auth import Serving
from api.docs import guarded
from api.schemas import Monitoring
from core.serving import overview

router = auth.router("read", tag="monitoring")


@router.get("/monitoring/status", response_model=Monitoring, responses=guarded(422, 503))
def status(service: Serving, hours: Annotated[int, Query(ge=1, le=24 * 90)] = 24) -> dict[str, Any]:
    """Sum up traffic, accuracy, incidents and alerts of the last hours."""
    with service.db.read() as session:
        return overview.monitoring(session, hours=hours, now=service.clock())
