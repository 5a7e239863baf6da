"""POST /auth/token: a short-lived token, for a key or for a name and password."""

import asyncio
import threading
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from api import auth
from api.auth import Serving
from api.docs import guarded
from api.token_schemas import TokenAnswer, TokenBody
from core import users
from core.errors import InvalidInputError, UnauthenticatedError, UnavailableError
from core.keys import Caller
from core.serving.service import Service
from core.tokens import Issued

router = auth.router("credentials", tag="access")
_free = threading.BoundedSemaphore(2)


async def _holder(request: Request) -> Caller | None:
    holder: Caller | None = request.state.caller
    return holder


@router.post("/auth/token", response_model=TokenAnswer, responses=guarded(413, 422, 429, 503))
async def issue(
    request: Request,
    answer: Response,
    service: Serving,
    holder: Annotated[Caller | None, Depends(_holder)],
    body: TokenBody | None = None,
) -> dict[str, Any]:
    """Exchange a key in X-API-Key, or a person's name and password, for a token.

    A key's token opens what the key opens, or fewer scopes when you name them; it never decides. A
    person's token opens what their role does.
    """
    asked = body or TokenBody()
    issued = await _issued(service, holder, asked, auth.remote_of(request))
    answer.headers["Cache-Control"] = "no-store"
    return {
        "access_token": issued.token,
        "token_type": "bearer",
        "expires_in": issued.seconds,
        "scopes": issued.scopes,
    }


async def _issued(service: Service, holder: Caller | None, asked: TokenBody, remote: str) -> Issued:
    if holder and (asked.name is not None or asked.password is not None):
        raise InvalidInputError("give either a key or a name and password, not both")
    if holder:
        return service.tokens.for_key(holder, scopes=asked.scopes, now=service.clock())
    if asked.name is None or asked.password is None:
        raise UnauthenticatedError("give a key in X-API-Key, or name and password in the body")
    service.rates.tried(remote)
    return await _aside(service, asked.name, asked.password.get_secret_value(), asked.scopes)


async def _aside(service: Service, name: str, password: str, scopes: list[Any] | None) -> Issued:
    """Check the password in a thread, two at a time: each costs a quarter of a second."""

    def one() -> Issued:
        try:
            return _signed_in(service, name, password, scopes)
        finally:
            _free.release()

    if not _free.acquire(blocking=False):
        raise UnavailableError("two sign-ins are being checked already; try again", retry_after=1)
    return await asyncio.to_thread(one)


def _signed_in(service: Service, name: str, password: str, scopes: list[Any] | None) -> Issued:
    user = users.check(service.db, name, password)
    issued = service.tokens.for_person(user, scopes=scopes, now=service.clock())
    hours = service.settings.token_minutes / 60
    users.start_session(service.db, user, via="token", hours=hours)
    return issued
