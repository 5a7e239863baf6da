"""The REST service: `uvicorn api.main:create --factory`."""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Receive, Scope, Send

from api import (
    alerts,
    docs,
    elsewhere,
    errors,
    experiments,
    explain,
    features,
    feedback,
    health,
    metrics,
    models,
    monitoring,
    outside,
    predict,
    recommendations,
    stream,
    tokens,
    training,
)
from api.edge import Edge
from api.fast import Fast
from api.instruments import Instruments
from api.protocol import DOORS, Doors
from core import lifeline, logs
from core.serving import service as serving
from core.serving.service import Service
from core.settings import Settings

if TYPE_CHECKING:
    from api.tracing import Traced

ROUTERS = (
    predict.router,
    predict.batches,
    stream.router,
    feedback.router,
    health.router,
    metrics.prometheus,
    metrics.router,
    models.reading,
    models.operating,
    explain.asking,
    explain.reading,
    training.reading,
    training.operating,
    monitoring.reading,
    monitoring.operating,
    alerts.reading,
    alerts.operating,
    outside.router,
    elsewhere.router,
    experiments.router,
    experiments.operating,
    recommendations.reading,
    recommendations.deciding,
    features.reading,
    features.operating,
    tokens.router,
)


TURN_SECONDS = 0.0001
"""How long a thread may compute in Python while another one waits for its turn.

An answer gives up its turn at each read and write, and had to wait up to 5 ms to get it back where
a shadow, a batch or a load computes: p99 beside a shadow of 100 trees 28 ms, with this 10 ms.
"""

_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}
"""The framework's own would tell paths, queries and addresses; `api.tracing` tells none of them."""


class Application(FastAPI):
    """FastAPI, and in front of all its layers the fast path."""

    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.front(scope, receive, send)

    async def slow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the fast path hands on."""
        await super().__call__(scope, receive, send)


def create() -> FastAPI:
    """Build the service of one api process from the settings."""
    settings = Settings()
    if settings.api_workers > 1:
        lifeline.end_with_parent()  # the one that started the others
    logs.start("api", settings)
    sys.setswitchinterval(TURN_SECONDS)
    gc.collect()
    gc.freeze()  # what is loaded by now stays, and need not be looked through again and again
    return build(serving.build(settings))


def build(service: Service) -> FastAPI:
    """Build the routes around a service; it starts and ends with the application."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        service.start()
        app.state.instruments.start()
        at_once = None if traced else fast.at_once
        yield {DOORS: Doors(service.settings, app.state.instruments.refused, at_once)}
        service.close()
        app.state.instruments.close()
        if traced:
            traced.close()

    app = Application(
        title="Pilothouse",
        version=version("pilothouse"),
        description=docs.DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.service = service
    app.state.instruments = Instruments(service)
    app.add_middleware(Edge, service=service, instruments=app.state.instruments)
    fast = Fast(app.slow, service, app.state.instruments)
    traced = _traced(service, fast)
    app.front = traced or fast
    errors.install(app)
    docs.install(app)
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    return app


def _traced(service: Service, app: ASGIApp) -> "Traced | None":
    if not service.settings.otel_endpoint:
        return None
    from api import tracing

    return tracing.install(service, app)
