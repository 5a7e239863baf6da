"""Bulk measurements with an append path of their own; never part of a command."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.tables.base import TELEMETRY, Big, Json, LongText, Table


class Prediction(Table):
    """One answered request. The key leads with time, so that PostgreSQL can partition by it.

    No index leads with the model: why, with figures, says docs/decisions/0013-index-of-the-log.md.
    """

    __tablename__ = "prediction"
    __table_args__ = (
        Index("ix_prediction_sample", "hour", "model", "version", "sample_key"),
        Index("ix_prediction_id", "id"),
        TELEMETRY,
    )
    at: Mapped[datetime] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)  # UUIDv7
    model: Mapped[str]
    version: Mapped[str]
    variant: Mapped[str]  # control, treatment, shadow
    release_seq: Mapped[int]
    is_shadow: Mapped[bool]
    hour: Mapped[int]  # whole hours since 1970
    sample_key: Mapped[int] = mapped_column(Big)  # uniform: a window's sample is an index range
    input: Mapped[Json]
    label: Mapped[str]
    probability: Mapped[float]  # of the positive class
    latency_ms: Mapped[float]
    entity_id: Mapped[str | None]  # the client's user_id
    experiment: Mapped[str | None]
    key_id: Mapped[str]


class FeatureValue(Table):
    """What a looked-up feature was for an entity, from a moment on; rows are only ever added."""

    __tablename__ = "feature_value"
    __table_args__ = (Index("ix_feature_value_loaded", "loaded_at"), TELEMETRY)
    feature: Mapped[str] = mapped_column(primary_key=True)  # name@version
    entity_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    value: Mapped[Json]  # {"value": …}
    loaded_at: Mapped[datetime]  # when it was loaded: the services follow what is new by it


class RequestOnce(Table):
    """A client's request_id that was stored; a repeated request is stored once."""

    __tablename__ = "request_once"
    __table_args__ = TELEMETRY
    prediction_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class Label(Table):
    """What a source says was true, its newest word; whether sources dispute it is derived.

    There is no foreign key: a label may arrive before its prediction.
    """

    __tablename__ = "label"
    __table_args__ = (Index("ix_label_at", "at"), TELEMETRY)
    prediction_id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    state: Mapped[str]  # provisional, confirmed
    at: Mapped[datetime]  # since when the source says this value
    said_at: Mapped[datetime | None]  # when it last repeated it; None: it never did


class EarlierLabel(Table):
    """What a source said before it corrected itself."""

    __tablename__ = "earlier_label"
    __table_args__ = TELEMETRY
    prediction_id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    value: Mapped[str]


class HourlyCount(Table):
    """Counters per model, version, variant and hour, so that checks cost the same at any load."""

    __tablename__ = "hourly_count"
    __table_args__ = TELEMETRY
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    variant: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    requests: Mapped[int]
    errors: Mapped[int]
    positives: Mapped[int]
    latency_ms_sum: Mapped[float]
    latency_buckets: Mapped[Json]  # {"5": n, "10": n, … "inf": n}, upper bounds in milliseconds


class SpoolPosition(Table):
    """How far a spool file has been moved; written in the transaction of the rows it covers."""

    __tablename__ = "spool_position"
    __table_args__ = TELEMETRY
    spool: Mapped[str] = mapped_column(primary_key=True)
    offset: Mapped[int] = mapped_column(Big)
    at: Mapped[datetime]


JUDGED = ("pass", "warn", "fail")
"""States of a report whose window was compared; others say why one is not judged yet."""


class MonitorReport(Table):
    """What one check of one window found."""

    __tablename__ = "monitor_report"
    __table_args__ = (
        Index("ix_monitor_report_model", "model", "kind", "at"),
        UniqueConstraint("model", "version", "kind", "origin", "follows"),  # windows stay disjoint
        TELEMETRY,
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    version: Mapped[str]
    kind: Mapped[str]  # drift, performance, estimate, concept, quality, volume, service
    origin: Mapped[str] = mapped_column(default="live", server_default="live")  # or backfill
    state: Mapped[str]  # pass, warn, fail, inconclusive, error
    window_start: Mapped[datetime]
    window_end: Mapped[datetime]
    window_last_id: Mapped[str]  # the next window starts behind this prediction
    follows: Mapped[str | None]  # the window_last_id before, "" for a first window; see unique key
    n_current: Mapped[int]
    n_reference: Mapped[int]
    p_value: Mapped[float | None]
    score: Mapped[float | None]
    method: Mapped[str]
    sentence: Mapped[str] = mapped_column(LongText)
    figures: Mapped[Json]
    assumptions: Mapped[str] = mapped_column(LongText)
    at: Mapped[datetime]
