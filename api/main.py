"""The REST service: `uvicorn api.main:create --factory`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from api import (
    docs,
    errors,
    experiments,
    explain,
    features,
    feedback,
    health,
    metrics,
    models,
    monitoring,
    predict,
    stream,
    tokens,
    training,
)
from api.edge import Edge
from api.fast import Fast
from api.instruments import Instruments
from core import logs
from core.serving import service as serving
from core.serving.service import Service
from core.settings import Settings

ROUTERS = (
    predict.router,
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
    monitoring.router,
    experiments.router,
    experiments.operating,
    features.reading,
    features.operating,
    tokens.router,
)


class Application(FastAPI):
    """FastAPI, and in front of all its layers the fast path."""

    fast: Fast

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.fast(scope, receive, send)

    async def slow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the fast path hands on."""
        await super().__call__(scope, receive, send)


def create() -> FastAPI:
    """Build the service of one api process from the settings."""
    settings = Settings()
    logs.start("api", settings)
    return build(serving.build(settings))


def build(service: Service) -> FastAPI:
    """Build the routes around a service; it starts and ends with the application."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        app.state.instruments.start()
        yield
        service.close()
        app.state.instruments.close()

    app = Application(
        title="Pilothouse",
        version=version("pilothouse"),
        description=docs.DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.state.instruments = Instruments(service)
    app.add_middleware(Edge, service=service, instruments=app.state.instruments)
    app.fast = Fast(app.slow, service, app.state.instruments)
    errors.install(app)
    docs.install(app)
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    return app
