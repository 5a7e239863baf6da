"""What clients send and get about models and their versions."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.schemas import Answer, Body, Words

WHERE = "development, staging (the named challenger), production (serves live traffic) or archived"


class ModelSummary(Answer):
    """One model and what serves of it."""

    name: str = Field(examples=["sms_spam"])
    title: str = Field(examples=["SMS spam"])
    task: str = Field(examples=["text"])
    serving: str | None = Field(examples=["1.2.0"])
    release: int | None = Field(examples=[3])
    challenger: str | None = Field(examples=["1.3.0"])
    versions: list[str] = Field(examples=[["1.3.0", "1.2.0"]])


class Models(Answer):
    """Every model that has a spec."""

    models: list[ModelSummary]


class VersionSummary(Answer):
    """One line about a version."""

    version: str = Field(examples=["1.3.0"])
    stage: str = Field(description=WHERE, examples=["staging"])
    state: str = Field(description="candidate, approved, rejected or archived")
    algorithm: str
    accuracy: float | None
    f1: float | None
    gate: str | None = Field(description="promote, refuse or not_enough_evidence")
    registered_at: str


class Model(Answer):
    """One model with its newest 100 versions."""

    name: str = Field(examples=["sms_spam"])
    title: str
    task: str
    serving: str | None
    release: int | None
    challenger: str | None
    versions: list[VersionSummary]


class Version(Answer):
    """One registered version."""

    name: str = Field(examples=["sms_spam"])
    version: str = Field(examples=["1.2.0"])
    stage: str = Field(description=WHERE, examples=["production"])
    state: str = Field(description="candidate, approved, rejected or archived")
    algorithm: str = Field(examples=["logistic_regression"])
    serving: bool
    threshold: float = Field(
        description="Positive from this probability; where it serves, the one set for it.",
        examples=[0.5],
    )
    metrics: dict[str, Any] = Field(description="On held-out rows, with 95 % intervals.")
    gate: dict[str, Any]
    verdict: str = Field(description="The gate in words, and who overrode it.")
    overridden: dict[str, Any]
    parameters: dict[str, Any]
    datasets: dict[str, str] = Field(description="Ids of the train, test and reference data.")
    signature: dict[str, Any]
    artifact: str
    registered_at: str


class PromoteBody(Body):
    """Where the version goes, and why; the audit trail keeps the reason."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"stage": "staging", "reason": "better on short texts"}]}
    )
    stage: Literal["staging", "production"] = "production"
    reason: Words = Field("", max_length=1000)


class Promotion(Answer):
    """What came of it: the challenger is named at once, a release waits for an approver."""

    status: str = Field(description="staged or proposed", examples=["proposed"])
    name: str = Field(examples=["sms_spam"])
    version: str = Field(examples=["1.3.0"])
    stage: str = Field(description="Where it is now.", examples=["development"])
    recommendation_id: str | None
    recommendation_url: str | None


class SideBySide(Answer):
    """Two versions; every difference is the second minus the first."""

    model: str = Field(examples=["sms_spam"])
    versions: list[str] = Field(examples=[["1.2.0", "1.3.0"]])
    metrics: dict[str, Any] = Field(description="Values, 95 % intervals and the difference.")
    sides: list[dict[str, Any]]
    parameters: list[list[Any]] = Field(description="Name, first, second of what differs.")
    same_test_rows: bool
    paired: dict[str, Any] | None = Field(
        description="McNemar's test on the held-out rows both were judged on; null without any. "
        "With two labels an answer changed on each row that only one of them got right."
    )
    slices: list[dict[str, Any]] = Field(
        description="What the gate found per slice where it set the two against each other."
    )


class Stretch(Answer):
    """What served, since when and until when, by whom and why."""

    release: int
    serves: str = Field(examples=["1.2.0"])
    versions: dict[str, float] = Field(examples=[{"1.2.0": 0.9, "1.3.0": 0.1}])
    thresholds: dict[str, float] = Field(
        description="Those that people set in place of the versions' own.",
        examples=[{"1.2.0": 0.7}],
    )
    mode: str
    state: str = Field(description="current, superseded or rolled back")
    since: str
    until: str | None
    by: str
    why: str
    takes_back: int | None = Field(description="The release that this one rolled back.")


class History(Answer):
    """The past of a model, newest first; with `at` only what served then."""

    model: str
    history: list[Stretch]
