"""What an api process needs to serve, as one signed file on local disk.

Written when something changed and every few minutes, so that a process that starts while the
database is away still answers. It holds hashes of keys, never keys; whoever changes it, cuts it or
brings it from another installation changes its signature, and it counts like none.
"""

import hashlib
import hmac
import logging
import math
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import make_url

from core.clock import monotonic
from core.errors import ConflictError, NotFoundError, UnavailableError
from core.features.definitions import Definition
from core.keys import KeyTable
from core.serving.board import Board, Released
from core.serving.features import Completion
from core.settings import Settings
from core.tables.access import ApiKey
from core.tables.entities import ModelVersion, Release
from core.users import Standing

log = logging.getLogger("api")
PURPOSE = "serving snapshot"
WRITE_AGAIN_SECONDS = 120.0
"""How old the moment in the file becomes while nothing changes."""

LOOK_AGAIN_SECONDS = 2.0
"""How often keys are compared with those in the file: 10,000 of them cost 50 ms each time."""

AHEAD = timedelta(minutes=5)
"""How far another clock may be ahead of ours; a snapshot further in the future is refused."""

_FORMAT = b"pilothouse serving snapshot 1\n"
_MAC_BYTES = hashlib.sha256().digest_size


class _Key(msgspec.Struct, frozen=True):
    id: str
    name: str
    secret_hash: str
    scopes: list[str]
    expires_at: datetime | None
    rate_limit: int | None


class _Version(msgspec.Struct, frozen=True):
    version: str
    artifact: str
    plan: str | None
    threshold: float
    signature: dict[str, Any]


class _Release(msgspec.Struct, frozen=True):
    model: str
    seq: int
    salt: str
    arms: list[dict[str, Any]]
    experiment: str | None
    versions: list[_Version]
    completions: dict[str, dict[str, Definition]]  # version → column → definition


class _Content(msgspec.Struct, frozen=True):
    keys: list[_Key]
    people: dict[str, Standing]
    releases: list[_Release]  # the first released model first


class _File(msgspec.Struct, frozen=True):
    at: datetime
    database: str
    content: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Keys, people and releases as they were read from the database at a moment."""

    at: datetime
    keys: KeyTable
    people: Mapping[str, Standing]
    releases: tuple[Released, ...]

    def age(self, now: datetime) -> timedelta:
        """Return how long ago it was read; never negative."""
        return max(now - self.at, timedelta(0))


class Snapshots:
    """The one snapshot file of a data folder; several processes may write it."""

    def __init__(self, settings: Settings) -> None:
        self.path = settings.root / "serving" / "snapshot"
        self.problem = ""
        self._key = settings.key_for(PURPOSE)
        self._database = make_url(settings.db_url).render_as_string(hide_password=True)
        self._longest = timedelta(hours=settings.snapshot_max_hours)
        self._written = b""
        self._written_at = self._looked_at = -math.inf

    def keep(
        self, board: Board, releases: Sequence[Released], at: datetime, *, news: bool = True
    ) -> bool:
        """Write who may ask and what serves, if it is news or the file is some minutes old.

        Without `news` of releases it looks for changes of keys and people every few seconds. A disk
        that refuses is said in `problem`; serving goes on. Returns whether it wrote.
        """
        now = monotonic()
        if not news and now - self._looked_at < LOOK_AGAIN_SECONDS:
            return False
        self._looked_at = now
        content = msgspec.msgpack.encode(_content(board, releases))
        due = now - self._written_at >= WRITE_AGAIN_SECONDS
        if content == self._written and not due:
            return False
        try:
            self._write(_sealed(self._key, _File(at, self._database, msgspec.Raw(content))))
        except OSError as error:
            why = error.strerror or type(error).__name__  # no path: `GET /health` shows it
            self.problem = f"the snapshot for starts without the database is not written: {why}"
            log.error("%s", self.problem)
            return False
        self.problem, self._written, self._written_at = "", content, now
        return True

    def _write(self, data: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        finally:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)

    def read(self, now: datetime) -> Snapshot:
        """Return the snapshot of this data folder.

        Raises: NotFoundError (there is none), ConflictError (changed, cut, of another installation,
        database or release of the product), UnavailableError (too old, or from the future).
        """
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise NotFoundError("there is no snapshot of an earlier time") from error
        file = _opened(self._key, data)
        if file.database != self._database:
            raise ConflictError("the snapshot was taken from another database")
        if file.at - now > AHEAD:
            raise UnavailableError(f"the snapshot is from the future ({file.at:%Y-%m-%d %H:%M})")
        if now - file.at > self._longest:
            hours = self._longest.total_seconds() / 3600
            raise UnavailableError(
                f"the snapshot of {file.at:%Y-%m-%d %H:%M} UTC is older than {hours:g} hours"
            )
        return _snapshot(file)


def _sealed(key: bytes, file: _File) -> bytes:
    body = _FORMAT + msgspec.msgpack.encode(file)
    return hmac.digest(key, body, "sha256") + body


def _opened(key: bytes, data: bytes) -> _File:
    mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
    if not hmac.compare_digest(mac, hmac.digest(key, body, "sha256")):
        raise ConflictError(
            "the snapshot was changed or cut, or signed with another PILOTHOUSE_SECRET_KEY"
        )
    if not body.startswith(_FORMAT):
        raise ConflictError("the snapshot was written by another release of the product")
    try:
        return msgspec.msgpack.decode(body[len(_FORMAT) :], type=_File)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConflictError("the snapshot was written by another release of the product") from error


def _content(board: Board, releases: Sequence[Released]) -> _Content:
    rows = [_picked(_Key, row) for _, row in sorted(board.keys.rows.items())]
    people = dict(sorted(board.people.items()))
    return _Content(rows, people, [_release(found) for found in releases])


def _release(found: Released) -> _Release:
    row = found.release
    versions = [_picked(_Version, found.versions[name]) for name in sorted(found.versions)]
    completions = {name: dict(one.bound) for name, one in sorted(found.completions.items())}
    return _Release(row.model, row.seq, row.salt, row.arms, found.experiment, versions, completions)


def _picked(kind: Any, row: object) -> Any:  # noqa: ANN401 (one of the shapes above)
    return kind(*(getattr(row, name) for name in kind.__struct_fields__))


def _snapshot(file: _File) -> Snapshot:
    try:
        content = msgspec.msgpack.decode(file.content, type=_Content)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConflictError("the snapshot was written by another release of the product") from error
    rows = {one.id: ApiKey(**_columns(one)) for one in content.keys}
    releases = tuple(_released(one) for one in content.releases)
    return Snapshot(file.at, KeyTable(rows), content.people, releases)


def _released(one: _Release) -> Released:
    row = Release(model=one.model, seq=one.seq, salt=one.salt, arms=one.arms)
    versions = {
        told.version: ModelVersion(model=one.model, **_columns(told)) for told in one.versions
    }
    completions = {name: Completion(bound) for name, bound in one.completions.items()}
    return Released(row, versions, one.experiment, completions)


def _columns(told: msgspec.Struct) -> Mapping[str, Any]:
    return msgspec.structs.asdict(told)
