"""The words of the policy, and the verdict that it gives."""

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

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

FIRED, HELD, PASSED_OVER = "fired", "held", "passed over"


@dataclass(frozen=True)
class Act:
    """An action that may be proposed."""

    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)


class Considered(NamedTuple):
    """What became of one rule that had something to say.

    `fired`: it decided; `held`: it would have, but something asks to wait; `passed over`: it fired
    too, and a rule before it decided.
    """

    rule: str
    state: str
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """The rules' answer; `severity` is a floor, `allowed` the decisions a reasoner may give.

    The first of `actions` is the one that matters, others go with it. `considered` tells of every
    rule that had something to say, in order of precedence.
    """

    rule: str
    decision: str
    severity: str
    title: str
    sentences: tuple[str, ...]
    cites: tuple[str, ...] = ()
    actions: tuple[Act, ...] = ()
    allowed: frozenset[str] = frozenset()
    confidence: float = 0.9
    considered: tuple[Considered, ...] = ()

    def __post_init__(self) -> None:
        """Cite each fact once, where two sentences rest on it."""
        object.__setattr__(self, "cites", tuple(dict.fromkeys(self.cites)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {**asdict(self), "allowed": sorted(self.allowed)}


@dataclass(frozen=True)
class Held:
    """What a rule found, and why that decides nothing yet.

    Actions that change nothing of the model may still be advised. `proposed`: what it would
    propose waits for a decision already.
    """

    rule: str
    title: str
    sentence: str
    cites: tuple[str, ...] = ()
    severity: str = "low"
    actions: tuple[Act, ...] = ()
    proposed: bool = False
