"""Who is asking: every guarded route checks the key before it reads the body."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ClassVar, Literal

import orjson
from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader

from core.errors import ForbiddenError, UnauthenticatedError
from core.keys import Caller
from core.serving.service import Service

Scope = Literal["open", "metrics", "predict", "feedback", "read", "operate"]
HEADER = "X-API-Key"
_LONGEST_KEY = 200
_header = APIKeyHeader(
    name=HEADER, auto_error=False, description="A key made by `pilothouse keys create`."
)


class StrictRequest(Request):
    """A request whose JSON is read strictly: no NaN, no lone surrogates, bounded nesting."""

    async def json(self) -> Any:  # noqa: ANN401 (whatever the client sent)
        """Return the body. Raises: orjson.JSONDecodeError."""
        return orjson.loads(await self.body())


class GuardedRoute(APIRoute):
    """A route that one scope opens; `open` needs no key, `metrics` only where settings say so."""

    scope: ClassVar[Scope] = "open"

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the check of the key in front of everything that FastAPI does."""
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            service: Service = request.app.state.service
            needed = self.scope
            if needed == "metrics":
                needed = "read" if service.settings.metrics_need_key else "open"
            if needed != "open":
                request.state.caller = admit(
                    service,
                    needed,
                    key=request.headers.get(HEADER),
                    bearer=request.headers.get("Authorization"),
                    remote=request.client.host if request.client else "",
                )
            return await answer(StrictRequest(request.scope, request.receive))

        return guarded


def admit(
    service: Service, scope: Scope, *, key: str | None, bearer: str | None, remote: str
) -> Caller:
    """Check credentials, scope and rate; the one place that does.

    `key` and `bearer` are the whole values of the headers X-API-Key and Authorization, `remote`
    is the address that asks.

    Raises: UnauthenticatedError; ForbiddenError (the caller lacks `scope`); TooManyRequestsError.
    """
    try:
        caller = _identify(service, key, bearer)
    except UnauthenticatedError:
        if key or bearer:
            service.rates.refused(remote)
        raise
    service.rates.spend(caller.key_id, caller.rate_limit)
    if not caller.may(scope):
        raise ForbiddenError(f"this key lacks the scope {scope}")
    return caller


def charge(service: Service, caller: Caller, items: int) -> None:
    """Count the items of a batch beyond the first, which `admit` counted.

    Raises: TooManyRequestsError; TooLargeError (more items than the limit allows in a minute).
    """
    service.rates.spend(caller.key_id, caller.rate_limit, items - 1)


def _identify(service: Service, key: str | None, bearer: str | None) -> Caller:
    if not key:
        raise UnauthenticatedError(f"this route needs a key in the header {HEADER}")
    return service.board.keys.check(key[:_LONGEST_KEY], service.clock())


def router(scope: Scope, *, tag: str) -> APIRouter:
    """Return a router whose routes are opened by `scope`."""
    guarded = type(f"{scope.title()}Route", (GuardedRoute,), {"scope": scope})
    needs_key = scope not in ("open", "metrics")
    dependencies = [Security(_header)] if needs_key else []
    return APIRouter(route_class=guarded, tags=[tag], dependencies=dependencies)


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Serving = Annotated[Service, Depends(_service)]
Asking = Annotated[Caller, Depends(_caller)]
