"""Rows that keep the machinery going; changed by compare-and-set through `keep`, unaudited."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.tables.base import OPERATIONAL, Json, LongText, Table


class Job(Table):
    """A piece of work for a worker. `fence` grows with each claim; an old claimant is refused."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_waiting", "state", "run_after"), OPERATIONAL)
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    payload: Mapped[Json]
    key: Mapped[str | None] = mapped_column(unique=True)  # at most one job ever has this key
    state: Mapped[str]  # queued, running, succeeded, failed, cancelled
    attempts: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=3)
    fence: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    run_after: Mapped[datetime]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(LongText, default="")
    result: Mapped[Json] = mapped_column(default=dict)
    error: Mapped[str | None] = mapped_column(LongText)
    board: Mapped[Json] = mapped_column(default=dict, server_default="{}")  # figures while it runs
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobLine(Table):
    """One line that a job said while it ran."""

    __tablename__ = "job_line"
    __table_args__ = OPERATIONAL
    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    text: Mapped[str] = mapped_column(LongText)


class Lease(Table):
    """Who leads something (the schedule), until when."""

    __tablename__ = "lease"
    __table_args__ = OPERATIONAL
    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    until: Mapped[datetime]
    fence: Mapped[int]


class Tick(Table):
    """One slot of a schedule: unique, so two workers cannot both run it."""

    __tablename__ = "tick"
    __table_args__ = (UniqueConstraint("schedule_id", "slot"), OPERATIONAL)
    id: Mapped[str] = mapped_column(primary_key=True)
    schedule_id: Mapped[str]
    slot: Mapped[datetime]
    state: Mapped[str]  # started, skipped, succeeded, failed
    reason: Mapped[str] = mapped_column(LongText, default="")
    job_id: Mapped[str | None]
    at: Mapped[datetime]


class PersonSession(Table):
    """One sign-in; revoking the row signs the person out wherever the cookie still lies."""

    __tablename__ = "person_session"
    __table_args__ = OPERATIONAL
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(index=True)
    via: Mapped[str]  # panel, token, command line
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SignInCounter(Table):
    """Failed sign-ins of a name, for the lock-out."""

    __tablename__ = "sign_in_counter"
    __table_args__ = OPERATIONAL
    name: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    locked_until: Mapped[datetime | None]


class Delivery(Table):
    """A message on its way out: written with the change it reports, sent afterwards."""

    __tablename__ = "delivery"
    __table_args__ = (Index("ix_delivery_due", "state", "next_at"), OPERATIONAL)
    id: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str]  # slack, email, webhook
    subject: Mapped[str] = mapped_column(LongText)
    payload: Mapped[Json]
    state: Mapped[str]  # pending, sent, dead
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(LongText)
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class Heartbeat(Table):
    """When each process last said that it lives."""

    __tablename__ = "heartbeat"
    __table_args__ = OPERATIONAL
    process: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    detail: Mapped[Json]
