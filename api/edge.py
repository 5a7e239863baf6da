"""The layer around all routes: bounds bodies and the work at once, and measures every request."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors, request_ids
from api.instruments import Instruments
from core.clock import monotonic
from core.serving.service import Service

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_STREAMS = frozenset({"/predict/stream"})  # routes that bound each line instead of the body
_SLOW = "/predict"  # what the fast path hands on: refused here at a third of what the route costs
_HEALTH = "/health"  # asked by who decides whether this process lives: answered always
_AGAIN = {"Retry-After": "1"}


class Edge:
    """A bound on what comes in; a name and a measurement for what goes out."""

    def __init__(self, app: ASGIApp, service: Service, instruments: Instruments) -> None:
        self.app = app
        self.service = service
        self.instruments = instruments
        self.working = {False: 0, True: 0}  # requests, and streams

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

        path = scope["path"]
        turn = _Turn(self, free=path.startswith(_HEALTH), stream=path in _STREAMS)
        try:
            if path == _SLOW and self.service.aside.full:
                await errors.refusal(503, _AGAIN)(scope, receive, watched)
            elif _comes_with_a_body(scope):
                await self.app(scope, self._bounded(scope, receive, turn), watched)
            elif turn.take():
                await self.app(scope, receive, watched)
            else:
                await errors.refusal(503, _AGAIN)(scope, receive, watched)
        finally:
            turn.end()
            what = _named(scope)
            note(self.service, self.instruments, what, status, monotonic() - start)

    def _bounded(self, scope: Scope, receive: Receive, turn: "_Turn") -> Receive:
        """Count what arrives; work begins when all is there, so that slow senders take none.

        A body in another coding is refused as soon as somebody who may send one reads it.
        """
        left = most = self.service.settings.max_body_bytes
        coded = is_coded(scope)

        async def counted() -> Message:
            nonlocal left
            if coded:
                raise HTTPException(422, errors.COMPRESSED)
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, errors.TOO_LARGE.format(most))
            if not message.get("more_body") and not turn.take():
                raise HTTPException(503, headers=_AGAIN)
            return message

        return counted


class _Turn:
    """One request's place among those in work, `max_concurrency` of them at most.

    Streams last as long as their clients like: they have places of their own, a quarter more, so
    that all of them together keep no other request from its place.
    """

    def __init__(self, edge: Edge, *, free: bool, stream: bool) -> None:
        self.edge = edge
        self.free = free
        self.stream = stream
        self.taken = False

    def take(self) -> bool:
        """Take a place, once. Return whether there was one."""
        if not self.taken and not self.free:
            most = self.edge.service.settings.max_concurrency
            if self.edge.working[self.stream] >= (-(-most // 4) if self.stream else most):
                return False
            self.edge.working[self.stream] += 1
            self.taken = True
        return True

    def end(self) -> None:
        """Give the place back."""
        self.edge.working[self.stream] -= self.taken


def note(
    service: Service,
    instruments: Instruments,
    what: tuple[str, str],
    status: int,
    seconds: float,
    n: int = 1,
) -> None:
    """Count `n` requests that ended together, `what` being their route and method."""
    instruments.request(*what, status, seconds, n)
    service.traffic.request(seconds * 1000, failed=status >= 500, n=n)


def _named(scope: Scope) -> tuple[str, str]:
    route = str(getattr(scope.get("route"), "path", "other"))
    return route, scope["method"] if scope["method"] in _METHODS else "OTHER"


def is_coded(scope: Scope) -> bool:
    """Say whether a body comes compressed, or in another coding."""
    given = [value for name, value in scope["headers"] if name == b"content-encoding"]
    return any(value.strip().lower() != b"identity" for value in given)


def _comes_with_a_body(scope: Scope) -> bool:
    if scope["path"] in _STREAMS or scope["method"] in ("GET", "HEAD"):
        return False  # it is worked on as it comes, or nothing that comes is read
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
