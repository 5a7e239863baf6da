"""What clients send and get, field by field; unknown fields are refused."""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from core.datasets.values import category


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("NUL characters are not allowed")
    return text


Words = Annotated[str, AfterValidator(_no_nul)]
Short = Annotated[Words, Field(min_length=1, max_length=100)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,99}$")]
ModelName = Name
VersionName = Annotated[str, Field(pattern=r"^v?[0-9]{1,6}(\.[0-9]{1,6}){0,2}$")]
JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
ExperimentName = Short
Feature = int | float | str | bool | None
"""One feature's value; null where it is missing."""


class Body(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Answer(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """An error as RFC 9457 describes it; `type` is stable, `detail` is a sentence for a person."""

    type: str = Field(examples=["/problems/invalid-input"])
    title: str = Field(examples=["Not usable"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["the message is empty"])


class PredictBody(Body):
    """One input: a message for a text model, or features for a tabular one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"message": "WIN a free cruise, reply YES now", "user_id": "user-17"},
                {"model": "heart_disease", "features": {"age": 63, "sex": "1", "chol": None}},
            ]
        }
    )
    message: str | None = Field(None, description="For a text model.")
    features: dict[str, Feature] | None = Field(
        None, max_length=500, description="For a tabular model; what is left out is missing."
    )
    entity_id: Short | None = Field(
        None, description="Whose features are looked up, where `features` leaves them out."
    )
    model: Name | None = Field(None, description="Without it the default text model answers.")
    user_id: Short | None = Field(None, description="The same user meets the same version.")
    experiment_name: Short | None = Field(None, description="Noted with the prediction.")
    request_id: Short | None = Field(None, description="Repeat it, and it is stored once.")


class BatchBody(Body):
    """Many inputs for one model: either messages or features, in the order of the answers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"messages": ["See you at six", "Claim your prize"], "user_ids": ["a", "b"]}
            ]
        }
    )
    messages: list[Any] | None = Field(None, min_length=1)
    batch_features: list[Any] | None = Field(None, min_length=1)
    user_ids: list[Any] | None = None
    entity_ids: list[Any] | None = None
    model: Name | None = None
    experiment_name: Short | None = None


class Prediction(Answer):
    """An answer that is in the log already."""

    prediction_id: str = Field(examples=["0197f3a2-6b1c-7d3e-9a55-0f6f2f4c1b2a"])
    prediction: str = Field(description="The class, as in the training data.", examples=["spam"])
    label: str = Field(description="The same class; what POST /feedback takes as a label.")
    confidence: float = Field(description="The probability of the predicted class.", ge=0, le=1)
    probabilities: dict[str, float]
    model: str = Field(examples=["sms_spam"])
    model_version: str = Field(examples=["1.2.0"])
    variant: str = Field(description="control or treatment", examples=["control"])
    user_id: str | None
    latency_ms: float = Field(description="How long the model took.")
    timestamp: str = Field(examples=["2030-01-01T12:00:00+00:00"])


class BatchItemError(Answer):
    """Why one item of a batch was not answered."""

    error: Problem


class BatchAnswer(Answer):
    """One result per item, in the order of the request."""

    results: list[Prediction | BatchItemError]
    succeeded: int
    failed: int


def _spelled(value: object) -> object:
    return category(value) or "" if isinstance(value, bool | int | float) else value


Label = Annotated[
    Words,
    BeforeValidator(_spelled, json_schema_input_type=str | bool | int | float),
    Field(min_length=1, max_length=200),
]
"""A class, in any spelling that the training data could have: 1, 1.0 and "1" are the same."""


class FeedbackItem(Body):
    """What was true of one prediction."""

    prediction_id: Annotated[Words, Field(min_length=1, max_length=100)]
    label: Label = Field(validation_alias=AliasChoices("label", "true_label"))
    source: Short = "client"


class FeedbackBody(Body):
    """Either `prediction_id` and `label`, or `items` with many of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"prediction_id": "0197f3a2-6b1c-7d3e-9a55-0f6f2f4c1b2a", "label": "spam"},
            ]
        }
    )
    prediction_id: Annotated[Words, Field(min_length=1, max_length=100)] | None = None
    label: Label | None = Field(None, validation_alias=AliasChoices("label", "true_label"))
    source: Short = "client"
    items: list[Annotated[Any, WithJsonSchema(FeedbackItem.model_json_schema())]] | None = Field(
        None, min_length=1
    )


class FeedbackRefusal(Answer):
    """Why one of many labels was not taken."""

    index: int
    error: Problem


class FeedbackAnswer(Answer):
    """How many labels were taken; a label that was known already is taken without effect."""

    status: str = Field(examples=["accepted"])
    accepted: int
    refused: list[FeedbackRefusal]


class Comparison(Answer):
    """The version that serves beside the one before it."""

    model: str
    current_model: dict[str, Any]
    previous_model: dict[str, Any] | None
    improvement: float | None = Field(
        description="Difference in accuracy, current minus previous, on the held-out rows "
        "that both were judged on; null where there are none."
    )


class RollbackBody(Body):
    """Which model, and why; the audit trail keeps the reason."""

    model: Name | None = None
    reason: Annotated[Words, Field(min_length=1, max_length=1000)] = "asked for over REST"


class Rollback(Answer):
    """What was taken back."""

    status: str = Field(examples=["rolled_back"])
    model: str
    previous_version: str
    rolled_back_to: str
    timestamp: str


class Retraining(Answer):
    """One training and what came of it."""

    model: str
    timestamp: str
    trigger: str
    reasoning: str
    decision: str
    version: str | None
    metrics: dict[str, Any]


class RetrainingHistory(Answer):
    """Trainings, newest first."""

    history: list[Retraining]


class TrainingBody(Body):
    """What to train; without `model_types` the candidates of the spec compete."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model_name": "sms_spam", "trigger_reason": "new data"}]}
    )
    model_name: Name
    model_types: list[Short] | None = Field(None, min_length=1, max_length=10)
    hyperparameter_optimization: bool | None = Field(
        None, description="true: 20 trials per candidate; false: none; without it the spec's."
    )
    auto_deploy_threshold: float | None = Field(
        None, gt=0, lt=1, description="Accuracy below this is not promoted; only ever stricter."
    )
    config_overrides: dict[Short, Any] = Field(
        default_factory=dict,
        max_length=20,
        description="trials, seconds, pruning, selection_metric, folds, seed, threshold.",
    )
    trigger_reason: Annotated[Words, Field(max_length=1000)] = ""


class RetrainingBody(TrainingBody):
    """What to train again and why; the rest is as for a training."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_name": "sms_spam",
                    "trigger_reason": "recall fell on a new campaign",
                    "config_overrides": {"trials": 10},
                }
            ]
        }
    )
    trigger_reason: Annotated[Words, Field(min_length=1, max_length=1000)]


class TrainingStarted(Answer):
    """A training that waits for a worker."""

    job_id: str
    run_id: str
    status: str
    status_url: str


class TrainingStatus(Answer):
    """How far a training is."""

    job_id: str
    status: str = Field(description="queued, running, succeeded, failed or cancelled")
    done: int
    total: int
    note: str
    error: str | None
    version: str | None
    metrics: dict[str, Any]
    lines: list[str]


class ExplainBody(Body):
    """One input to explain, and which version is asked; without one the version that serves."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"message": "WIN a free cruise, reply YES now"}]}
    )
    message: Words | None = Field(None, description="For a text model.")
    features: dict[str, Feature] | None = Field(None, max_length=500)
    entity_id: Short | None = Field(
        None, description="Whose features are looked up, where `features` leaves them out."
    )
    version: VersionName | None = None


class ExplanationPart(Answer):
    """One feature or word, and what it added to the score; below zero it speaks against."""

    name: str
    value: float | str | None = Field(description="As given; how often a word occurs.")
    contribution: float
    word: bool = Field(description="Whether it is a word of a text; else a feature.")


class Explanation(Answer):
    """Why an input got its answer: base + contributions + rest is the score."""

    model: str
    version: str
    label: str
    positive: str = Field(description="The label that contributions above zero speak for.")
    negative: str
    probability: float = Field(description="Of the positive label.", ge=0, le=1)
    score: float
    base: float
    scale: str = Field(description="log-odds, margin or probability", examples=["log-odds"])
    method: str
    parts: list[ExplanationPart] = Field(description="The largest first.")
    rest: float
    n_rest: int = Field(description="How many inputs are not listed; they add `rest`.")
