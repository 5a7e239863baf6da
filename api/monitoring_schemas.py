"""What the routes of monitoring take and answer, field by field."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from api.schemas import Answer, Body, ModelName

ReportKind = Literal["drift", "quality", "performance", "estimate", "concept", "volume", "service"]
Share = Annotated[float | None, Field(description="Between 0 and 1.")]
Interval = Annotated[list[float | None] | None, Field(description="Lower and upper bound.")]


def _in_utc(moment: datetime) -> datetime:
    """Read a moment without a zone as UTC; one that UTC cannot say is refused."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as problem:
        raise ValueError("in UTC this is before the year 1 or after the year 9999") from problem


Moment = Annotated[datetime, AfterValidator(_in_utc)]


class RunBody(Body):
    """Which model to check; without one the model that is served by default."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model_name": "sms_spam"}]})
    model_name: ModelName | None = None


class RunAsked(Answer):
    """The check that is queued, and where its result will be."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "job_id": "01b8dd58-e200-7317-8353-913fc231c94f",
                    "model": "sms_spam",
                    "status": "queued",
                    "status_url": "/api/v1/monitoring/jobs/01b8dd58-e200-7317-8353-913fc231c94f",
                }
            ]
        },
    )
    job_id: str
    model: str
    status: str = Field(description="queued or running")
    status_url: str


class CheckJob(Answer):
    """How far a check is, and what it found, one sentence per report."""

    job_id: str
    kind: str = Field(description="monitor: a check of the newest windows; backfill: of the past")
    model: str | None
    status: str = Field(description="queued, running, succeeded, failed or cancelled")
    done: int
    total: int
    note: str
    error: str | None
    found: list[str]
    asked_at: str
    finished_at: str | None


class Signal(Answer):
    """What a report says to one alert rule."""

    rule: str | None
    state: str | None = Field(description="firing, ok or unknown")
    severity: str | None
    value: float | None
    threshold: float | None
    sentence: str | None
    n: int | None


class ReportLine(Answer):
    """One monitor report in a line."""

    id: str
    model: str
    version: str
    kind: str
    origin: str = Field(description="live, or backfill: judged later, and raises no alert")
    state: str = Field(description="pass, warn, fail, inconclusive or error")
    sentence: str
    score: float | None
    p_value: float | None
    n: int = Field(description="Rows in the window.")
    window_start: str
    window_end: str
    at: str


class Check(ReportLine):
    """The newest report of one kind, with what it says to the alert rules."""

    signals: list[Signal]


class Report(Check):
    """One report with all of its figures, which differ by kind."""

    method: str
    assumptions: str
    figures: dict[str, Any]


class Reports(Answer):
    """A page of reports, the newest first."""

    reports: list[ReportLine]
    next: str | None = Field(description="`before` of the next page; null on the last one.")


class Column(Answer):
    """One input column of the newest judged window, against the reference."""

    name: str | None
    kind: str | None
    change: str | None = Field(description="none, location, spread, category or missing")
    detail: str | None
    distance: float | None
    p_value: float | None
    drifted: bool | None


class CampaignFound(Answer):
    """A group of near-copies that is new."""

    size: int | None
    share: float | None
    example: str | None
    terms: list[str] | None


class Drift(Answer):
    """The newest judged window of a model; distances are None where the task has no such figure."""

    model: str
    state: str = Field(description="pass, warn, fail, inconclusive, error, or unchecked")
    drift_detected: bool
    vocabulary_drift: float | None
    tfidf_drift: float | None
    threshold: float | None
    new_patterns: list[str] = Field(description="Words that became more frequent, surest first.")
    score: float | None
    p_value: float | None
    n: int
    sentence: str
    pending: str | None = Field(
        description="Why a newer window is not judged yet, if there is one."
    )
    timestamp: str | None
    alarm: bool | None = Field(description="Whether the evidence over all checks is an alarm.")
    budget_used: Share = Field(description="How far the evidence is on its way to an alarm.")
    families: dict[str, float] = Field(description="The same for each family of changes.")
    checks: int | None = Field(description="Checks since that evidence began.")
    leading: str | None = Field(description="What the evidence is most about.")
    columns: list[Column]
    campaigns: list[CampaignFound]


class ModelLine(Answer):
    """One released model in a line."""

    model: str
    version: str
    drift: str
    drift_score: float | None
    budget_used: Share
    accuracy: float | None = Field(description="Realised, on labels that are complete.")
    estimated_accuracy: float | None = Field(description="Estimated, before labels arrive.")
    label_coverage: Share
    open_incidents: int


class Monitoring(Answer):
    """All models over some hours; averages are None where nothing was measured."""

    status: str = Field(description="healthy, degraded or critical")
    hours: int
    total_predictions: int
    avg_accuracy: float | None
    avg_latency_ms: float | None
    avg_error_rate: float | None
    drift_incidents: int
    avg_data_quality: float | None
    alerts: dict[str, int]
    models: list[ModelLine]


class Labels(Answer):
    """How many answers got a label, and how long that takes."""

    coverage: Share
    lag_median_hours: float | None
    lag_p90_hours: float | None
    n_predictions: int | None
    n_labelled: int | None


class Beside(Answer):
    """Realised accuracy beside the estimated one."""

    accuracy: float | None
    accuracy_interval: Interval
    estimated_accuracy: float | None
    estimated_interval: Interval
    baseline_accuracy: float | None = Field(description="On held-out rows, at registration.")
    f1: float | None
    labels: Labels


class OpenIncident(Answer):
    """An incident that is not resolved."""

    id: str
    state: str
    severity: str
    cause: str
    title: str
    owner: str | None
    opened_at: str


class Dashboard(Answer):
    """What the panel says first of one model, all from stored reports."""

    model: str
    title: str
    version: str
    release: int
    released_at: str
    finding: str
    drift: Drift
    performance: Beside
    checks: list[Check] = Field(description="The newest report of each kind.")
    incidents: list[OpenIncident] = Field(description="Those that are open, the gravest first.")
    alerts: dict[str, int] = Field(description="Alerts that have not ended, by state.")
