"""Keys of client applications: made once, shown once, kept as a hash, revoked for good."""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import Actor, Kind, Role
from core.db import Database
from core.errors import ConflictError, InvalidInputError, NotFoundError, UnauthenticatedError
from core.tables.access import ApiKey

SCOPES = ("predict", "feedback", "read", "alerts", "operate", "admin")
MOST_A_MINUTE = 1_000_000
_LETTERS = string.digits + string.ascii_letters
PREFIX = "ph_live_"
_FORM = re.compile(PREFIX + r"([0-9a-f]{12})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})")
_ID = slice(8, 20)  # where the id stands in a key
_NOBODY = b"\0" * 32  # no key has this SHA-256


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the client behind a key, or a person (`role` is set) behind a token."""

    key_id: str  # of a person: `person:NAME`
    name: str
    scopes: frozenset[str]
    rate_limit: int | None = None  # requests a minute, 0 without a limit; None: as the settings say
    role: Role | None = None

    def may(self, scope: str) -> bool:
        """Say whether the caller opens what needs `scope`; admin opens everything."""
        return scope in self.scopes or "admin" in self.scopes

    @property
    def actor(self) -> Actor:
        """Who the audit trail names; a key operates or looks, only a person decides."""
        if self.role is not None:
            return Actor(self.name, self.role)
        role = Role.OPERATOR if self.scopes & {"alerts", "operate", "admin"} else Role.VIEWER
        return Actor(f"key:{self.name}", role, Kind.KEY)


@dataclass(frozen=True, slots=True)
class _Known:
    """What one check of a key needs."""

    digest: bytes
    caller: Caller
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyTable:
    """All live keys in memory, so that a check needs no database."""

    rows: Mapping[str, ApiKey]
    _known: dict[str, _Known] = field(init=False, repr=False, compare=False, default_factory=dict)
    _right: dict[str, _Known] = field(init=False, repr=False, compare=False, default_factory=dict)
    """By secret, the keys that were given here: they need not be hashed again."""

    def __post_init__(self) -> None:
        for row in self.rows.values():
            caller = Caller(row.id, row.name, frozenset(row.scopes), row.rate_limit)
            self._known[row.id] = _Known(bytes.fromhex(row.secret_hash), caller, row.expires_at)

    def check(self, secret: str, now: datetime) -> Caller:
        """Return who holds `secret`; takes the same time whether the key exists or not.

        Raises: UnauthenticatedError.
        """
        if before := self._right.get(secret):
            return _unless_expired(before, now)
        known = self._known.get(secret[_ID])
        kept = known.digest if known else _NOBODY
        given = hashlib.sha256(secret.encode(errors="replace")).digest()
        if not hmac.compare_digest(kept, given) or known is None:
            raise UnauthenticatedError(_refusal(secret))
        self._right[secret] = known
        return _unless_expired(known, now)

    def by_id(self, key_id: str, now: datetime) -> Caller:
        """Return the client of a live key, for a token that was made from it.

        Raises: UnauthenticatedError.
        """
        known = self._known.get(key_id)
        if known is None:
            raise UnauthenticatedError("the key behind this token is not known here any more")
        return _unless_expired(known, now)


def _unless_expired(known: _Known, now: datetime) -> Caller:
    if known.expires_at is not None and known.expires_at <= now:
        raise UnauthenticatedError("this key has expired; ask an admin for a new one")
    return known.caller


def _refusal(secret: str) -> str:
    if not _FORM.fullmatch(secret) or secret[-6:] != _checksum(secret[:-6]):
        return "this is not a key; keys look like ph_live_…"
    return "this key is not known here, or it was revoked"


def table(session: Session) -> KeyTable:
    """Return the keys that were not revoked, for the memory of an api process."""
    rows = session.scalars(select(ApiKey).where(ApiKey.revoked_at.is_(None)))
    return KeyTable({row.id: row for row in rows})


def create(
    db: Database,
    actor: Actor,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
    rate_limit: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which nobody can read again.

    `rate_limit` is in requests a minute, 0 without a limit, None as the settings say.
    Raises: InvalidInputError (name, scopes, a moment in the past, limit); ForbiddenError.
    """
    with db.command(actor, "key.create") as command:
        command.note(key=name[:100], scopes=list(scopes)[:20], rate_limit=rate_limit)
        _check(name, scopes, expires_at, command.now)
        _check_limit(rate_limit)
        key_id = secrets.token_hex(6)
        secret = _secret(key_id)
        row = ApiKey(
            id=key_id,
            name=name,
            secret_hash=_digest(secret),
            scopes=[scope for scope in SCOPES if scope in scopes],
            created_by=command.actor.name,
            created_at=command.now,
            expires_at=expires_at,
            rate_limit=rate_limit,
        )
        command.session.add(row)
        command.note(key_id=key_id)
        return row, secret


def limit(db: Database, actor: Actor, key_id: str, *, rate_limit: int | None) -> ApiKey:
    """Let a key ask more or less often from now on; the api processes follow within two seconds.

    Raises: NotFoundError; ConflictError (revoked); InvalidInputError; ForbiddenError.
    """
    with db.command(actor, "key.limit") as command:
        command.note(key_id=key_id[:100], after=rate_limit)
        _check_limit(rate_limit)
        row = _live(command.session, key_id)
        command.note(key=row.name, before=row.rate_limit)
        row.rate_limit = rate_limit
        return row


def limit_words(rate_limit: int | None, default: int) -> str:
    """Say how often a key may ask.

    >>> limit_words(120, 60), limit_words(None, 60), limit_words(0, 60), limit_words(None, 0)
    ('120 a minute', '60 a minute (default)', 'no limit', 'no limit (default)')
    """
    number = default if rate_limit is None else rate_limit
    words = f"{number:,} a minute" if number else "no limit"
    return f"{words} (default)" if rate_limit is None else words


def revoke(db: Database, actor: Actor, key_id: str) -> ApiKey:
    """End a key for good; the api processes follow within two seconds.

    Raises: NotFoundError; ConflictError (revoked already); ForbiddenError.
    """
    with db.command(actor, "key.revoke") as command:
        command.note(key_id=key_id[:100])
        row = _live(command.session, key_id)
        row.revoked_at = command.now
        command.note(key=row.name)
        return row


def all(session: Session) -> list[ApiKey]:
    """Return every key, the newest first, revoked ones too."""
    return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.id)))


def state(key: ApiKey, now: datetime) -> str:
    """Return live, expired or revoked."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "live"


def _live(session: Session, key_id: str) -> ApiKey:
    row = session.get(ApiKey, key_id)
    if row is None:
        raise NotFoundError("there is no key with this id; `pilothouse keys list` shows all")
    if row.revoked_at is not None:
        raise ConflictError(f"the key {row.name} was revoked already")
    return row


def _check_limit(rate_limit: int | None) -> None:
    if rate_limit is not None and not 0 <= rate_limit <= MOST_A_MINUTE:
        raise InvalidInputError(
            f"a limit is a number of requests a minute from 1 to {MOST_A_MINUTE:,}, or 0 for none"
        )


def _check(name: str, scopes: Sequence[str], expires_at: datetime | None, now: datetime) -> None:
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise InvalidInputError("a key needs a name of 1 to 100 printable characters")
    if not scopes or set(scopes) - set(SCOPES):
        raise InvalidInputError(f"give one or more of these scopes: {', '.join(SCOPES)}")
    if expires_at is not None and expires_at <= now:
        raise InvalidInputError("the key would have expired already; give a later moment")


def _secret(key_id: str) -> str:
    body = f"{PREFIX}{key_id}_" + "".join(secrets.choice(_LETTERS) for _ in range(32))
    return body + _checksum(body)


def _checksum(body: str) -> str:
    """Return six characters that tell a mistyped or invented key without a look-up.

    >>> _checksum("ph_live_0123456789ab_" + "0" * 32)
    'HcKhA3'
    """
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, len(_LETTERS))
        text += _LETTERS[digit]
    return text


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
