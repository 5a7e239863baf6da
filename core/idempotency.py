"""Requests that name themselves, so that sending one again does not do it again.

A name belongs to who asks, for a day. The first request under it is carried out, and its answer
kept; the same request again gets that answer. A row is claimed before the work begins, so of two at
once one is carried out.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.exc import IntegrityError

from core.db import Database
from core.errors import InProgressError, InvalidInputError
from core.tables.access import IdempotentRequest

KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=5)
"""After this a request whose process died may be carried out again."""

LONGEST = 200
_PURGED = 100  # old rows at a time


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry out one named request."""

    owner: str
    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What a request was answered."""

    status: int
    answer: str


def digest(*parts: bytes) -> str:
    """Return what tells two requests apart: SHA-256 over the parts, each with its length.

    >>> digest(b"ab", b"c") == digest(b"a", b"bc")
    False
    """
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8))
        whole.update(part)
    return whole.hexdigest()


def begin(db: Database, *, owner: str, key: str, content: str) -> Claim | Kept:
    """Claim a request, or return what it was answered before; `content` is its digest.

    Raises: InvalidInputError (no usable key, or one that names another request);
    InProgressError (it is being carried out).
    """
    if not (1 <= len(key) <= LONGEST and key.isascii() and key.isprintable()):
        raise InvalidInputError(f"an idempotency key has 1 to {LONGEST} printable ASCII characters")
    try:
        return _begin(db, owner, key, content)
    except IntegrityError:  # two first ones at the same moment: now the row is there
        return _begin(db, owner, key, content)


def _begin(db: Database, owner: str, key: str, content: str) -> Claim | Kept:
    now = db.clock()
    with db.keep() as session:
        row = session.get(IdempotentRequest, (owner, key), with_for_update=True)
        if row is not None and not _is_free(row, now):
            return _earlier(row, content)
        if row is None:
            row = IdempotentRequest(owner=owner, key=key)
            session.add(row)
        row.digest, row.status, row.answer, row.at = content, None, None, now
        return Claim(owner, key, now)


def _is_free(row: IdempotentRequest, now: datetime) -> bool:
    return row.at <= now - (ABANDONED if row.status is None else KEPT)


def _earlier(row: IdempotentRequest, content: str) -> Kept:
    if row.digest != content:
        raise InvalidInputError("this idempotency key names another request; give a new one")
    if row.status is None:
        raise InProgressError("this request is being carried out; ask again in a moment")
    return Kept(row.status, row.answer or "")


def finish(db: Database, claim: Claim, kept: Kept) -> None:
    """Keep the answer, unless somebody else took the claim over; and forget some old rows."""
    with db.keep() as session:
        done = update(IdempotentRequest).where(*_ours(claim))
        session.execute(done.values(status=kept.status, answer=kept.answer))
        old = select(IdempotentRequest).where(IdempotentRequest.at <= db.clock() - KEPT)
        for row in session.scalars(old.limit(_PURGED).with_for_update(skip_locked=True)):
            session.delete(row)


def give_up(db: Database, claim: Claim) -> None:
    """Let the request be carried out again: it was not."""
    with db.keep() as session:
        session.execute(delete(IdempotentRequest).where(*_ours(claim)))


def _ours(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotentRequest.owner == claim.owner,
        IdempotentRequest.key == claim.key,
        IdempotentRequest.at == claim.at,
        IdempotentRequest.status.is_(None),
    )
