"""From which figure on something matters: one table for checks, alerts and agent."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from core.errors import InvalidInputError


@dataclass(frozen=True)
class Policy:
    """The thresholds; a spec's `policy` overrides any by name."""

    accuracy_floor: float = 0.93
    min_labels: float = 50
    drop_critical: float = 0.05
    drop_warning: float = 0.02
    drift_urgent: float = 0.15
    drift_retrain: float = 0.5
    drift_approval: float = 0.7
    drift_escalate: float = 0.9
    min_requests: float = 50
    error_critical: float = 0.02
    error_warning: float = 0.01
    latency_critical_ms: float = 500
    latency_warning_ms: float = 200
    hours_between_retrains: float = 6
    retrains_a_day: float = 4
    gate_refusals: float = 3
    rollbacks_before_escalation: float = 2
    recent_release_hours: float = 72

    @classmethod
    def of(cls, accuracy_floor: float, overrides: Mapping[str, Any] | None = None) -> "Policy":
        """Return the defaults with a spec's own values. Raises: InvalidInputError.

        >>> Policy.of(0.8, {"drop_critical": 0.1}).drop_critical
        0.1
        """
        own = dict(overrides or {})
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(own) - known):
            raise InvalidInputError(
                f"the policy has no setting {unknown[0]}; it has {', '.join(sorted(known))}"
            )
        for name, value in own.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise InvalidInputError(f"policy setting {name} must be a number from 0 up")
        return replace(cls(accuracy_floor=accuracy_floor), **own)
