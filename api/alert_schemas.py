"""What clients send and get about alerts, incidents and silences."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from api.schemas import Answer, Body, ModelName, Words
from core.specs.alerts import RuleName, Severity

AlertState = Literal["pending", "firing", "suppressed", "resolved"]
Cause = Annotated[Words, Field(min_length=1, max_length=100, examples=["drift"])]
Reason = Annotated[Words, Field(min_length=1, max_length=500)]
Silenced = ModelName | Literal["*"]
"""A model, or those alerts of other systems that name no model."""
Hours = Annotated[float, Field(gt=0, le=720, description="At most 30 days.")]


class AlertRow(Answer):
    """A rule that found something, from the first report that said so to its end."""

    id: str
    model: str
    version: str
    rule: str = Field(examples=["drift"])
    severity: str
    state: str = Field(description="pending, firing, suppressed or resolved", examples=["firing"])
    value: float
    threshold: float
    sentence: str
    reports: int = Field(description="How many reports in a row said so.")
    since: datetime
    seen_at: datetime | None
    ended_at: datetime | None
    ended_because: str
    incident_id: str | None
    report_id: str


class AlertList(Answer):
    """Alerts, the newest first."""

    alerts: list[AlertRow]


class TimelineRow(Answer):
    """One line of an incident."""

    at: datetime
    who: str
    what: str


class IncidentRow(Answer):
    """Something that a person should know about."""

    id: str
    model: str
    version: str
    state: str = Field(description="open, acknowledged, mitigating or resolved", examples=["open"])
    severity: str
    cause: str
    title: str
    owner: str | None
    opened_at: datetime
    resolved_at: datetime | None
    timeline: list[TimelineRow]


class IncidentList(Answer):
    """Incidents, the newest first."""

    incidents: list[IncidentRow]


class SilenceBody(Body):
    """What is to be silent: exact values; what is left out is any. Critical only where named."""

    model: Silenced | None = Field(None, description="`*`: alerts that name no model.")
    rule: RuleName | None = None
    cause: Cause | None = None
    severity: Severity | None = None
    hours: Hours = Field(examples=[4])
    comment: Reason = Field(examples=["planned maintenance"])
    starts_at: datetime | None = Field(None, description="Now, where it is left out.")


class SilenceRow(Answer):
    """A silence; its state follows from the clock."""

    id: str
    state: str = Field(description="pending, active or expired", examples=["active"])
    covers: str = Field(examples=["Low alerts of sms_spam"])
    matchers: dict[str, str]
    author: str
    comment: str
    starts_at: datetime
    ends_at: datetime
    ended_by: str | None


class SilenceList(Answer):
    """Silences, the one that ends last first."""

    silences: list[SilenceRow]


class SilencePreview(Answer):
    """What a silence would cover now, and would have covered in the last 7 days."""

    sentence: str
    now: list[AlertRow]
    last_7_days: int
    incidents: list[str] = Field(description="Open incidents that would send no more messages.")
