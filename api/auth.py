"""Who is asking: every guarded route checks key or token before it reads the body."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import orjson
from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer

from api import idempotency
from api.docs import problems
from core import keys
from core.errors import (
    ForbiddenError,
    PilothouseError,
    TooLargeError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
)
from core.keys import Caller
from core.serving.service import Service

Scope = Literal[
    "open", "metrics", "credentials", "predict", "feedback", "read", "alerts", "operate"
]
HEADER = "X-API-Key"
ADMITTED = "pilothouse.caller"
"""Where the fast path leaves who asks, in the scope of a request that it admitted already."""

_LONGEST_KEY = 200
_BEARER = "bearer "
_header = APIKeyHeader(
    name=HEADER, auto_error=False, description="A key made by `pilothouse keys create`."
)
_token = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="A token from `POST /auth/token`."
)


class StrictRequest(Request):
    """A request whose JSON is read strictly: no NaN, no lone surrogates, bounded nesting."""

    async def json(self) -> Any:  # noqa: ANN401 (whatever the client sent)
        """Return the body. Raises: orjson.JSONDecodeError."""
        return orjson.loads(await self.body())


class GuardedRoute(APIRoute):
    """A route that one scope opens.

    `open` needs no key, `metrics` only where settings say so; `credentials` takes any live key, or
    none, since the body may hold a name and password.
    """

    scope: ClassVar[Scope] = "open"
    many: ClassVar[bool] = False
    """Whether a request is a batch: what it costs, and when it fits, is known from its body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the check of the caller in front of everything that FastAPI does."""
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            service: Service = request.app.state.service
            caller = request.scope.get(ADMITTED)
            caller = caller or _admitted(service, self.scope, request, counted=not self.many)
            request.state.caller = caller
            strict = StrictRequest(request.scope, request.receive)
            if self.many:
                return await _counted(service, strict, answer)
            if self.scope == "operate" and request.method in ("POST", "DELETE"):
                return await idempotency.once(service, request.state.caller, strict, answer)
            return await answer(strict)

        return guarded


async def _counted(
    service: Service, request: Request, answer: Callable[[Request], Coroutine[Any, Any, Response]]
) -> Response:
    """Answer a batch. With no token left only a refusal that its items bring says more than 429."""
    caller: Caller = request.state.caller
    late: TooManyRequestsError | None = None
    try:
        service.rates.spend(caller.key_id, caller.rate_limit)
    except TooManyRequestsError as refusal:
        late = refusal
    request.state.paid = late is None
    try:
        return await answer(request)
    except (TooLargeError, TooManyRequestsError):
        raise
    except (PilothouseError, RequestValidationError):
        if late is not None:
            raise late from None
        raise


def _admitted(service: Service, scope: Scope, request: Request, *, counted: bool) -> Caller | None:
    """Return who asks; None where nobody needs to be known."""
    needed = scope
    if needed == "metrics":
        needed = "read" if service.settings.metrics_need_key else "open"
    key, bearer = request.headers.get(HEADER), request.headers.get("Authorization")
    if needed == "open" or (needed == "credentials" and not (key or bearer)):
        return None
    remote = remote_of(request)
    return admit(service, needed, key=key, bearer=bearer, remote=remote, counted=counted)


def remote_of(request: Request) -> str:
    """Return the address that asks; empty where the server does not know it."""
    return request.client.host if request.client else ""


def admit(
    service: Service,
    scope: Scope,
    *,
    key: str | None,
    bearer: str | None,
    remote: str,
    counted: bool = True,
) -> Caller:
    """Check credentials, scope and rate; the one place that does.

    `key` and `bearer` are the whole values of the headers X-API-Key and Authorization, `remote` is
    the address that asks. The scope `credentials` stands for any live key, and for no token.
    Not `counted`: the request is counted elsewhere.

    Raises: UnauthenticatedError; ForbiddenError (the caller lacks `scope`); TooManyRequestsError;
    UnavailableError (what is known of keys is too old to go by).
    """
    service.trusted()
    try:
        caller = _identify(service, scope, key, bearer)
    except UnauthenticatedError:
        if key or bearer:
            service.rates.refused(remote)
        if bearer and service.board.restored:
            raise UnavailableError("people are not known until the database answers") from None
        raise
    if counted:
        service.rates.spend(caller.key_id, caller.rate_limit)
    if scope != "credentials" and not caller.may(scope):
        raise ForbiddenError(f"this {'token' if bearer else 'key'} lacks the scope {scope}")
    return caller


def still(service: Service, scope: Scope, request: Request) -> None:
    """Check credentials once more, for work that goes on long after `admit`; costs no request.

    Raises: UnauthenticatedError (revoked or expired meanwhile); UnavailableError.
    """
    service.trusted()
    key, bearer = request.headers.get(HEADER), request.headers.get("Authorization")
    _identify(service, scope, key, bearer)


def charge(service: Service, caller: Caller, items: int, *, paid: bool = False) -> None:
    """Count the items of a batch; `paid`: its request was counted and stands for one of them.

    Raises: TooManyRequestsError; TooLargeError (more items than the limit allows in a minute).
    """
    service.rates.spend_batch(caller.key_id, caller.rate_limit, items, paid=paid)


def _identify(service: Service, scope: Scope, key: str | None, bearer: str | None) -> Caller:
    if key and bearer:
        raise UnauthenticatedError(f"give either {HEADER} or Authorization, not both")
    board = service.board
    if key:
        return board.keys.check(key[:_LONGEST_KEY], service.clock())
    if not bearer:
        raise UnauthenticatedError(
            f"this route needs a key in the header {HEADER}, or a token in Authorization"
        )
    given = bearer[len(_BEARER) :].strip()
    if bearer[: len(_BEARER)].lower() != _BEARER:
        raise UnauthenticatedError("the header Authorization must be: Bearer, a space, the token")
    if given.startswith(keys.PREFIX):
        return board.keys.check(given[:_LONGEST_KEY], service.clock())
    if scope == "credentials":
        raise UnauthenticatedError("a token comes from a key or a password, not from a token")
    return service.tokens.check(given, board.keys, board.people, service.clock())


def router(scope: Scope, *, tag: str, many: bool = False) -> APIRouter:
    """Return a router whose routes are opened by `scope`; those for `many` items call `Charge`."""
    name = f"{scope.title()}{'Many' if many else ''}Route"
    guarded = type(name, (GuardedRoute,), {"scope": scope, "many": many})
    dependencies = []
    if scope not in ("open", "metrics"):
        dependencies.append(Security(_header))
    if scope not in ("open", "metrics", "credentials"):
        dependencies.append(Security(_token))
    if scope == "operate":
        dependencies.append(Depends(idempotency.documented))
    again = problems(409, 422) if scope == "operate" else {}
    return APIRouter(route_class=guarded, tags=[tag], dependencies=dependencies, responses=again)


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _charge(request: Request) -> Callable[[int], None]:
    service: Service = request.app.state.service
    return partial(charge, service, request.state.caller, paid=request.state.paid)


Serving = Annotated[Service, Depends(_service)]
Asking = Annotated[Caller, Depends(_caller)]
Charge = Annotated[Callable[[int], None], Depends(_charge)]
"""Counts the items of a batch; see `charge`."""
