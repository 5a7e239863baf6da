"""Figures: for Prometheus in its text format, for people and scripts as JSON."""

import resource
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query, Request, Response

from api import auth
from api.auth import Serving
from api.docs import guarded, problems
from api.instruments import Instruments
from api.metric_schemas import Performance
from api.monitoring_schemas import Drift
from api.schemas import Name
from core.serving import overview, watched
from core.serving.stages import Figures

prometheus = auth.router("metrics", tag="metrics")
router = auth.router("read", tag="metrics")
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_SAYS: dict[int | str, dict[str, Any]] = {
    **problems(401, 403, 429, 503),
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
}


@prometheus.get("/metrics", response_class=Response, responses=_SAYS)
@prometheus.get("/metrics/observability", response_class=Response, responses=_SAYS)
def prometheus_text(request: Request) -> Response:
    """Return everything that Prometheus should scrape."""
    instruments: Instruments = request.app.state.instruments
    return Response(instruments.text(), media_type=_TEXT)


@router.get("/metrics/performance", response_model=Performance, responses=guarded())
def performance(service: Serving) -> dict[str, Any]:
    """Return the last five minutes of this process; latencies in milliseconds."""
    return {
        **asdict(service.traffic.figures()),
        "memory_usage_mb": round(memory_mb(), 1),
        "cpu_usage_percent": service.cpu_percent(),
        "stages": {name: _stage(figures) for name, figures in service.stages.figures().items()},
    }


def _stage(figures: Figures) -> dict[str, float | None]:
    return {
        "count": figures.count,
        "p50_ms": _milliseconds(figures.p50),
        "p99_ms": _milliseconds(figures.p99),
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 4)


@router.get("/metrics/drift", response_model=Drift, responses=guarded(404, 422, 503))
def drift(service: Serving, model: Annotated[Name | None, Query()] = None) -> dict[str, Any]:
    """Return the newest drift check of a model, or of the default one."""
    with service.db.read() as session:
        return watched.drift(session, overview.named(session, model, service.board))


def memory_mb() -> float:
    """Return the resident memory of this process; its peak where the system tells only that."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
