"""The one database. `read` looks; `command` changes; `keep` and `append` serve the machinery.

`keep` may change operational rows only, `append` telemetry only: each session refuses any other
table, so that a change to what the product is about cannot go past permission and audit.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction
from sqlalchemy.sql.dml import UpdateBase

from core import chain, sqlite
from core.access import Actor, Kind, Role, require
from core.clock import Clock
from core.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    PilothouseError,
    UnavailableError,
)
from core.settings import Settings
from core.tables.access import AuditEvent, User
from core.tables.base import Json

_SHAPE = re.compile(r"no such (table|column)|(relation|column) .* does not exist")
_HEAD_BYTES = 512
_AUDIT_LOCK = 0x70696C6F74  # one number for the advisory lock that orders audit rows
_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds: a cut wire is an error, not a wait of minutes
}
_GROUPS = {
    "read": frozenset[str](),
    "keep": frozenset({"operational"}),
    "append": frozenset({"telemetry"}),
}


@dataclass
class Command:
    """One write transaction: one actor, one named action, one audit row."""

    session: Session
    actor: Actor
    action: str
    now: datetime
    model: str | None = None
    reason: str = ""
    detail: Json = field(default_factory=dict)

    def note(self, *, model: str | None = None, reason: str = "", **detail: object) -> None:
        """Add to what the audit row will say."""
        self.model = model or self.model
        self.reason = reason or self.reason
        self.detail.update(detail)


class Database:
    """Opens sessions; nothing else in the product does."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.engine = _engine(settings.db_url)
        self.clock = clock
        self._about = {"settings": settings}
        self._writer = self.engine.execution_options(immediate=True)
        self.audit_key = settings.key_for("audit")
        self.head_path = settings.folder(".") / "audit.head"

    @property
    def is_postgresql(self) -> bool:
        """Whether this is PostgreSQL (else SQLite)."""
        return self.engine.dialect.name == "postgresql"

    def create(self) -> None:
        """Lay an empty file where SQLite's is missing: without it, nothing connects.

        Raises: UnavailableError (the folder takes no file).
        """
        if path := sqlite.file_of(self.engine):
            try:
                path.touch(mode=0o644)
            except OSError as error:
                raise UnavailableError(f"no database can be made at {path}") from error

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that looks and refuses to change anything."""
        with _reachable(), _guarded(self.engine, "read", self._about) as session:
            yield session

    @contextmanager
    def command(self, actor: Actor, action: str) -> Iterator[Command]:
        """Check permission, run the block in one transaction, and add its audit row last.

        An expected error undoes the block and leaves one `refused` row of its own.

        Raises: ForbiddenError; ConflictError (somebody else was faster); UnavailableError.
        """
        session = Session(self._writer, expire_on_commit=False, info=self._about)
        command = Command(session, actor, action, self.clock())
        try:
            with _reachable(), _own_words(), session, session.begin():
                command.actor = _as_of_now(session, actor)
                require(command.actor, action)
                yield command
                session.flush()
                row = self._audit(command, "done")
        except UnavailableError:
            raise
        except PilothouseError as error:
            self._refuse(command, error)
            raise
        self._keep_head(row)

    @contextmanager
    def attempt(self, actor: Actor, action: str) -> Iterator[Command]:
        """Check permission for what comes before a command: work too slow for its transaction.

        Its session only reads. An expected error leaves one `refused` row, success leaves none:
        the command that follows, outside this block, adds that.
        Raises: ForbiddenError; UnavailableError.
        """
        with self.read() as session:
            attempt = Command(session, actor, action, self.clock())
        try:
            with self.read() as session:
                attempt.actor = _as_of_now(session, actor)
            require(attempt.actor, action)
            yield attempt
        except UnavailableError:
            raise
        except PilothouseError as error:
            self._refuse(attempt, error)
            raise

    @contextmanager
    def keep(self) -> Iterator[Session]:
        """Open a transaction that may change operational rows only; it is not audited."""
        with _reachable(), _guarded(self._writer, "keep", self._about) as session, session.begin():
            yield session

    @contextmanager
    def append(self) -> Iterator[Session]:
        """Open a transaction that may change telemetry only; it is not audited."""
        with (
            _reachable(),
            _guarded(self._writer, "append", self._about) as session,
            session.begin(),
        ):
            yield session

    def _refuse(self, command: Command, error: PilothouseError) -> None:
        with _reachable(), Session(self._writer, expire_on_commit=False) as session:
            refused = Command(
                session,
                command.actor,
                command.action,
                command.now,
                command.model and command.model[:200],  # it may be what was too long
                command.reason,
                {**command.detail, "refused_because": str(error)},
            )
            with session.begin():
                row = self._audit(refused, "refused")
        self._keep_head(row)

    def _audit(self, command: Command, outcome: str) -> AuditEvent:
        """Add the audit row; on PostgreSQL a lock held to the commit keeps the chain in order."""
        session = command.session
        if self.is_postgresql:
            session.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _AUDIT_LOCK})
        newest = session.scalars(
            select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(1)
        ).first()
        self._compare_with_head(session, newest)
        row = AuditEvent(
            seq=newest.seq + 1 if newest else 1,
            at=command.now,
            actor=command.actor.name,
            actor_kind=command.actor.kind,
            role=command.actor.role,
            action=command.action,
            model=command.model,
            outcome=outcome,
            reason=command.reason,
            detail=json.loads(json.dumps(command.detail, default=str)),
        )
        row.mac = chain.link(self.audit_key, newest.mac if newest else chain.GENESIS, content(row))
        session.add(row)
        session.flush()
        return row

    def _compare_with_head(self, session: Session, newest: AuditEvent | None) -> None:
        """Note for good when rows that the head vouches for are gone: new ones would hide it."""
        with self._head() as head:
            noted = session.get(AuditEvent, head["seq"]) if head["seq"] else None
            gone = head["seq"] and (noted is None or noted.mac != head["mac"])
            if gone and "lost_after" not in head:
                head["lost_after"] = newest.seq if newest else 0

    def _keep_head(self, row: AuditEvent) -> None:
        """Note the newest row outside the database, so that deleting the newest rows shows too."""
        with self._head() as head:
            if row.seq > head["seq"] or "lost_after" in head:
                head.update(seq=row.seq, mac=row.mac)

    @contextmanager
    def _head(self) -> Iterator[Json]:
        """Lend the head's content under a lock, and write it back when it changed."""
        opened = os.open(self.head_path, os.O_RDWR | os.O_CREAT, 0o644)
        with os.fdopen(opened, "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            before = file.read() or '{"seq": 0}'
            head = json.loads(before)
            yield head
            after = json.dumps(head).ljust(_HEAD_BYTES)  # over what was there, in one write:
            if after != before:  # who is killed leaves the old head or the new one
                os.pwrite(opened, after.encode(), 0)


def settings_of(session: Session) -> Settings:
    """Return the settings of the process that opened a session."""
    return cast(Settings, session.info["settings"])


def content(row: AuditEvent) -> Json:
    """Return what the MAC of an audit row covers."""
    return {
        "seq": row.seq,
        "at": row.at.astimezone(UTC).isoformat(),
        "actor": row.actor,
        "actor_kind": str(row.actor_kind),
        "role": str(row.role),
        "action": row.action,
        "model": row.model,
        "outcome": row.outcome,
        "reason": row.reason,
        "detail": row.detail,
    }


class _GuardedSession(Session):
    """A session that may change the tables of `allowed` groups only."""

    allowed: frozenset[str] = frozenset()
    verb = "read"

    def check(self, table: SqlTable) -> None:
        """Raise unless this session may change `table`; a programming error, not a person's."""
        group = table.info.get("group")
        if group not in self.allowed:
            raise RuntimeError(f"db.{self.verb}() may not change {table.name}, a table of {group}")


@event.listens_for(_GuardedSession, "before_flush")
def _check_objects(session: _GuardedSession, _flush: UOWTransaction, _instances: object) -> None:
    for changed in (*session.new, *session.dirty, *session.deleted):
        session.check(cast(SqlTable, changed.__table__))


@event.listens_for(_GuardedSession, "do_orm_execute")
def _check_statement(state: ORMExecuteState) -> None:
    session = state.session
    if isinstance(session, _GuardedSession) and (
        state.is_insert or state.is_update or state.is_delete
    ):
        session.check(cast(SqlTable, cast(UpdateBase, state.statement).table))


@contextmanager
def _guarded(engine: Engine, verb: str, about: dict[str, Settings]) -> Iterator[Session]:
    with _GuardedSession(engine, expire_on_commit=False, info=about) as session:
        session.verb, session.allowed = verb, _GROUPS[verb]
        yield session


def _as_of_now(session: Session, actor: Actor) -> Actor:
    """Return a person with the role that the database gives them now."""
    if actor.kind is not Kind.PERSON:
        return actor
    user = session.get(User, actor.name)
    if user is None or not user.active:
        raise ForbiddenError(f"{actor.name} has no active account here")
    return Actor(user.name, Role(user.role))


@contextmanager
def _own_words() -> Iterator[None]:
    """Say in a sentence that a unique key refused the second of two."""
    try:
        yield
    except IntegrityError as error:
        if "unique" not in str(error.orig).lower():
            raise  # a broken rule of ours, not a race
        raise ConflictError(
            "this was changed by somebody else at the same moment; look again and retry"
        ) from error
    except DataError as error:
        raise InvalidInputError("a value is too long, or of a wrong kind") from error


@contextmanager
def _reachable() -> Iterator[None]:
    """Turn a database that is away, locked, read-only or misshapen into `UnavailableError`."""
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        if _SHAPE.search(str(error.orig)):
            raise UnavailableError(
                "the database is not set up for this version: run `pilothouse init`"
            ) from error
        if isinstance(error, ProgrammingError):
            raise
        raise UnavailableError("the database does not answer; it is tried again") from error
    except InternalError as error:  # PostgreSQL: a standby, or a transaction that it has ended
        raise UnavailableError("the database takes no changes now; it is tried again") from error
    except PoolTimeout as error:
        raise UnavailableError("the database has no connection to spare; try again") from error


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(
            url,
            hide_parameters=True,  # an error that is logged must not quote rows
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=10,
            connect_args=_PATIENCE,
        )
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": 15})
    sqlite.prepare(engine)
    return engine
