"""Traces by setting (OpenTelemetry over HTTP): one span per request, with its stages below it.

Loaded only where PILOTHOUSE_OTEL_ENDPOINT is set. Spans wait in a bounded queue for a thread that
sends them; while the receiver is down they are dropped, and no request knows of it. A span tells
route, method, status and request id, and nothing that a client wrote.
"""

import importlib
import logging
import threading
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.clock import monotonic, utc_now
from core.logs import request_id
from core.serving.service import Service
from core.serving.stages import Stages

log = logging.getLogger("api")
_SEND_SECONDS = 5
_MOST_STAGES = 100
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_FAST = "/predict"  # answered before a router could name it
_Stage = tuple[str, float, float]  # name, when it ended, how long it took
_stages: ContextVar[list[_Stage] | None] = ContextVar("stages", default=None)


def install(service: Service, app: ASGIApp) -> "Traced | None":
    """Return `app` with traces, or None where the package is missing."""
    try:
        return Traced(app, service, service.settings.otel_endpoint)
    except ImportError:
        log.error("no traces: PILOTHOUSE_OTEL_ENDPOINT needs requirements-otel.txt installed")
        return None


class Traced:
    """An ASGI application that tells of each request after it was answered."""

    def __init__(self, app: ASGIApp, service: Service, endpoint: str) -> None:
        """Raises: ImportError (the exporter is not installed)."""
        self._app, self._provider = app, _provider(endpoint)
        self._tracer = self._provider.get_tracer("pilothouse.api")
        _listen(service.stages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        stages: list[_Stage] = []
        _stages.set(stages)
        start, status = monotonic(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            try:
                self._tell(scope, status, start, stages)
            except Exception:  # a request must not fail because of what is told of it
                log.exception("a request could not be traced")

    def close(self) -> None:
        """Send what waits, if the receiver takes it within seconds."""
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(_SEND_SECONDS)

    def _tell(self, scope: Scope, status: int, start: float, stages: list[_Stage]) -> None:
        from opentelemetry import trace

        shift, end = utc_now().timestamp() - monotonic(), monotonic()

        def nanoseconds(at: float) -> int:
            return int((at + shift) * 1e9)

        attributes = _attributes(scope, status)
        span = self._tracer.start_span(
            f"{attributes['http.request.method']} {attributes['http.route']}",
            context=_caller_of(scope),
            kind=trace.SpanKind.SERVER,
            start_time=nanoseconds(start),
            attributes=attributes,
        )
        if status >= 500:
            span.set_status(trace.StatusCode.ERROR)
        within = trace.set_span_in_context(span)
        for name, ended, seconds in stages:
            began = nanoseconds(ended - seconds)
            self._tracer.start_span(name, context=within, start_time=began).end(nanoseconds(ended))
        span.end(nanoseconds(end))


def _provider(endpoint: str) -> Any:  # noqa: ANN401 (an SDK that is not always there)
    """Return what makes spans and sends them in batches. Raises: ImportError."""
    exporter = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # while the receiver is down it would say so with every batch
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    to = exporter.OTLPSpanExporter(endpoint=address(endpoint), timeout=_SEND_SECONDS)
    named = Resource.create({"service.name": "pilothouse-api"})
    provider = TracerProvider(resource=named, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(to))
    return provider


def address(endpoint: str) -> str:
    """Return where spans go; a bare host and port gets the path that OTLP says.

    >>> address("http://collector:4318/")
    'http://collector:4318/v1/traces'
    >>> address("https://traces.example.org/tenant/v1/traces")
    'https://traces.example.org/tenant/v1/traces'
    """
    bare = urlsplit(endpoint).path in ("", "/")
    return endpoint.rstrip("/") + "/v1/traces" if bare else endpoint


def _listen(stages: Stages) -> None:
    """Let the stages of a request be known to the trace of the same task."""
    count = stages.note

    def note(stage: str, seconds: float, n: int = 1) -> None:
        count(stage, seconds, n)
        seen = _stages.get()
        if seen is not None and len(seen) < _MOST_STAGES:
            seen.append((stage, monotonic(), seconds))

    stages.note = note  # type: ignore[method-assign]


def _attributes(scope: Scope, status: int) -> dict[str, str | int]:
    known = _FAST if scope["path"] == _FAST else "other"
    return {
        "http.request.method": scope["method"] if scope["method"] in _METHODS else "_OTHER",
        "http.route": str(getattr(scope.get("route"), "path", known)),
        "http.response.status_code": status,
        "pilothouse.request_id": request_id.get().decode(),
    }


def _caller_of(scope: Scope) -> Any:  # noqa: ANN401 (an OpenTelemetry context)
    """Return the trace that the client continues here (W3C Trace Context), if it tells one."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    told = {
        name.decode(): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in (b"traceparent", b"tracestate")
    }
    return TraceContextTextMapPropagator().extract(told)
