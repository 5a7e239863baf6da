"""The alert rules: what each is called, which incident it belongs to, and how patient it is."""

from dataclasses import dataclass
from typing import Literal

RuleName = Literal[
    "drift",
    "accuracy_drop",
    "accuracy_floor",
    "estimated_accuracy",
    "concept_drift",
    "data_quality",
    "error_rate",
    "latency",
    "volume",
]
Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")

KINDS = ("quality", "drift", "performance", "estimate", "concept", "volume", "service")
"""Of checks and their reports, in the order of a round: the drift report tells what was found about
the quality of the same inputs."""


@dataclass(frozen=True)
class Rule:
    """One alert rule with its defaults.

    `kind` is that of the monitor reports that speak for it, `cause` groups alerts into one
    incident. It fires once `windows` reports in a row say so, a critical one at once, and is over
    after as many that say the opposite. Reports on fewer than `min_samples` do not count.
    """

    name: RuleName
    kind: str
    cause: str
    severity: Severity
    windows: int
    min_samples: int
    title: str


RULES: dict[RuleName, Rule] = {
    rule.name: rule
    for rule in (
        Rule("drift", "drift", "drift", "high", 1, 100, "The data has drifted"),
        Rule("accuracy_drop", "performance", "accuracy", "critical", 3, 50, "Accuracy has fallen"),
        Rule(
            "accuracy_floor", "performance", "accuracy", "critical", 1, 50,
            "Accuracy is under its floor",
        ),
        Rule(
            "estimated_accuracy", "estimate", "estimate", "high", 3, 100,
            "Accuracy has probably fallen",
        ),
        Rule("concept_drift", "concept", "concept", "critical", 1, 50, "The concept has changed"),
        Rule(
            "data_quality", "quality", "data_quality", "medium", 2, 100,
            "Inputs are not what they should be",
        ),
        Rule("error_rate", "service", "errors", "critical", 1, 100, "Requests fail"),
        Rule("latency", "service", "latency", "critical", 2, 100, "Answers are slow"),
        Rule("volume", "volume", "volume", "low", 2, 0, "Traffic is not what it usually is"),
    )
}  # fmt: skip
