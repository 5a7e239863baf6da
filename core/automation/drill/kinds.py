"""The kinds of change that a drill injects, and what is expected to follow from each."""

from dataclasses import dataclass
from typing import Literal, get_args

from core.errors import InvalidInputError
from core.specs import ModelSpec

Kind = Literal["drift", "labels", "latency", "missing", "campaign"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Expected:
    """What a good watch makes of a change.

    `causes` are those of incidents that name it rightly, the best first; `rules` the alert rules
    whose severity the incident should have; `proposes` the action that the agent should propose,
    None where it should propose none (a retraining on broken data, for example, does harm);
    `decisions` the words of the policy that say so.
    """

    change: str
    causes: tuple[str, ...]
    rules: tuple[str, ...]
    proposes: str | None
    decisions: tuple[str, ...]
    why: str


_RETRAIN = ("log_only", "retrain", "request_approval", "escalate")
"""By the size of the change, with the proposal to retrain in each."""

EXPECTED: dict[Kind, Expected] = {
    "drift": Expected(
        "the inputs move away from what the model learnt from",
        ("drift",),
        ("drift",),
        "retrain",
        _RETRAIN,
        "Inputs that changed for good ask for a new candidate.",
    ),
    "labels": Expected(
        "the same inputs get another truth: the concept changes",
        ("concept", "accuracy"),
        ("concept_drift", "accuracy_drop", "accuracy_floor"),
        "retrain",
        ("retrain", "request_approval", "escalate"),
        "Lost accuracy without an earlier version to go back to asks for a new candidate.",
    ),
    "latency": Expected(
        "answers become slow",
        ("latency",),
        ("latency",),
        None,
        ("escalate", "log_only"),
        "A slow service is a matter for people: no training makes it faster.",
    ),
    "missing": Expected(
        "values no longer arrive",
        ("data_quality", "drift"),
        ("data_quality", "drift"),
        None,
        ("escalate", "log_only"),
        "A model must not be trained on broken data: people look at the feed first.",
    ),
    "campaign": Expected(
        "many near-copies of one new input arrive",
        ("drift",),
        ("drift",),
        "retrain",
        _RETRAIN,
        "A campaign that stays asks for a new candidate that knows it.",
    ),
}


def check(spec: ModelSpec, kind: str, size: float) -> Kind:
    """Return the kind if a drill of it fits the model.

    Raises: InvalidInputError (a sentence that says why it does not).

    >>> KINDS
    ('drift', 'labels', 'latency', 'missing', 'campaign')
    """
    found = next((one for one in KINDS if one == kind), None)
    if found is None:
        raise InvalidInputError(f"there is no drill of kind {kind[:40]}; use {', '.join(KINDS)}")
    if not 0 < size <= 1:
        raise InvalidInputError("the size of a drill is a share above 0 and at most 1")
    types = {feature.type for feature in spec.input.features}
    if kind == "campaign" and types == {"numeric"}:
        raise InvalidInputError(
            f"{spec.title} reads numbers only: a campaign is a burst of one text or of one "
            "combination of categories; use the kind drift"
        )
    return found
