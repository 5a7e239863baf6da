"""What clients send and get about experiments: canaries and shadows."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from api.schemas import Answer, Body, Name, Short, VersionName, Words
from core.specs import canonical

if TYPE_CHECKING:
    from core.experiments.drafting import Plan


METRICS = ("accuracy", "precision", "recall", "f1")
FEWEST = 50
"""The same as in `core.experiments.statistics`, which loads scipy."""


def _metric(name: str) -> str:
    return name.lower().removesuffix("_score")


def _decides(names: list[str]) -> list[str]:
    if not set(names) <= set(METRICS) or "accuracy" not in names:
        raise ValueError(
            "accuracy decides an experiment: name it; precision, recall, f1 are told beside it"
        )
    return names


def _few(least: int) -> int:
    if least > FEWEST:
        raise ValueError(
            f"each version is judged from {FEWEST} users with an outcome on, and that holds at"
            " every look; to ask for more outcomes give a smaller minimum_effect"
        )
    return least


def _no_end(days: object) -> None:
    if days is not None:
        raise ValueError(
            "an experiment runs until it is concluded: leave this out, look at its results, and"
            " POST /api/v1/ab-testing/conclude/{test}"
        )


def _no_segment(criteria: object) -> None:
    if criteria is not None:
        raise ValueError(
            "an experiment splits all users of a model alike: leave this out, or give the segment"
            " a model of its own"
        )


Metrics = Annotated[list[Annotated[str, AfterValidator(_metric)]], AfterValidator(_decides)]


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
    name: Short | None = Field(None, description='Without it "2.0.0 against 1.0.0".')
    version_a: VersionName = Field(description="The one that serves.")
    version_b: VersionName = Field(description="The one to try.")
    mode: Literal["canary", "shadow"] = "canary"
    traffic_split: float | None = Field(
        None, ge=0.001, le=0.999, description="Of the users, for version_b; a canary's is .1."
    )
    minimum_effect: float = Field(0.02, gt=0, lt=1)
    significance_level: float = Field(0.05, gt=0, lt=1)
    success_metrics: Metrics = Field(
        ["accuracy"],
        min_length=1,
        max_length=10,
        description="accuracy decides; precision, recall and f1 are told beside it.",
    )
    min_samples_per_variant: Annotated[int, AfterValidator(_few)] | None = Field(
        None, ge=1, description="Up to 50: so many it always takes. More: a smaller minimum_effect."
    )
    duration_days: Annotated[Any, AfterValidator(_no_end)] = Field(
        None, description="Not taken: an experiment runs until it is concluded."
    )
    segment_criteria: Annotated[Any, AfterValidator(_no_segment)] = Field(
        None, description="Not taken: all users are split alike."
    )
    hypothesis: Annotated[Words, Field(max_length=1000)] = "asked for over REST"

    def plan(self) -> "Plan":
        """Return what is asked for; a canary without a split gets a tenth of the users."""
        from core.experiments.drafting import Plan  # loads scipy, which no other route needs

        control, treatment = self.version_a.removeprefix("v"), self.version_b.removeprefix("v")
        return Plan(
            model=canonical(self.model_name),
            name=self.name or f"{treatment} against {control}",
            control=control,
            treatment=treatment,
            hypothesis=self.hypothesis,
            share=self.traffic_split or 0.1 * (self.mode == "canary"),
            mode=self.mode,
            minimum_effect=self.minimum_effect,
            alpha=self.significance_level,
        )


class ExperimentDrafted(Answer):
    """An experiment whose start waits for an approver."""

    status: str = Field(examples=["proposed"])
    id: str
    name: str
    planned_n: int = Field(description="Labelled predictions that decide it.")
    recommendation_id: str
    recommendation_url: str


class ConcludeBody(Body):
    """Why it ends; the audit trail keeps the reason."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "enough outcomes: the treatment won"}]}
    )
    reason: Annotated[Words, Field(min_length=1, max_length=1000)] = "concluded over REST"


class ExperimentArm(Answer):
    """What one version did."""

    version: str
    predictions: int
    users: int = Field(description="A prediction without a user counts as one.")
    labelled: int
    correct: int
    accuracy: float | None = Field(description="Of the labelled ones; null without any.")
    precision: float | None = Field(description="Of the positive class, as recall and f1.")
    recall: float | None
    f1: float | None


class ExperimentInterval(Answer):
    """Where the difference lies, at every look at once; null before the first outcome."""

    level: float | None = Field(description="Below 1 - significance_level: each split has a part.")
    low: float | None
    high: float | None


class ExperimentResults(Answer):
    """What the treatment did against the control, and what follows from it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "0197f3a2-6b1c-7d3e-9a55-0f6f2f4c1b2a",
                    "test": "calmer words",
                    "model": "sms_spam",
                    "state": "running",
                    "mode": "canary",
                    "result": "won",
                    "winner": "2.0.0",
                    "arms": {
                        "control": {
                            "version": "1.0.0",
                            "predictions": 5200,
                            "users": 4100,
                            "labelled": 5000,
                            "correct": 4500,
                            "accuracy": 0.9,
                            "precision": 0.88,
                            "recall": 0.81,
                            "f1": 0.844,
                        },
                        "treatment": {
                            "version": "2.0.0",
                            "predictions": 5180,
                            "users": 4090,
                            "labelled": 5000,
                            "correct": 4680,
                            "accuracy": 0.936,
                            "precision": 0.93,
                            "recall": 0.88,
                            "f1": 0.904,
                        },
                    },
                    "traffic_split": 0.5,
                    "metric": "accuracy",
                    "minimum_effect": 0.02,
                    "significance_level": 0.05,
                    "significant": True,
                    "difference": 0.036,
                    "interval": {"level": 0.975, "low": 0.018, "high": 0.054},
                    "p_value": 0.00001,
                    "srm_p": 0.78,
                    "more_needed": None,
                    "method": "asymptotic confidence sequence with 2.50% of the 5% error,"
                    " as split 1",
                    "assumptions": "users are independent of each other",
                    "planned_n": 6421,
                    "started_at": "2030-01-01T12:00:00+00:00",
                    "stopped_at": None,
                    "stopped_because": None,
                    "sentence": "2.0.0 is better than 1.0.0 by +3.6% (+1.8% to +5.4%).",
                    "recommendation": "Conclude it. Propose to release 2.0.0.",
                }
            ]
        },
    )
    id: str
    test: str
    model: str
    state: str = Field(description="draft, running, paused or stopped")
    mode: str = Field(description="canary, or shadow: it answers for the log only")
    result: str | None = Field(description="won, lost, equivalent, inconclusive or invalid")
    winner: str | None = Field(description="The better version; null while or where neither is.")
    arms: dict[str, ExperimentArm]
    traffic_split: float
    metric: str
    minimum_effect: float
    significance_level: float
    significant: bool | None
    difference: float | None = Field(description="Treatment minus control.")
    interval: ExperimentInterval
    p_value: float | None = Field(description="Holds at every look and over all splits.")
    srm_p: float | None = Field(description="That the traffic was split as asked; 1 in shadow.")
    more_needed: int | None
    method: str | None
    assumptions: str | None
    planned_n: int
    started_at: str | None
    stopped_at: str | None
    stopped_because: str | None
    sentence: str
    recommendation: str = Field(description="What a person does next.")


class ExperimentStatus(ExperimentResults):
    """The results, and the counts per arm by themselves."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={})
    name: str
    versions: dict[str, str]
    share: float = Field(description="Of the traffic that meets the treatment.")
    predictions: dict[str, int]
    labelled: dict[str, int]
    correct: dict[str, int]
    users: dict[str, int] = Field(description="Per arm; a prediction without a user counts as one.")
    verdict: dict[str, Any] | None
