"""What another system's alert manager sends (Alertmanager's webhook, version 4), and gets."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas import Answer, Words

Text = Annotated[Words, Field(max_length=10_000)]
Pairs = Annotated[dict[Text, Text], Field(max_length=100)]


class _Sent(BaseModel):
    """What a foreign program sends: what is not known here is left alone."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class ToldAlert(_Sent):
    """One alert. `labels.alertname` names it, `labels.model` says which model it is about."""

    status: Literal["firing", "resolved"]
    labels: Pairs = Field(examples=[{"alertname": "HighErrorRate", "model": "sms_spam"}])
    annotations: Pairs = Field({}, examples=[{"summary": "5 % of requests fail"}])
    fingerprint: Annotated[Words, Field(max_length=200)] = ""

    @property
    def firing(self) -> bool:
        """Whether it goes on."""
        return self.status == "firing"


class Told(_Sent):
    """A group of alerts."""

    version: Literal["4"] = "4"
    alerts: Annotated[list[ToldAlert], Field(max_length=1_000)]


class Taken(Answer):
    """What followed from the alerts."""

    opened: int = Field(description="Incidents that are new.")
    extended: int = Field(description="Alerts that an open incident took in.")
    resolved: int = Field(description="Alerts that are over.")
    unchanged: int = Field(description="Alerts that were told before, or are silenced.")
