"""`Idempotency-Key`: a request that changes something, sent again, gets its first answer again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request, Response

from api import errors
from core import idempotency
from core.errors import PilothouseError
from core.idempotency import Claim, Kept
from core.keys import Caller
from core.serving.service import Service

log = logging.getLogger("api")
HEADER = "Idempotency-Key"
REPLAYED = {"Idempotent-Replayed": "true"}
Answering = Callable[[Request], Awaitable[Response]]


async def documented(
    _key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            description="Sent again within 24 hours, with the same body, the request is not done "
            "again: you get the first answer, with `Idempotent-Replayed: true`.",
            min_length=1,
            max_length=idempotency.LONGEST,
        ),
    ] = None,
) -> None:
    """Say in OpenAPI that a route takes the header; `once` reads it."""


async def once(service: Service, caller: Caller, request: Request, answer: Answering) -> Response:
    """Answer a request; one that carries the header is carried out once.

    Raises: InvalidInputError (the key names another request); InProgressError.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return await answer(request)
    where = f"{request.method} {request.url.path}?{request.url.query}"
    content = idempotency.digest(where.encode(), await request.body())
    found = await asyncio.to_thread(
        idempotency.begin, service.db, owner=caller.key_id, key=key, content=content
    )
    if isinstance(found, Kept):
        return _again(found)
    return await _first(service, found, request, answer)


def _again(kept: Kept) -> Response:
    kind = "application/json" if kept.status < 400 else errors.MEDIA_TYPE
    return Response(kept.answer, kept.status, headers=REPLAYED, media_type=kind)


async def _first(service: Service, claim: Claim, request: Request, answer: Answering) -> Response:
    try:
        done = await _answered(request, answer)
    except Exception:  # whatever it was: the name is free again, and the fault goes its way
        await _noted(service, claim, None)
        raise
    await _noted(service, claim, done)
    return done


async def _answered(request: Request, answer: Answering) -> Response:
    try:
        return await answer(request)
    except errors.EXPECTED as error:
        return await errors.answer(request, error)


async def _noted(service: Service, claim: Claim, done: Response | None) -> None:
    """Keep an answer; a fault of ours is not kept, so that sending again tries again."""
    try:
        if done is None or done.status_code >= 500:
            await asyncio.to_thread(idempotency.give_up, service.db, claim)
        else:
            kept = Kept(done.status_code, bytes(done.body).decode())
            await asyncio.to_thread(idempotency.finish, service.db, claim, kept)
    except PilothouseError as problem:  # what was done stays done, and the client hears of it
        log.error("the answer to a named request could not be kept: %s", problem)
