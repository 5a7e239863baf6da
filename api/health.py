"""GET /health, /health/live, /health/ready: open, so that a load balancer can ask."""

from typing import Any

from api import auth
from api.auth import Serving
from api.docs import problems
from api.health_schemas import Alive, Health, Ready
from core.errors import PilothouseError
from core.serving import board

router = auth.router("open", tag="health")


@router.get("/health", response_model=Health)
async def health(service: Serving) -> dict[str, Any]:
    """Say how this process is, and why it is degraded; the answer is 200 also then."""
    reasons = service.degraded()
    try:
        service.ready()
    except PilothouseError as problem:
        reasons.insert(0, str(problem))
    main = service.board.main
    return {
        "status": "degraded" if reasons else "healthy",
        "reasons": reasons,
        "model_name": main.model if main else None,
        "current_model_version": main.champion.version if main else None,
        "durability": service.settings.spool_durability,
        "uptime_seconds": round(service.uptime_seconds(), 3),
        "request_count": service.traffic.requests,
        "error_count": service.traffic.errors,
        "models_loaded": [" ".join(pair) for pair in board.loaded(service.board)],
    }


@router.get("/health/live", response_model=Alive)
async def live() -> dict[str, str]:
    """Say that this process answers at all."""
    return {"status": "alive"}


@router.get("/health/ready", response_model=Ready, responses=problems(503))
async def ready(service: Serving) -> dict[str, Any]:
    """Say that the next prediction can be answered and logged, also while something is amiss."""
    service.ready()
    reasons = service.degraded()
    return {"status": "degraded" if reasons else "ready", "reasons": reasons}
