"""`POST /predict` without a framework: the one route that is asked thousands of times a second.

What is plain is answered here. Whatever is not (another content type, a body that does not fit, a
slow model) goes on to the route in `api/predict.py` with the body already read, so that there is
one place for each sentence about what is wrong.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence

import orjson
from msgspec import json
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import auth, edge, errors, heads, request_ids
from api.heads import Head
from api.instruments import Instruments
from core.clock import monotonic
from core.errors import PilothouseError, TooLargeError
from core.keys import Caller
from core.logs import naming
from core.serving import predict
from core.serving.predict import Asked, Request
from core.serving.service import Service

log = logging.getLogger("api")
PATH = "/predict"
RAW_PATH = PATH.encode()
_NUL = b"\\u0000"  # how JSON spells it; some fields refuse it, which the slow way says in words
_JSON = b"application/json"
_decode = json.Decoder(Request).decode

Whole = tuple[Head, bytes, str]
"""A request that is there as a whole: its head, its body, and the address that asks."""

Reply = tuple[int, bytes]
"""The status of an answer, and what follows it on the wire: headers, an empty line, the body."""


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
        start, client = monotonic(), scope.get("client")
        head = heads.read(first_of_each(scope["headers"]))
        name = request_ids.begin(head.name)
        caller: Caller | None = scope.get(auth.ADMITTED)
        answer: bytes | Response | None = None
        try:
            caller = caller or self._admit(head, client[0] if client else "")
            body = await self._body(receive)
            request = self._quick(head, body)
            if request is not None:
                begun = predict.begin(self.service, [Asked(caller, request)])
                if begun.pending is not None:
                    await asyncio.wrap_future(begun.pending)
                (result,) = predict.finish(self.service, begun)
                answer = _spelled(result)
        except Exception as error:  # noqa: BLE001 (all that may go wrong ends as a problem)
            answer = _problem(error)
        if answer is None:
            await self._replay(scope, body, receive, send, caller)
            return
        status, headers, content = _reply(answer, name)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        self._note(status, monotonic() - start)

    def at_once(self, every: Sequence[Whole]) -> list[Reply | Caller | None]:
        """Answer requests that came together, without awaiting anything, by one write to the log.

        A caller: this one needs the longer way, on which the caller is admitted already. None: it
        needs it from the start, because an answer has to wait for the disk.
        """
        if self.service.spool.power:
            return [None] * len(every)
        start = monotonic()
        names = request_ids.names([head.name for head, _, _ in every])
        found = self._callers(every)
        asked: dict[int, Asked] = {}
        replies: list[Reply | Caller | None] = []
        for (head, body, _), name, caller in zip(every, names, found, strict=True):
            if isinstance(caller, Caller):
                request = self._quick(head, body)
                if request is not None:
                    asked[len(replies)] = Asked(caller, request, name)
                replies.append(caller)
            else:
                replies.append(_replied(caller, name))
        results = self._results(list(asked.values()))
        for (place, one), result in zip(asked.items(), results, strict=True):
            replies[place] = _replied(result, one.name)
        self._note_all(replies, monotonic() - start)
        return replies

    def _callers(self, every: Sequence[Whole]) -> list[Caller | Exception]:
        """Return who asks, or why it is not answered."""
        start = monotonic()
        found: list[Caller | Exception] = []
        for head, _, remote in every:
            try:
                found.append(self._admitted(head, remote))
            except Exception as error:  # noqa: BLE001 (all that may go wrong ends as a problem)
                found.append(error)
        self.service.stages.note("auth", (monotonic() - start) / len(every), len(every))
        return found

    def _results(self, asked: Sequence[Asked]) -> Sequence[predict.Answer | Exception]:
        """Return an answer or a fault for each; what breaks them together is met one by one."""
        try:
            return predict.finish(self.service, predict.begin(self.service, asked))
        except PilothouseError as problem:
            return [problem] * len(asked)
        except Exception as fault:  # noqa: BLE001 (all that may go wrong ends as a problem)
            if len(asked) == 1:
                return [fault]
            return [self._results([one])[0] for one in asked]

    def _note_all(self, replies: Sequence[Reply | Caller | None], seconds: float) -> None:
        for status, n in Counter(one[0] for one in replies if isinstance(one, tuple)).items():
            self._note(status, seconds, n)

    def _note(self, status: int, seconds: float, n: int = 1) -> None:
        edge.note(self.service, self.instruments, (PATH, "POST"), status, seconds, n)

    def _admit(self, head: Head, remote: str) -> Caller:
        start = monotonic()
        caller = self._admitted(head, remote)
        self.service.stages.note("auth", monotonic() - start)
        return caller

    def _admitted(self, head: Head, remote: str) -> Caller:
        return auth.admit(self.service, "predict", key=head.key, bearer=head.bearer, remote=remote)

    def _quick(self, head: Head, body: bytes) -> Request | None:
        """Return what is plain and quick; None is for the longer way, which says why not."""
        request = _plain(head, body)
        try:
            return request if request and predict.is_quick(self.service, request.model) else None
        except PilothouseError:
            return request  # there is no such model, which `predict.begin` says as well

    async def _body(self, receive: Receive) -> bytes:
        """Return the whole body. Raises: TooLargeError; _RefusedError (the client went away)."""
        most, body, more = self.service.settings.max_body_bytes, b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _RefusedError(400)
            body += message.get("body", b"")
            if len(body) > most:
                raise TooLargeError(errors.TOO_LARGE.format(most))
            more = message.get("more_body", False)
        return body

    async def _replay(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, caller: Caller | None
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


def _plain(head: Head, body: bytes) -> Request | None:
    """Return the request where nothing is odd about it."""
    if not head.plain or _NUL in body:
        return None
    try:
        return _decode(body)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, or not as the fields want it
        return None


def first_of_each(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by name; of two with one name the first counts, as in the longer way.

    >>> first_of_each([(b"a", b"1"), (b"a", b"2")])
    {b'a': b'1'}
    """
    return dict(reversed(headers))


def _problem(error: Exception) -> Response:
    if isinstance(error, PilothouseError):
        return errors.expected(error)
    if isinstance(error, _RefusedError):
        return errors.refusal(error.status)
    log.error("a prediction failed", exc_info=error)  # the client hears only whose fault it was
    return errors.refusal(500)


def _spelled(result: predict.Answer | Exception) -> bytes | Response:
    return _problem(result) if isinstance(result, Exception) else orjson.dumps(result)


def _replied(result: predict.Answer | Exception, name: bytes) -> Reply:
    """Return what `_reply` says, as it is written."""
    if isinstance(result, Exception):
        with naming(name):
            status, headers, content = _reply(_problem(result), name)
        return status, b"".join((*(b"%b: %b\r\n" % one for one in headers), b"\r\n", content))
    answer = orjson.dumps(result)
    return 200, b"content-length: %d\r\ncontent-type: %b\r\nx-request-id: %b\r\n\r\n%b" % (
        len(answer), _JSON, name, answer
    )  # fmt: skip


def _reply(answer: bytes | Response, name: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return status, headers and body."""
    if isinstance(answer, Response):
        headers = [*answer.raw_headers, (request_ids.HEADER, name)]
        return answer.status_code, headers, bytes(answer.body)
    length = (b"content-length", b"%d" % len(answer))
    return 200, [length, (b"content-type", _JSON), (request_ids.HEADER, name)], answer
