"""What clients send and get about experiments: canaries and shadows."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.schemas import Answer, Body, Name, Short, VersionName, Words


class ExperimentStatus(Answer):
    """An experiment so far; counts per arm, and the verdict once labels came."""

    id: str
    name: str
    model: str
    state: str = Field(description="draft, running, paused or stopped")
    mode: str = Field(description="canary, or shadow: it answers for the log only")
    result: str | None = Field(description="won, lost, equivalent, inconclusive or invalid")
    versions: dict[str, str]
    share: float = Field(description="Of the traffic that meets the treatment.")
    planned_n: int
    predictions: dict[str, int]
    labelled: dict[str, int]
    correct: dict[str, int]
    users: dict[str, int] = Field(description="Per arm; a prediction without a user counts as one.")
    verdict: dict[str, Any] | None
    sentence: str


class ExperimentBody(Body):
    """Which two versions to compare on live traffic, and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_name": "sms_spam",
                    "name": "calmer words",
                    "version_a": "1.0.0",
                    "version_b": "2.0.0",
                    "mode": "shadow",
                    "hypothesis": "fewer misses on new campaigns",
                }
            ]
        }
    )
    model_name: Name
    name: Short
    version_a: VersionName = Field(description="The one that serves.")
    version_b: VersionName = Field(description="The one to try.")
    mode: Literal["canary", "shadow"] = "canary"
    traffic_split: float | None = Field(
        None, ge=0.001, le=0.999, description="Of the users, for version_b; a canary's is .1."
    )
    minimum_effect: float = Field(0.02, gt=0, lt=1)
    significance_level: float = Field(0.05, gt=0, lt=1)
    hypothesis: Annotated[Words, Field(max_length=1000)] = "asked for over REST"


class ExperimentDrafted(Answer):
    """An experiment whose start waits for an approver."""

    status: str = Field(examples=["proposed"])
    id: str
    name: str
    planned_n: int = Field(description="Labelled predictions that decide it.")
    recommendation_id: str
    recommendation_url: str
