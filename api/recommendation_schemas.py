"""What clients send and get about proposals and their decisions."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.schemas import Answer, Body, Words

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Proposal(Answer):
    """A proposal as it was sealed, and what became of it."""

    id: str
    model: str = Field(examples=["sms_spam"])
    kind: str = Field(description="What it would do.", examples=["retrain"])
    arguments: dict[str, Any]
    state: str = Field(
        description="proposed, approved, rejected, edited, expired, superseded, executing,"
        " succeeded or failed"
    )
    severity: str = Field(examples=["high"])
    confidence: float
    title: str
    reasoning: str
    evidence: list[Any] = Field(description="Facts with value, interval and n.")
    expected: dict[str, Any] = Field(description="The effect that is expected, where known.")
    reasoner: str = Field(description="rules, a model, or a person")
    risky: bool = Field(description="An approver decides, who is not the proposer.")
    digest: str = Field(description="Seals all of the above; an approval names it.")
    proposed_by: str
    proposed_at: str
    expires_at: str
    decided_by: str | None
    decided_at: str | None
    decision_reason: str | None
    url: str = Field(description="Its page in the panel.")


class ProposalList(Answer):
    """Proposals: what waits with the most severe first, what was decided with the newest first."""

    recommendations: list[Proposal]


class Change(Answer):
    """One row of what an approval would change, as things stand."""

    what: str
    before: str
    after: str


class WhatCameOfIt(Answer):
    """The action that an approval set in motion."""

    id: str
    state: str = Field(description="queued, running, succeeded, failed, reverted or cancelled")
    error: str | None


class WhyNotYou(Answer):
    """Why whoever asks cannot decide this now; null where they can."""

    approve: str | None
    reject: str | None


class ProposalInFull(Proposal):
    """A proposal with what it would change, what came of it, and whether the caller may decide."""

    changes: list[Change]
    action: WhatCameOfIt | None
    refused: WhyNotYou


class ApproveBody(Body):
    """What is approved: the digest of the proposal that was looked at."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"digest": "0" * 64, "reason": "as discussed"}]}
    )
    digest: Digest
    reason: Annotated[Words, Field(max_length=1000)] = ""


class RejectBody(Body):
    """Why it is rejected; the reason is kept with it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the campaign ends tomorrow"}]}
    )
    reason: Annotated[Words, Field(min_length=1, max_length=1000)]
