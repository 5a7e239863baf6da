"""POST /predict/stream: very many inputs, one JSON object a line, answered as they arrive.

Memory is bounded whatever the length: what has arrived is answered, and logged, before more is
read, so a client that does not read its answers is not read from either.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from api import auth, edge, errors
from api.auth import Asking, Serving
from api.docs import guarded
from api.schemas import PredictBody
from core.errors import InvalidInputError, PilothouseError, TooLargeError
from core.keys import Caller
from core.serving import predict
from core.serving.service import Service

log = logging.getLogger("api")
router = auth.router("predict", tag="predictions")
MEDIA_TYPE = "application/x-ndjson"
PATH = "/predict/stream"
_CHUNK = 500
Numbered = tuple[int, bytes | PilothouseError]
"""The number of a line, and the line, or why it was not read."""

_ASKED = {
    "description": "One body of POST /predict a line.",
    "required": True,
    "content": {
        MEDIA_TYPE: {
            "schema": {"type": "string"},
            "example": '{"message": "See you at six"}\n{"message": "Claim your prize"}\n',
        }
    },
}
_ANSWERED = {
    "description": "One line per line: its number, and the answer or an error.",
    "content": {
        MEDIA_TYPE: {
            "schema": {"type": "string"},
            "example": '{"line": 1, "prediction": "ham", "confidence": 0.98}\n'
            '{"line": 2, "error": {"status": 422, "detail": "the message is empty"}}\n',
        }
    },
}


@router.post(
    PATH,
    response_class=Response,
    responses={200: _ANSWERED, **guarded(422)},
    openapi_extra={"requestBody": _ASKED},
)
async def predict_stream(request: Request, service: Serving, caller: Asking) -> Response:
    """Answer line by line; a bad line gets an error with its number and never ends the stream.

    Read the answers while you send: the server waits for you to.
    """
    if edge.is_coded(request.scope):
        raise InvalidInputError(errors.COMPRESSED)
    return Stream(service, caller, partial(auth.still, service, "predict", request))


class Stream(Response):
    """Reads lines and sends answers in turn, until the body ends or the client goes away."""

    media_type = MEDIA_TYPE

    def __init__(self, service: Service, caller: Caller, check: Callable[[], None]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.service = service
        self.caller = caller
        self.check = check  # raises once the caller's key or token has ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a chunk of answers for each chunk of lines."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        lines = Lines(self.service.settings.max_body_bytes, self.service.settings.max_stream_items)
        async for part in _bodies(receive):
            for chunk in lines.read(part):
                work = partial(answer, self.service, self.caller, chunk, self.check)
                body = await self.service.aside.run(work, patient=True)
                if start:
                    await send(start)
                    start = {}
                await send({"type": "http.response.body", "body": body, "more_body": True})
            if lines.full or part is None:
                break
        else:
            return  # the client went away
        if start:
            await send(start)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _bodies(receive: Receive) -> AsyncIterator[bytes | None]:
    """Yield the parts of a body, and None at its end; a body that breaks off has no end."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        yield message.get("body", b"")
    yield None


class Lines:
    """Cuts a body into numbered lines, in bounded memory; `full` once the last line was read."""

    def __init__(self, most_bytes: int, most_lines: int) -> None:
        self.full = False
        self._most_bytes = most_bytes
        self._most_lines = most_lines
        self._rest = bytearray()
        self._too_long = False
        self._number = 0

    def read(self, part: bytes | None) -> Iterator[list[Numbered]]:
        r"""Yield chunks of the lines that `part` completes; None completes the last one.

        >>> [line for chunk in Lines(9, 9).read(b'{}\n\n{"a') for line in chunk]
        [(1, b'{}')]
        """
        chunk: list[Numbered] = []
        for line in self._complete(part):
            self._number += 1
            if self._number > self._most_lines:
                self.full = True
                problem = TooLargeError(f"a stream may hold at most {self._most_lines:,} lines")
                chunk.append((self._number, problem))
                break
            if isinstance(line, PilothouseError) or line.strip():
                chunk.append((self._number, line))
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _complete(self, part: bytes | None) -> Iterator[bytes | PilothouseError]:
        if part is None:
            if self._rest or self._too_long:
                yield self._take(b"")
            return
        *ends, rest = part.split(b"\n")
        for end in ends:
            yield self._take(end)
        self._keep(rest)

    def _keep(self, more: bytes) -> None:
        """Keep the begin of a line, and nothing of one that is too long."""
        if len(self._rest) + len(more) > self._most_bytes:
            self._too_long = True
        if self._too_long:
            self._rest.clear()
        else:
            self._rest += more

    def _take(self, end: bytes) -> bytes | PilothouseError:
        self._keep(end)
        line, too_long = bytes(self._rest), self._too_long
        self._rest.clear()
        self._too_long = False
        if too_long:
            return TooLargeError(f"a line may have at most {self._most_bytes:,} bytes")
        return line


def answer(
    service: Service, caller: Caller, lines: Sequence[Numbered], check: Callable[[], None]
) -> bytes:
    """Return one line per line; every answer in it is in the log."""
    asked = [(number, _request(line)) for number, line in lines]
    good = [one for _, one in asked if isinstance(one, predict.Request)]
    answers = iter(_allowed(service, caller, good, check))
    mixed = [(n, next(answers) if isinstance(one, predict.Request) else one) for n, one in asked]
    return b"".join(_line(number, one) for number, one in mixed)


def _allowed(
    service: Service, caller: Caller, good: list[predict.Request], check: Callable[[], None]
) -> list[dict[str, Any] | PilothouseError]:
    try:
        check()
    except PilothouseError as problem:
        return [problem] * len(good)
    return _answers(service, caller, good)


def _answers(
    service: Service, caller: Caller, good: list[predict.Request]
) -> list[dict[str, Any] | PilothouseError]:
    """Answer requests; what keeps all of them from an answer is said of each, and ends nothing."""
    if not good:
        return []
    try:
        auth.charge(service, caller, len(good))
    except PilothouseError as problem:
        half = len(good) // 2
        if not (half and isinstance(problem, TooLargeError)):
            return [problem] * len(good)
        parts = good[:half], good[half:]  # more at once than the caller may ask in a minute
        return [one for part in parts for one in _answers(service, caller, part)]
    return _scored(service, caller, good)


def _scored(
    service: Service, caller: Caller, good: list[predict.Request]
) -> list[dict[str, Any] | PilothouseError]:
    try:
        return predict.predict_all(service, caller, good)
    except PilothouseError as problem:
        return [problem] * len(good)
    except Exception:  # the stream has begun, so that no other answer can be given any more
        log.exception("a chunk of a stream failed")
        fault = predict.ModelFaultError("something unexpected went wrong here; the log says more")
        return [fault] * len(good)


def _request(line: bytes | PilothouseError) -> predict.Request | PilothouseError:
    if isinstance(line, PilothouseError):
        return line
    try:
        return predict.Request(**dict(PredictBody.model_validate(orjson.loads(line))))
    except orjson.JSONDecodeError:
        return InvalidInputError("the line is not valid JSON")
    except ValidationError as error:
        return InvalidInputError(errors.sentence(error.errors(include_input=False), PredictBody))


def _line(number: int, one: dict[str, Any] | PilothouseError) -> bytes:
    content = {"error": errors.problem(one)} if isinstance(one, PilothouseError) else one
    return orjson.dumps({"line": number, **content}) + b"\n"
