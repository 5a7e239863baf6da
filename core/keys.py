"""Keys of client applications: made once, shown once, kept as a hash, revoked for good."""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.access import Actor, Kind, Role
from core.db import Database
from core.errors import ConflictError, InvalidInputError, NotFoundError, UnauthenticatedError
from core.tables.access import ApiKey

SCOPES = ("predict", "feedback", "read", "operate", "admin")
_LETTERS = string.digits + string.ascii_letters
_FORM = re.compile(r"ph_live_([0-9a-f]{12})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})")


@dataclass(frozen=True, slots=True)
class Caller:
    """The client behind a key that was checked."""

    key_id: str
    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Say whether the key opens what needs `scope`; admin opens everything."""
        return scope in self.scopes or "admin" in self.scopes

    @property
    def actor(self) -> Actor:
        """Who the audit trail names; a key operates or looks, it never decides."""
        role = Role.OPERATOR if self.scopes & {"operate", "admin"} else Role.VIEWER
        return Actor(f"key:{self.name}", role, Kind.KEY)


@dataclass(frozen=True, slots=True)
class KeyTable:
    """All live keys in memory, so that a check needs no database."""

    rows: dict[str, ApiKey]

    def check(self, secret: str, now: datetime) -> Caller:
        """Return who holds `secret`; takes the same time whether the key exists or not.

        Raises: UnauthenticatedError.
        """
        form = _FORM.fullmatch(secret)
        if form is None or form[3] != _checksum(secret[:-6]):
            raise UnauthenticatedError("this is not a key; keys look like ph_live_…")
        row = self.rows.get(form[1])
        known = row.secret_hash if row else "0" * 64
        if not hmac.compare_digest(known, _digest(secret)) or row is None:
            raise UnauthenticatedError("this key is not known here, or it was revoked")
        if row.expires_at is not None and row.expires_at <= now:
            raise UnauthenticatedError("this key has expired; ask an admin for a new one")
        return Caller(row.id, row.name, frozenset(row.scopes))


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
) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which nobody can read again.

    Raises: InvalidInputError (name, scopes, a moment in the past); ForbiddenError.
    """
    with db.command(actor, "key.create") as command:
        command.note(key=name[:100], scopes=list(scopes)[:20])
        _check(name, scopes, expires_at, command.now)
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
        )
        command.session.add(row)
        command.note(key_id=key_id)
        return row, secret


def revoke(db: Database, actor: Actor, key_id: str) -> ApiKey:
    """End a key for good; the api processes follow within two seconds.

    Raises: NotFoundError; ConflictError (revoked already); ForbiddenError.
    """
    with db.command(actor, "key.revoke") as command:
        command.note(key_id=key_id[:100])
        row = command.session.get(ApiKey, key_id)
        if row is None:
            raise NotFoundError("there is no key with this id; `pilothouse keys list` shows all")
        if row.revoked_at is not None:
            raise ConflictError(f"the key {row.name} was revoked already")
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


def _check(name: str, scopes: Sequence[str], expires_at: datetime | None, now: datetime) -> None:
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise InvalidInputError("a key needs a name of 1 to 100 printable characters")
    if not scopes or set(scopes) - set(SCOPES):
        raise InvalidInputError(f"give one or more of these scopes: {', '.join(SCOPES)}")
    if expires_at is not None and expires_at <= now:
        raise InvalidInputError("the key would have expired already; give a later moment")


def _secret(key_id: str) -> str:
    body = f"ph_live_{key_id}_" + "".join(secrets.choice(_LETTERS) for _ in range(32))
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
