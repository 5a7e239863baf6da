"""From which figure on something matters: one table for checks, alerts and agent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from core.errors import InvalidInputError
from core.specs.alerts import RULES, RuleName
from core.specs.document import ModelSpec

LONGEST_LATENCY_MS = 5_000
"""Latencies are counted in buckets of which this is the last bound: beyond it all are alike."""


@dataclass(frozen=True)
class Policy:
    """The thresholds; a spec's `policy` overrides any by name."""

    # how right the answers are
    accuracy_floor: float = 0.93
    min_labels: float = 50  # labelled answers, under which an accuracy decides nothing
    drop_critical: float = 0.05  # points lost since registration: more is critical
    drop_warning: float = 0.02  # from here on it is a warning
    late_label_hours: float = 24  # labels that take longer are late
    label_coverage: float = 0.5  # of late labels this share must be in, before they decide anything
    labels_missing_hours: float = 168  # so long a release serves before labels are asked for
    # whether labels can be trusted
    label_concentration: float = 0.8  # share of the labels that come from one source
    label_shift: float = 0.2  # rise of that share, or change of the share of positives
    # whether the data is sound, where no check of its own said so
    missing_critical: float = 0.3  # share of values missing, of new categories alike
    duplicates_critical: float = 0.5  # share of inputs that repeat another one
    stale_minutes: float = 1440  # since the newest row
    # the ladder of drift, by score
    min_window: float = 100  # rows, under which a window decides nothing
    drift_urgent: float = 0.15
    drift_retrain: float = 0.5
    drift_approval: float = 0.7
    drift_escalate: float = 0.9
    flaps: float = 4  # times that the alarm came or went in the last windows: it flickers
    lasting_windows: float = 3  # alarms in a row that do not flicker
    # the service
    min_requests: float = 50
    error_critical: float = 0.02
    error_warning: float = 0.01
    latency_critical_ms: float = 500
    latency_warning_ms: float = 200
    # retraining
    hours_between_retrains: float = 6
    retrains_a_day: float = 4
    days_without_retrain: float = 7
    min_new_rows: float = 1000  # labelled since the last training
    new_rows_share: float = 0.05  # of the rows learnt: for small data sets that is enough
    gate_refusals: float = 2  # candidates refused in a row: people look at the data first
    # releases and candidates
    rollbacks_before_escalation: float = 2  # in 6 hours
    recent_release_hours: float = 72  # a release so young may be the cause of what is wrong
    worse_alpha: float = 0.05  # a version is worse than the one before below this p value
    min_compared: float = 50  # labelled answers of both versions
    min_test_rows: float = 100  # held-out rows, under which no candidate is released
    better_alpha: float = 0.05  # a candidate is better below this p value, where no gate said so
    oldest_test_days: float = 90
    # experiments
    experiment_alpha: float = 0.05  # of the p value that holds at every look
    split_alpha: float = 0.001  # below this p the traffic was not split as asked
    label_maturity: float = 0.8  # share of both arms' labels that must have come
    # acting without being asked
    autonomy_bar: float = 0.8  # of the lower bound of the share of good outcomes
    autonomy_least: float = 10  # good outcomes since the last bad one
    autonomy_a_day: float = 2  # own actions of one kind in 24 hours; 0: none acts alone

    @classmethod
    def of(cls, accuracy_floor: float, overrides: Mapping[str, Any] | None = None) -> "Policy":
        """Return the defaults with a spec's own values.

        Raises: InvalidInputError (no such threshold, no number from 0 up, a limit of latency that
        is not told apart from slower answers).

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
            if not _can_be(value):
                raise InvalidInputError(f"policy setting {name} must be a number from 0 up")
            if name.startswith("latency_") and value > LONGEST_LATENCY_MS:
                raise InvalidInputError(
                    f"policy setting {name} must be at most {LONGEST_LATENCY_MS} ms: "
                    "how much slower an answer was is not counted"
                )
        return replace(cls(accuracy_floor=accuracy_floor), **own)


def layered(spec: ModelSpec, *layers: Mapping[str, Any]) -> Policy:
    """Return a spec's own policy under `layers` of approved thresholds, the lowest first.

    Thresholds of an older version of the product that this one does not have count no more.
    Raises: InvalidInputError (a value cannot be).
    """
    known = {one.name for one in fields(Policy)}
    values = dict(spec.policy.overrides)
    for layer in layers:
        values |= layer
    own = {name: value for name, value in values.items() if name in known}
    return Policy.of(spec.policy.accuracy_floor, own)


def _can_be(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < math.inf


def least_samples(spec: ModelSpec, name: RuleName) -> int:
    """Return on how many samples an alert rule of a model counts at least.

    A model that is judged on smaller windows (`monitoring.min_samples`) is alerted on them too.
    """
    own = spec.alerts.get(name)
    by_default = min(RULES[name].min_samples, spec.monitoring.min_samples)
    return (own and own.min_samples) or by_default
