"""The outermost layer: counts the bytes of a body as they arrive, and measures every request."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import request_ids
from api.instruments import Instruments
from core.clock import monotonic
from core.serving.service import Service

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_STREAMS = frozenset({"/predict/stream"})  # routes that bound each line instead of the body


class Edge:
    """A bound on what comes in; a name and a measurement for what goes out."""

    def __init__(self, app: ASGIApp, service: Service, instruments: Instruments) -> None:
        self.app = app
        self.service = service
        self.instruments = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it ended."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = monotonic(), 500
        name = request_ids.begin(request_ids.given(scope["headers"]))

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (request_ids.HEADER, name)]
            await send(message)

        try:
            bounded = receive if scope["path"] in _STREAMS else self._bounded(receive)
            await self.app(scope, bounded, watched)
        finally:
            what = _named(scope)
            note(self.service, self.instruments, what, status, monotonic() - start)

    def _bounded(self, receive: Receive) -> Receive:
        left = self.service.settings.max_body_bytes

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413)
            return message

        return counted


def note(
    service: Service, instruments: Instruments, what: tuple[str, str], status: int, seconds: float
) -> None:
    """Count one request, `what` being its route and its method."""
    instruments.request(*what, status, seconds)
    service.traffic.request(seconds * 1000, failed=status >= 500)


def _named(scope: Scope) -> tuple[str, str]:
    route = str(getattr(scope.get("route"), "path", "other"))
    return route, scope["method"] if scope["method"] in _METHODS else "OTHER"
