"""`POST /predict` without a framework: the one route that is asked thousands of times a second.

What is plain is answered here. Whatever is not (another content type, a body that does not fit, a
slow model) goes on to the route in `api/predict.py` with the body already read, so that there is
one place for each sentence about what is wrong.
"""

import asyncio
import logging
from collections.abc import Mapping

import orjson
from msgspec import json
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import auth, edge, errors, request_ids
from api.instruments import Instruments
from core.clock import monotonic
from core.errors import PilothouseError
from core.keys import Caller
from core.serving import predict
from core.serving.predict import Request
from core.serving.service import Service

log = logging.getLogger("api")
PATH = "/predict"
_KINDS = frozenset({b"application/json", b"application/json; charset=utf-8"})
_NUL = b"\\u0000"  # how JSON spells it; some fields refuse it, which the slow way says in words
_decode = json.Decoder(Request).decode


class Fast:
    """The outermost ASGI application: answers plain predictions, and hands on everything else."""

    def __init__(self, app: ASGIApp, service: Service, instruments: Instruments) -> None:
        self.app = app
        self.service = service
        self.instruments = instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            await self._predict(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = monotonic()
        headers = dict(reversed(scope["headers"]))  # of two with one name the first counts
        name = request_ids.begin(headers.get(request_ids.HEADER))
        try:
            caller = self._admit(scope, headers)
            body = await self._body(receive)
            request = _plain(headers, body)
            answer: bytes | Response | None = None
            if request is not None and predict.is_quick(self.service, request.model):
                answer = orjson.dumps(await self._answer(caller, request))
        except PilothouseError as error:
            answer = errors.expected(error)
        except _RefusedError as refused:
            answer = errors.refusal(refused.status)
        except Exception:  # the client hears of a fault of ours in the same words everywhere
            log.exception("a prediction failed")
            answer = errors.refusal(500)
        if answer is None:
            await self._replay(scope, body, receive, send, caller)
            return
        status = await _send(scope, receive, send, answer, name)
        edge.note(self.service, self.instruments, (PATH, "POST"), status, monotonic() - start)

    def _admit(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Caller:
        start = monotonic()
        client = scope.get("client")
        caller = auth.admit(
            self.service,
            "predict",
            key=_text(headers.get(b"x-api-key")),
            bearer=_text(headers.get(b"authorization")),
            remote=client[0] if client else "",
        )
        self.service.stages.note("auth", monotonic() - start)
        return caller

    async def _body(self, receive: Receive) -> bytes:
        """Return the whole body. Raises: _RefusedError (too large, or the client went away)."""
        most, body, more = self.service.settings.max_body_bytes, b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _RefusedError(400)
            body += message.get("body", b"")
            if len(body) > most:
                raise _RefusedError(413)
            more = message.get("more_body", False)
        return body

    async def _answer(self, caller: Caller, request: Request) -> predict.Answer:
        begun = predict.begin(self.service, caller, request)
        if begun.pending is not None:
            await asyncio.wrap_future(begun.pending)
        return predict.finish(self.service, caller, begun)

    async def _replay(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, caller: Caller
    ) -> None:
        """Hand a request on with the body that was read; `auth` finds who asks in the scope."""
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        scope[auth.ADMITTED] = caller
        await self.app(scope, again, send)


class _RefusedError(Exception):
    """What the edge refuses, by its status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _plain(headers: Mapping[bytes, bytes], body: bytes) -> Request | None:
    """Return the request where nothing is odd about it."""
    if headers.get(b"content-type") not in _KINDS or _NUL in body:
        return None
    try:
        return _decode(body)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, or not as the fields want it
        return None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


async def _send(
    scope: Scope, receive: Receive, send: Send, answer: bytes | Response, name: bytes
) -> int:
    """Send an answer or a problem, and return its status."""
    if isinstance(answer, Response):
        answer.raw_headers.append((request_ids.HEADER, name))
        await answer(scope, receive, send)
        return answer.status_code
    length = str(len(answer)).encode()
    headers = [(b"content-length", length), _JSON, (request_ids.HEADER, name)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
    return 200


_JSON = (b"content-type", b"application/json")
