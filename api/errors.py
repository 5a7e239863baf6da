"""Every error once: from the product's own tree to problem details (RFC 9457).

A problem never carries what the client sent: names are said only when they are ours.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from api import (
    elsewhere_schemas,
    experiment_schemas,
    model_schemas,
    recommendation_schemas,
    schemas,
    token_schemas,
)
from core.errors import (
    ConflictError,
    ForbiddenError,
    InProgressError,
    InvalidInputError,
    NotFoundError,
    PilothouseError,
    TooLargeError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
)
from core.logs import request_id
from core.serving.predict import ModelFaultError

log = logging.getLogger("api")
MEDIA_TYPE = "application/problem+json"
EXPECTED = (PilothouseError, RequestValidationError, HTTPException)

STATUS: dict[type[PilothouseError], int] = {
    TooLargeError: 413,
    InvalidInputError: 422,
    UnauthenticatedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    InProgressError: 409,
    ConflictError: 409,
    TooManyRequestsError: 429,
    UnavailableError: 503,
    ModelFaultError: 500,
    PilothouseError: 422,
}
TITLES = {
    400: ("malformed", "The request could not be read"),
    401: ("unauthenticated", "No valid key or token"),
    403: ("forbidden", "Not allowed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    408: ("too-slow", "Sent too slowly"),
    409: ("conflict", "Not possible now"),
    413: ("too-large", "Too large"),
    422: ("invalid-input", "Not usable"),
    429: ("too-many-requests", "Too often"),
    431: ("headers-too-large", "Too large"),
    500: ("internal", "A fault of ours"),
    503: ("unavailable", "Not available for the moment"),
}
TOO_LARGE = "the body is larger than the {:,} bytes that this server accepts"
_SAID = frozenset({413, 422})  # what the edge raises, with words of ours
COMPRESSED = "compressed bodies are not taken; send the body as it is, without Content-Encoding"
HEAD_TOO_LARGE = "the headers are larger than the {:,} bytes that this server accepts"
_DETAILS = {
    400: "the request could not be read; send JSON with the content type application/json",
    404: "there is no such route; /docs lists all",
    405: "this route does not answer this method; /docs lists what it answers",
    408: "the request did not arrive in time; send it faster",
    500: "something unexpected went wrong here; the log says more",
    503: "as many requests are in work as this server takes on; try again in a second",
}


def problem(error: PilothouseError) -> dict[str, Any]:
    """Return an expected error as problem details."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return _body(status, str(error), code=error.code if status != 422 else None)


def _body(status: int, detail: str, *, code: str | None = None) -> dict[str, Any]:
    known, title = TITLES.get(status, ("refused", "Refused"))
    return {
        "type": f"/problems/{code or known}",
        "title": title,
        "status": status,
        "detail": detail,
    }


def respond(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return problem details as a response."""
    return Response(
        orjson.dumps(body), body["status"], headers=dict(headers or {}), media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Answer every error of `app` with problem details."""
    app.add_exception_handler(PilothouseError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(Exception, _unexpected)


async def answer(request: Request, error: Exception) -> Response:
    """Return what `app` would answer to one of the `EXPECTED` errors."""
    if isinstance(error, RequestValidationError):
        return await _invalid(request, error)
    if isinstance(error, HTTPException):
        return await _framework(request, error)
    return await _expected(request, error)


async def _expected(_request: Request, error: Exception) -> Response:
    return expected(error if isinstance(error, PilothouseError) else PilothouseError())


def expected(error: PilothouseError) -> Response:
    """Return an expected error as a response."""
    headers = {}
    if isinstance(error, UnavailableError | InProgressError):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, UnauthenticatedError):
        headers["WWW-Authenticate"] = 'ApiKey realm="pilothouse", Bearer realm="pilothouse"'
    return respond(problem(error), headers)


async def _invalid(request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    return respond(_body(422, sentence(problems, _asked_for(request))))


def _asked_for(request: Request) -> type[BaseModel] | None:
    """Return what the body of a request is read as."""
    field = getattr(request.scope.get("route"), "body_field", None)
    kind = getattr(getattr(field, "field_info", None), "annotation", None)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


async def _framework(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return refusal(500)
    words = error.detail if error.status_code in _SAID else None
    return refusal(error.status_code, error.headers, words)


def refusal(
    status: int, headers: Mapping[str, str] | None = None, words: str | None = None
) -> Response:
    """Return what is said of a request that is refused by its status alone, if not in `words`."""
    detail = words or _DETAILS.get(status, "the request was refused")
    return respond(_body(status, detail), headers)


async def _unexpected(_request: Request, _error: Exception) -> Response:
    # this answer is given outside of the edge, which names all others
    named = {"X-Request-ID": request_id.get().decode()}
    return refusal(500, named)


def sentence(problems: Sequence[Any], model: type[BaseModel] | None = None) -> str:
    """Say the first problem of a body or a parameter, without what was sent.

    `model` is what the body was read as; its fields are named to who sent another one.

    >>> sentence([{"type": "missing", "loc": ("body", "label"), "msg": "Field required"}])
    'label: Field required'
    """
    if not problems:
        return "the request is not usable; /docs shows what is"
    first = problems[0]
    if first["type"] == "json_invalid":
        return "the body is not valid JSON (NaN, Infinity and lone surrogates are not either)"
    if first["type"] == "extra_forbidden":
        return _unknown(first["loc"], model)
    where = ".".join(str(part) for part in first["loc"] if part in _names() or _index(part))
    words = _words(first)
    return f"{where}: {words}" if where else words


def _words(first: Mapping[str, Any]) -> str:
    whole = tuple(first["loc"]) == _BODY
    if whole and first["type"] == "missing":
        return "the body is empty; send a JSON object"
    if first["type"] in _NO_OBJECT:
        return f"send a JSON object{' with the content type application/json' if whole else ''}"
    return str(first["msg"]).removeprefix("Value error, ")


def _unknown(place: Sequence[Any], model: type[BaseModel] | None) -> str:
    own = len([part for part in place if part != "body"]) == 1
    known = f"it knows {', '.join(model.model_fields)}" if model and own else _LISTED
    return f"there is a field that this route does not know; {known}"


def _index(part: object) -> bool:
    return isinstance(part, int)


_BODY = ("body",)
_NO_OBJECT = frozenset({"model_attributes_type", "model_type", "dict_type"})
_LISTED = "/docs lists those it knows"
_PARAMETERS = frozenset(
    {
        *("hours", "limit", "name", "version", "v1", "v2", "at", "job_id", "prediction_id"),
        *("recommendation_id", "report_id", "silence_id", "test"),
    }
)
_BODIES = (
    schemas,
    model_schemas,
    token_schemas,
    experiment_schemas,
    elsewhere_schemas,
    recommendation_schemas,
)


@cache
def _names() -> frozenset[str]:
    """Return the names of our own fields and parameters."""
    models = [
        one
        for module in _BODIES
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, BaseModel)
    ]
    fields = {name for model in models for name in model.model_fields}
    return frozenset(fields | _PARAMETERS)
