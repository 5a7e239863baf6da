"""Short-lived tokens (JWT), from a key or from a person's name and password.

A token is checked in memory: its signature, its times, and that whom it names still counts. One of
a key ends with the key; one of a person ends when their role, password or account changes, and when
they sign out everywhere. Only HS256 with a key of this installation counts.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.access import Role
from core.errors import ForbiddenError, InvalidInputError, UnauthenticatedError
from core.ids import new_id
from core.keys import SCOPES, Caller, KeyTable
from core.settings import Settings
from core.tables.access import User
from core.users import Standing

ISSUER, AUDIENCE, ALGORITHM = "pilothouse", "pilothouse-api", "HS256"
LONGEST = 1_000
"""Characters of a token; ours are about 450."""

PERSON = "person:"
_KEY = "key:"
_AHEAD = 30.0  # seconds that another machine's clock may be ahead
_REMEMBERED = 1_024
_NEEDED = ["iss", "aud", "sub", "iat", "exp", "jti"]
_OPERATOR = frozenset({"read", "predict", "feedback", "operate"})
OPENED: Mapping[Role, frozenset[str]] = {
    Role.VIEWER: frozenset({"read"}),
    Role.OPERATOR: _OPERATOR,
    Role.APPROVER: _OPERATOR,
    Role.ADMIN: _OPERATOR | {"admin"},
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as it is handed out, this once."""

    token: str
    seconds: int
    scopes: list[str]


@dataclass(frozen=True, slots=True)
class _Claims:
    """What a token says, once its signature was checked."""

    subject: str
    scopes: frozenset[str]
    epoch: int
    issued_at: float
    expires_at: float


class Tokens:
    """Issues and checks the tokens of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._key = settings.key_for("api token")
        self._lifetime = timedelta(minutes=settings.token_minutes)
        self._checked: dict[bytes, _Claims] = {}

    def for_key(self, caller: Caller, *, scopes: Collection[str] | None, now: datetime) -> Issued:
        """Return a token for a client: with all scopes of its key, or with fewer.

        Raises: InvalidInputError (no such scope); ForbiddenError (a scope that the key lacks).
        """
        return self._issue(_KEY + caller.key_id, caller.scopes, scopes, epoch=0, now=now)

    def for_person(self, user: User, *, scopes: Collection[str] | None, now: datetime) -> Issued:
        """Return a token for a person whose password was checked, with what their role opens.

        Raises: InvalidInputError (no such scope); ForbiddenError (a scope that the role lacks).
        """
        every = OPENED[Role(user.role)]
        return self._issue(PERSON + user.name, every, scopes, epoch=user.token_epoch, now=now)

    def _issue(
        self,
        subject: str,
        every: frozenset[str],
        asked: Collection[str] | None,
        *,
        epoch: int,
        now: datetime,
    ) -> Issued:
        import jwt  # 10 MB, which an api process without tokens does not need

        scopes = _granted(every, asked)
        begin = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "iat": begin,
            "exp": begin + self._lifetime.total_seconds(),
            "jti": new_id(now),
            "scopes": scopes,
            "epoch": epoch,
        }
        token = jwt.encode(claims, self._key, algorithm=ALGORITHM)
        return Issued(token, int(self._lifetime.total_seconds()), scopes)

    def check(
        self, token: str, keys: KeyTable, people: Mapping[str, Standing], now: datetime
    ) -> Caller:
        """Return who holds `token`; needs no database.

        Raises: UnauthenticatedError.
        """
        claims = self._claims(token)
        moment = now.timestamp()
        if not moment < claims.expires_at:
            raise UnauthenticatedError("this token has expired; ask POST /auth/token for a new one")
        if not claims.issued_at <= moment + _AHEAD:
            raise UnauthenticatedError("this token is from the future; a clock is wrong")
        if claims.subject.startswith(PERSON):
            return _person(claims, people)
        caller = keys.by_id(claims.subject.removeprefix(_KEY), now)
        return _narrowed(caller, claims.scopes)

    def _claims(self, token: str) -> _Claims:
        """Return what a token says; one that was checked before is known by its SHA-256."""
        if len(token) > LONGEST:
            raise UnauthenticatedError("this is not a token of this service: it is too long")
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        known = self._checked.get(digest)
        if known is None:
            known = _read(token, self._key)
            if len(self._checked) >= _REMEMBERED:
                self._checked.clear()
            self._checked[digest] = known
        return known


def _read(token: str, key: bytes) -> _Claims:
    import jwt

    try:
        said: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={
                "require": _NEEDED,
                "verify_exp": False,  # the times are checked by our clock, each time
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        return _Claims(
            subject=str(said["sub"]),
            scopes=frozenset(said["scopes"]),
            epoch=int(said["epoch"]),
            issued_at=float(said["iat"]),
            expires_at=float(said["exp"]),
        )
    except (jwt.PyJWTError, LookupError, TypeError, ValueError, OverflowError):
        raise UnauthenticatedError(
            "this is not a token of this service; ask POST /auth/token for one"
        ) from None


def _granted(every: frozenset[str], asked: Collection[str] | None) -> list[str]:
    wanted = every if asked is None else frozenset(asked)
    if not wanted or wanted - set(SCOPES):
        raise InvalidInputError(f"give one or more of these scopes: {', '.join(SCOPES)}")
    if "admin" not in every and wanted - every:
        missing = ", ".join(scope for scope in SCOPES if scope in wanted - every)
        raise ForbiddenError(f"these credentials do not open the scope {missing}")
    return [scope for scope in SCOPES if scope in wanted]


def _person(claims: _Claims, people: Mapping[str, Standing]) -> Caller:
    name = claims.subject.removeprefix(PERSON)
    standing = people.get(name)
    if standing is None or claims.epoch < standing.epoch:  # a later one is newer than our memory
        raise UnauthenticatedError("this token was ended; sign in again with POST /auth/token")
    scopes = claims.scopes & OPENED[standing.role]
    return Caller(claims.subject, name, scopes, role=standing.role)


def _narrowed(caller: Caller, scopes: frozenset[str]) -> Caller:
    """Return a key's caller with the token's scopes, which may be fewer."""
    kept = scopes if "admin" in caller.scopes else scopes & caller.scopes
    return Caller(caller.key_id, caller.name, kept, caller.rate_limit)
