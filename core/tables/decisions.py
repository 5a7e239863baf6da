"""What surrounds a decision: policy, talk, record, autonomy, notes, wanted labels, evaluations."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.tables.base import ENTITY, Json, LongText, Table


class PolicyVersion(Table):
    """One edit of the policy, for a model or for all ("*"); at most one of each is active."""

    __tablename__ = "policy_version"
    __table_args__ = (
        Index(
            "uq_policy_version_active",
            "model",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
        ENTITY,
    )
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    base: Mapped[int] = mapped_column(default=0)  # in force when it was drafted; 0: none
    state: Mapped[str]  # proposed, active, retired
    thresholds: Mapped[Json]  # those that differ from what lies underneath, by name
    digest: Mapped[str]
    reason: Mapped[str] = mapped_column(LongText)
    replay: Mapped[Json] = mapped_column(default=dict, server_default="{}")  # seen when proposed
    author: Mapped[str]
    at: Mapped[datetime]
    activated_at: Mapped[datetime | None]


class Message(Table):
    """One turn of the conversation about a proposal: a person's question, the agent's answer."""

    __tablename__ = "message"
    __table_args__ = (
        ForeignKeyConstraint(["recommendation_id"], ["recommendation.id"]),
        ENTITY,
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    recommendation_id: Mapped[str] = mapped_column(index=True)
    role: Mapped[str]  # person, agent
    author: Mapped[str]  # a person's name, or the reasoner
    text: Mapped[str] = mapped_column(LongText)
    evidence: Mapped[list[Any]]  # [{fact, label, value, interval, n, link}]
    answers: Mapped[str | None] = mapped_column(unique=True)  # the question's id, of an answer
    fact_book_id: Mapped[str | None]  # the facts that the answer was given from
    at: Mapped[datetime]


class Outcome(Table):
    """What an executed proposal was expected to do, what was measured, and the grade."""

    __tablename__ = "outcome"
    __table_args__ = (
        ForeignKeyConstraint(["recommendation_id"], ["recommendation.id"]),
        ENTITY,
    )
    recommendation_id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    grade: Mapped[str]  # good, bad, neutral
    expected: Mapped[Json]  # as sealed: {metric, effect, low, high, n} where known
    measured: Mapped[Json]  # the same, measured
    sentence: Mapped[str] = mapped_column(LongText)
    at: Mapped[datetime]


class Autonomy(Table):
    """A leave to act alone, by model and kind of action; without a row nothing acts alone."""

    __tablename__ = "autonomy"
    __table_args__ = ENTITY
    model: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]  # granted, withdrawn
    changed_by: Mapped[str]
    reason: Mapped[str] = mapped_column(LongText)
    at: Mapped[datetime]


class Note(Table):
    """What an operator tells the agent about a model or all ("*"); a freeze holds changes back."""

    __tablename__ = "note"
    __table_args__ = ENTITY
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    freeze: Mapped[bool]
    text: Mapped[str] = mapped_column(LongText)
    author: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_by: Mapped[str | None]  # who ended it early; `ends_at` is then when
    at: Mapped[datetime]


class LabelRequest(Table):
    """Answers whose truth people are asked for, drawn when it is made."""

    __tablename__ = "label_request"
    __table_args__ = (
        Index(
            "uq_label_request_open",
            "model",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
        ENTITY,
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    version: Mapped[str]
    state: Mapped[str]  # open, closed
    prediction_ids: Mapped[list[Any]]
    reason: Mapped[str] = mapped_column(LongText)
    author: Mapped[str]
    at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_because: Mapped[str] = mapped_column(LongText, default="", server_default="")


class Evaluation(Table):
    """How an advisor decided on the labelled scenarios, kept for the panel."""

    __tablename__ = "evaluation"
    __table_args__ = ENTITY
    id: Mapped[str] = mapped_column(primary_key=True)
    reasoner: Mapped[str] = mapped_column(index=True)
    half: Mapped[str]  # open, held-out, all
    n: Mapped[int]
    exact: Mapped[int]
    acceptable: Mapped[int]  # the exact ones too
    forbidden: Mapped[int]
    result: Mapped[Json]  # by tag and half, latency, tokens, cost, fallbacks, what was missed
    author: Mapped[str]
    at: Mapped[datetime]
