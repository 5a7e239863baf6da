"""The words of the policy, and the verdict that it gives."""

from dataclasses import asdict, dataclass, field
from typing import Any

DECISIONS = (
    "no_action",
    "log_only",
    "retrain",
    "request_approval",
    "rollback",
    "stop_experiment",
    "escalate",
    "promote",
    "reject_candidate",
)


@dataclass(frozen=True)
class Act:
    """An action that may be proposed."""

    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """The rules' answer; `severity` is a floor, `allowed` the decisions a reasoner may give."""

    rule: str
    decision: str
    severity: str
    title: str
    sentences: tuple[str, ...]
    cites: tuple[str, ...] = ()
    actions: tuple[Act, ...] = ()
    allowed: frozenset[str] = frozenset()
    confidence: float = 0.9

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {**asdict(self), "allowed": sorted(self.allowed)}
