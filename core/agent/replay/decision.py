"""One decision made twice."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from core.agent.policy import Verdict
from core.agent.replay.past import After
from core.specs.alerts import SEVERITIES


@dataclass(frozen=True)
class Said:
    """What a decision comes down to: the words around it may differ."""

    decision: str
    severity: str
    rule: str
    kinds: tuple[str, ...]
    arguments: str

    @property
    def effect(self) -> tuple[object, ...]:
        """What people would notice: everything but which rule says it."""
        return self.decision, self.severity, self.kinds, self.arguments

    @property
    def words(self) -> str:
        """The decision in words.

        >>> Said("log_only", "high", "drift ladder", ("retrain",), "").words
        'log only, high: proposes to retrain'
        """
        acts = " and ".join(kind.replace("_", " ") for kind in self.kinds)
        told = f"{self.decision.replace('_', ' ')}, {self.severity}"
        return f"{told}: proposes to {acts}" if acts else told

    @property
    def rank(self) -> int:
        """How grave it is; 0 is the gravest."""
        return (
            [*SEVERITIES].index(self.severity) if self.severity in SEVERITIES else len(SEVERITIES)
        )


@dataclass(frozen=True)
class Replayed:
    """A decision as it was made (`live`) and made again; `same`: to the last word.

    `assumed`: the policy of that time was not recorded, the spec of that time tells it.
    `by_rules`: it differs by rules that the product has changed since, not by thresholds.
    """

    id: str
    at: datetime
    model: str
    live: Said
    replayed: Said
    same: bool
    assumed: bool
    after: After
    by_rules: bool = False

    @property
    def changed(self) -> bool:
        """Whether the policy would have decided otherwise."""
        return self.live.effect != self.replayed.effect and not self.by_rules

    def plain(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        told: dict[str, Any] = json.loads(json.dumps(asdict(self), default=_moment))
        return told


def spelled(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as the database gives it back."""
    told: dict[str, Any] = json.loads(json.dumps(verdict.to_dict()))
    return told


def said(verdict: Mapping[str, Any]) -> Said:
    """Return what a verdict, as it was written down, comes down to."""
    acts = verdict.get("actions") or []
    return Said(
        decision=str(verdict.get("decision", "")),
        severity=str(verdict.get("severity", "")),
        rule=str(verdict.get("rule", "")),
        kinds=tuple(str(act["kind"]) for act in acts),
        arguments=", ".join(
            f"{name} {value}" for act in acts for name, value in sorted(act["arguments"].items())
        ),
    )


def _moment(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
