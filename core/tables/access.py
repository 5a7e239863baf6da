"""People, keys and the audit trail."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from core.tables.base import ENTITY, OPERATIONAL, Json, LongText, Table


class User(Table):
    """A person who may sign in."""

    __tablename__ = "user_account"
    __table_args__ = ENTITY
    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    password_hash: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    token_epoch: Mapped[int] = mapped_column(default=0, server_default="0")  # older tokens are void


class ApiKey(Table):
    """A client's key; only its SHA-256 is kept."""

    __tablename__ = "api_key"
    __table_args__ = ENTITY
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    secret_hash: Mapped[str]
    scopes: Mapped[list[Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    rate_limit: Mapped[int | None]  # requests a minute; None: as the settings say


class IdempotentRequest(Table):
    """A request that changes something and named itself: what it was, and what it was answered."""

    __tablename__ = "idempotent_request"
    __table_args__ = OPERATIONAL
    owner: Mapped[str] = mapped_column(primary_key=True)  # the key or person that asked
    key: Mapped[str] = mapped_column(primary_key=True)  # as the client named it
    digest: Mapped[str]  # of route and body: the same key with another body is refused
    status: Mapped[int | None]  # None while the first one is in work
    answer: Mapped[str | None] = mapped_column(LongText)
    at: Mapped[datetime] = mapped_column(index=True)


class AuditEvent(Table):
    """One attempt to change something, done or refused; rows are only ever added."""

    __tablename__ = "audit_event"
    __table_args__ = ENTITY
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    actor_kind: Mapped[str]
    role: Mapped[str]
    action: Mapped[str]
    model: Mapped[str | None] = mapped_column(index=True)
    outcome: Mapped[str]
    reason: Mapped[str] = mapped_column(LongText)
    detail: Mapped[Json]
    mac: Mapped[str]
