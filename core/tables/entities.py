"""What the product is about; changed only inside a command."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.tables.base import ENTITY, Json, LongText, Table


class ModelSpecRow(Table):
    """One edit of a model's spec; the newest row is the spec."""

    __tablename__ = "model_spec"
    __table_args__ = ENTITY
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    yaml: Mapped[str] = mapped_column(LongText)
    digest: Mapped[str]
    state: Mapped[str]  # active, archived
    author: Mapped[str]
    at: Mapped[datetime]


class DatasetVersion(Table):
    """One load of data: the same content in the same role is the same version."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("model", "role", "digest"), ENTITY)
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    role: Mapped[str]  # train, reference, validation, feedback, elsewhere
    state: Mapped[str]  # pending, validated, rejected, archived
    digest: Mapped[str]
    n_rows: Mapped[int]
    columns: Mapped[list[Any]]  # [{name, type, missing, ...}]
    source: Mapped[str] = mapped_column(LongText)  # in words: where the rows came from
    report: Mapped[Json]  # validation report
    author: Mapped[str]
    at: Mapped[datetime]
    parent_id: Mapped[str | None]  # the version it was made from, by adding or leaving out rows
    kept_at: Mapped[str | None]  # the outside store that holds a copy, and its name there


class ExpectationSuite(Table):
    """What is expected of a model's data; each edit is a new row, the newest is in force."""

    __tablename__ = "expectation_suite"
    __table_args__ = ENTITY
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    expectations: Mapped[list[Any]]  # [{kind, column, arguments, severity}]
    dataset_id: Mapped[str | None]  # the data it was generated from
    author: Mapped[str]
    reason: Mapped[str] = mapped_column(LongText)
    at: Mapped[datetime]


class FeatureDefinition(Table):
    """A feature that models share: typed, derived or looked up; a change is a new version."""

    __tablename__ = "feature_definition"
    __table_args__ = ENTITY
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]  # numeric, category, text
    how: Mapped[str]  # expression, function, lookup
    body: Mapped[str] = mapped_column(LongText)  # the expression, or the function's name
    inputs: Mapped[list[Any]]  # columns that it reads; none for a lookup
    entity: Mapped[str | None]  # whose value it is, for a lookup
    author: Mapped[str]
    at: Mapped[datetime]


class Run(Table):
    """One training: requested, carried out by a worker's child process, finished once."""

    __tablename__ = "run"
    __table_args__ = ENTITY
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]  # train, retrain, register, import
    state: Mapped[str]  # queued, running, finished, failed, cancelled
    job_id: Mapped[str]
    spec_version: Mapped[int]
    dataset_id: Mapped[str | None]
    candidates: Mapped[list[Any]]
    parameters: Mapped[Json]
    metrics: Mapped[Json]
    leaderboard: Mapped[list[Any]]
    trigger: Mapped[str]  # panel, command line, api, recommendation, bootstrap
    reason: Mapped[str] = mapped_column(LongText)
    author: Mapped[str]
    at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    version: Mapped[str | None]
    mlflow_run_id: Mapped[str | None]
    error: Mapped[str | None] = mapped_column(LongText)
    options: Mapped[Json] = mapped_column(
        default=dict, server_default="{}"
    )  # what differs from the spec
    study: Mapped[Json] = mapped_column(default=dict, server_default="{}")  # the trials of a search


class ModelVersion(Table):
    """A trained, registered model; what it answers with is fixed by the artifact digest."""

    __tablename__ = "model_version"
    __table_args__ = (UniqueConstraint("model", "number"), UniqueConstraint("run_id"), ENTITY)
    model: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)  # semantic, "1.2.0"
    number: Mapped[int]  # 1, 2, 3 … in order of registration
    state: Mapped[str]  # candidate, approved, rejected, archived
    run_id: Mapped[str]
    algorithm: Mapped[str]
    artifact: Mapped[str]  # SHA-256 of the artifact file
    signature: Mapped[Json]
    metrics: Mapped[Json]
    gate: Mapped[Json]
    train_dataset_id: Mapped[str]
    test_dataset_id: Mapped[str]
    reference_dataset_id: Mapped[str]
    at: Mapped[datetime]
    threshold: Mapped[float] = mapped_column(
        default=0.5, server_default="0.5"
    )  # positive from here
    plan: Mapped[str | None]  # SHA-256 of the compiled plan; None: scikit-learn serves
    plan_note: Mapped[str] = mapped_column(LongText, default="", server_default="")  # what and why
    staged_at: Mapped[datetime | None]  # since when it is the challenger
    overridden: Mapped[Json] = mapped_column(default=dict, server_default="{}")  # {by, reason, at}
    explanation: Mapped[Json] = mapped_column(
        default=dict, server_default="{}"
    )  # global importance


class Release(Table):
    """What serves: the newest row of a model, and nothing else. Rows are only ever added."""

    __tablename__ = "release"
    __table_args__ = (
        UniqueConstraint("model", "replaces"),
        CheckConstraint("replaces = seq - 1", name="replaces_the_one_before"),
        ENTITY,
    )
    model: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    replaces: Mapped[int]  # 0 for the first
    mode: Mapped[str]  # live, canary, shadow
    arms: Mapped[list[Any]]  # [{version, variant, weight}], weights of live arms sum to 1000
    salt: Mapped[str]
    undoes: Mapped[int | None]  # the seq that this release rolled back
    experiment_id: Mapped[str | None]
    actor: Mapped[str]
    reason: Mapped[str] = mapped_column(LongText)
    at: Mapped[datetime]


class Alert(Table):
    """A rule that found something: one row from the first report that says so to the end of it.

    While it is pending or suppressed it belongs to no incident.
    """

    __tablename__ = "alert"
    __table_args__ = (
        Index(
            "uq_alert_live",
            "fingerprint",
            unique=True,
            sqlite_where=text("state <> 'resolved'"),
            postgresql_where=text("state <> 'resolved'"),
        ),
        ENTITY,
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    version: Mapped[str] = mapped_column(default="", server_default="")  # seen in it last
    rule: Mapped[str]
    severity: Mapped[str]  # critical, high, medium, low
    fingerprint: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]  # pending, firing, suppressed, resolved
    value: Mapped[float]
    threshold: Mapped[float]
    incident_id: Mapped[str | None]
    report_id: Mapped[str]  # the newest report that says so
    newest_report_id: Mapped[str] = mapped_column(default="", server_default="")  # also a good one
    sentence: Mapped[str] = mapped_column(LongText, default="", server_default="")
    fired: Mapped[int] = mapped_column(default=1, server_default="1")  # reports that say so
    quiet: Mapped[int] = mapped_column(default=0, server_default="0")  # good reports since the last
    at: Mapped[datetime]
    seen_at: Mapped[datetime | None]  # when it last said so
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str] = mapped_column(LongText, default="", server_default="")


class Silence(Table):
    """Alerts that match are noted and open no incident, until it ends; see `core/incidents`."""

    __tablename__ = "silence"
    __table_args__ = ENTITY
    id: Mapped[str] = mapped_column(primary_key=True)
    matchers: Mapped[Json]  # {model, rule, cause, severity: the exact value, or left out for any}
    author: Mapped[str]
    comment: Mapped[str] = mapped_column(LongText)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_by: Mapped[str | None]  # who ended it early; `ends_at` is then when
    at: Mapped[datetime]


class Drill(Table):
    """A fire drill: a change injected into a sandbox copy of a model, and what was noticed."""

    __tablename__ = "drill"
    __table_args__ = ENTITY
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    version: Mapped[str]
    kind: Mapped[str]  # drift, labels, latency, missing, campaign
    state: Mapped[str]  # queued, running, finished, failed
    options: Mapped[Json]  # seed, size of the change, windows
    result: Mapped[Json] = mapped_column(default=dict, server_default="{}")
    sentence: Mapped[str] = mapped_column(LongText, default="", server_default="")
    author: Mapped[str]
    at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Incident(Table):
    """Something that a person should know about, from open to resolved."""

    __tablename__ = "incident"
    __table_args__ = (
        Index(
            "uq_incident_open",
            "model",
            "cause",
            unique=True,
            sqlite_where=text("state <> 'resolved'"),
            postgresql_where=text("state <> 'resolved'"),
        ),
        ENTITY,
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    version: Mapped[str]
    state: Mapped[str]  # open, acknowledged, mitigating, resolved
    severity: Mapped[str]
    cause: Mapped[str]  # drift, accuracy, errors …
    title: Mapped[str] = mapped_column(LongText)
    owner: Mapped[str | None]
    timeline: Mapped[list[Any]]  # [{at, who, what}]
    opened_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]


class FactBook(Table):
    """The facts and the policy's verdict behind one decision; kept so that it can be replayed."""

    __tablename__ = "fact_book"
    __table_args__ = ENTITY
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    incident_id: Mapped[str | None]
    facts: Mapped[list[Any]]  # [{id, value, source, at}]
    verdict: Mapped[Json]
    digest: Mapped[str]
    at: Mapped[datetime]
    policy: Mapped[Json] = mapped_column(default=dict, server_default="{}")  # the values in force
    policy_name: Mapped[str] = mapped_column(default="", server_default="")
    release_seq: Mapped[int] = mapped_column(default=0, server_default="0")  # seen; 0: nothing


class ReasonerCall(Table):
    """One question to a reasoner, with its answer, also when it failed."""

    __tablename__ = "reasoner_call"
    __table_args__ = ENTITY
    id: Mapped[str] = mapped_column(primary_key=True)
    fact_book_id: Mapped[str] = mapped_column(index=True)
    reasoner: Mapped[str]  # rules, or the model's name
    prompt: Mapped[str] = mapped_column(LongText)
    answer: Mapped[str] = mapped_column(LongText)
    error: Mapped[str | None] = mapped_column(LongText)
    tokens: Mapped[int]
    cost: Mapped[float] = mapped_column(default=0.0, server_default="0")  # in the prices' currency
    seconds: Mapped[float]
    at: Mapped[datetime]


class Recommendation(Table):
    """A proposal, sealed by the digest of what it would do and why; decided once."""

    __tablename__ = "recommendation"
    __table_args__ = ENTITY
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]  # retrain, promote, rollback, start_experiment, …
    arguments: Mapped[Json]
    decision: Mapped[str]  # the policy's word: retrain, request_approval, escalate …
    digest: Mapped[str]
    severity: Mapped[str]
    confidence: Mapped[float]
    title: Mapped[str] = mapped_column(LongText)
    reasoning: Mapped[str] = mapped_column(LongText)
    evidence: Mapped[list[Any]]  # [{fact, label, value, interval, n, link}]
    expected: Mapped[Json]  # {metric, effect, low, high, n} where known
    reasoner: Mapped[str]
    fallback: Mapped[str | None] = mapped_column(LongText)
    fact_book_id: Mapped[str | None]
    incident_id: Mapped[str | None]
    release_seq: Mapped[int]  # the release the proposal saw; 0 when nothing served
    proposed_by: Mapped[str]
    proposed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None] = mapped_column(LongText)
    edit_of: Mapped[str | None]  # the proposal that a person changed into this one


class ActionRow(Table):
    """What an approval set in motion; its idempotency key lets the effect happen once."""

    __tablename__ = "action"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        ForeignKeyConstraint(["recommendation_id"], ["recommendation.id"]),
        ENTITY,
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    recommendation_id: Mapped[str | None] = mapped_column(unique=True)
    kind: Mapped[str]
    arguments: Mapped[Json]
    state: Mapped[str]  # queued, running, succeeded, failed, reverted, cancelled
    before: Mapped[Json]
    after: Mapped[Json]
    inverse: Mapped[Json]
    idempotency_key: Mapped[str]
    origin: Mapped[str]
    at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(LongText)


class Experiment(Table):
    """Two versions compared on live traffic; holds no weights, its releases do."""

    __tablename__ = "experiment"
    __table_args__ = (UniqueConstraint("model", "name"), ENTITY)
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    state: Mapped[str]  # draft, running, paused, stopped
    result: Mapped[str | None]  # won, lost, equivalent, inconclusive, invalid
    hypothesis: Mapped[str] = mapped_column(LongText)
    control: Mapped[str]
    treatment: Mapped[str]
    mode: Mapped[str] = mapped_column(default="canary", server_default="canary")  # or shadow
    share: Mapped[float]  # of traffic that meets the treatment; none does in shadow
    metric: Mapped[str]
    alpha: Mapped[float]
    minimum_effect: Mapped[float]
    planned_n: Mapped[int]  # labelled predictions of both arms together
    release_seq: Mapped[int | None]
    verdict: Mapped[Json]
    author: Mapped[str]
    at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]


class Schedule(Table):
    """What runs by itself, and how often."""

    __tablename__ = "schedule"
    __table_args__ = (UniqueConstraint("model", "kind"), ENTITY)
    id: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str]
    kind: Mapped[str]  # the job it enqueues: monitor …
    minutes: Mapped[float]
    state: Mapped[str]  # active, paused
    author: Mapped[str]
    at: Mapped[datetime]
