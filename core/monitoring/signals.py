"""What a check tells the alert rules: one signal per rule, kept with the report's figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.specs.alerts import RuleName, Severity
from core.tables.telemetry import MonitorReport

State = Literal["firing", "ok", "unknown"]


@dataclass(frozen=True)
class Signal:
    """What one report says about one rule, in a sentence with its figures.

    `ok` is evidence that nothing is wrong; where there is none either way the state is `unknown`,
    which neither raises an alert nor ends one. `severity` is that of this finding.
    """

    rule: RuleName
    state: State
    severity: Severity
    value: float
    threshold: float
    sentence: str
    n: int


def figures(*signals: Signal) -> dict[str, Any]:
    """Return the part of a report's figures that `read` reads."""
    return {"signals": [asdict(signal) for signal in signals]}


def read(report: MonitorReport) -> tuple[Signal, ...]:
    """Return the signals of a report; one that came to no conclusion has none."""
    told: list[Mapping[str, Any]] = report.figures.get("signals") or []
    return tuple(Signal(**one) for one in told)
