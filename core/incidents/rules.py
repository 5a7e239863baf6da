"""A model's alert rules: the product's defaults with what its spec changes of them."""

from dataclasses import dataclass

from core.monitoring.signals import Signal
from core.specs import ModelSpec
from core.specs.alerts import RULES, Rule, RuleName, Severity
from core.specs.document import AlertRule
from core.specs.thresholds import least_samples

SWITCHED_OFF = "the rule was switched off in the model's spec"


@dataclass(frozen=True)
class Watch:
    """One rule as it holds for one model.

    `severity` replaces that of each finding, where the spec sets one. A critical finding fires at
    once unless the spec itself sets `windows` (`patient`).
    """

    name: RuleName
    kind: str
    cause: str
    title: str
    enabled: bool
    severity: Severity | None
    usual_severity: Severity
    windows: int
    patient: bool
    min_samples: int

    def judged(self, signal: Signal) -> str:
        """Return what a signal counts as: off, unknown, firing or ok."""
        if not self.enabled:
            return "off"
        return "unknown" if signal.n < self.min_samples else signal.state

    def severity_of(self, signal: Signal) -> Severity:
        """Return how grave a finding is for this model."""
        return self.severity or signal.severity

    def needed(self, severity: str) -> int:
        """Return how many reports in a row must say so before this fires."""
        return 1 if severity == "critical" and not self.patient else self.windows


def of(spec: ModelSpec, name: str) -> Watch:
    """Return one rule as it holds for a model; `name` is one of RULES."""
    rule: Rule = RULES[name]  # type: ignore[index]
    own = spec.alerts.get(rule.name, AlertRule())
    return Watch(
        name=rule.name,
        kind=rule.kind,
        cause=rule.cause,
        title=rule.title,
        enabled=own.enabled,
        severity=own.severity,
        usual_severity=own.severity or rule.severity,
        windows=own.windows or rule.windows,
        patient=own.windows is not None,
        min_samples=least_samples(spec, rule.name),
    )


def all_of(spec: ModelSpec) -> tuple[Watch, ...]:
    """Return every rule as it holds for a model."""
    return tuple(of(spec, name) for name in RULES)
