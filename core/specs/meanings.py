"""What each threshold of the policy means, in words for people, and which values fit together."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import pairwise

from core.specs.thresholds import LONGEST_LATENCY_MS, Policy

GROUPS: Mapping[str, Mapping[str, str]] = {
    "How right the answers are": {
        "accuracy_floor": "accuracy below this is not accepted",
        "min_labels": "labelled answers under which an accuracy decides nothing",
        "drop_critical": "accuracy lost since registration: more is critical",
        "drop_warning": "accuracy lost since registration: from here on it is a warning",
        "late_label_hours": "hours after which labels count as late",
        "label_coverage": "share of late labels that must be in before they decide anything",
        "labels_missing_hours": "hours that a release serves before labels are asked for",
    },
    "Whether labels can be trusted": {
        "label_concentration": "share of the newest labels from one source: more looks bent",
        "label_shift": "rise of that share, or change of the share of positives, that looks bent",
    },
    "Whether the data is sound": {
        "missing_critical": "share of values missing, or of unknown categories, that is broken",
        "duplicates_critical": "share of inputs that repeat another one that is broken",
        "stale_minutes": "minutes since the newest row after which the data is stale",
    },
    "The ladder of drift": {
        "min_window": "rows under which a window decides nothing",
        "drift_urgent": "score from which retraining soon is advised",
        "drift_retrain": "score from which a retrain is proposed outright",
        "drift_approval": "score from which a person is asked",
        "drift_escalate": "score above which it is escalated",
        "flaps": "times that the alarm came or went in the last windows: it flickers",
        "lasting_windows": "alarms in a row that do not flicker",
    },
    "The service": {
        "min_requests": "requests under which errors and latency decide nothing",
        "error_critical": "share of failed requests: more is critical",
        "error_warning": "share of failed requests: more is a warning",
        "latency_critical_ms": "milliseconds that one answer in 20 exceeds: critical",
        "latency_warning_ms": "milliseconds that one answer in 20 exceeds: a warning",
    },
    "Retraining": {
        "hours_between_retrains": "hours from one training to the next",
        "retrains_a_day": "trainings in 24 hours at most",
        "days_without_retrain": "days after which a training is due",
        "min_new_rows": "answers labelled since the last training that a next one needs",
        "new_rows_share": "the same as a share of the rows learnt: enough for small data sets",
        "gate_refusals": "candidates refused in a row: people look at the data first",
    },
    "Releases and candidates": {
        "rollbacks_before_escalation": "rollbacks in 6 hours: another one is not the answer",
        "recent_release_hours": "hours during which a release may be the cause of what is wrong",
        "worse_alpha": "p value below which a version is worse than the one before",
        "min_compared": "labelled answers of both versions under which they are not compared",
        "min_test_rows": "held-out rows under which no candidate is released",
        "better_alpha": "p value below which a candidate is better, where no gate said so",
        "oldest_test_days": "days after which held-out rows are too old to judge by",
    },
    "Experiments": {
        "experiment_alpha": "p value, valid at every look, below which an arm has won",
        "split_alpha": "p value below which the traffic was not split as asked",
        "label_maturity": "share of both arms' labels that must have come",
    },
    "Acting without being asked": {
        "autonomy_bar": "lower bound of the share of good outcomes that a record must reach",
        "autonomy_least": "good outcomes since the last bad one",
        "autonomy_a_day": "own actions of one kind in 24 hours at most; 0: none acts alone",
    },
}
"""What is read together → threshold → what it says."""

MEANINGS: Mapping[str, str] = {
    name: words for group in GROUPS.values() for name, words in group.items()
}

DEFAULTS: Mapping[str, float] = asdict(Policy())


def misfits(policy: Policy) -> Iterator[str]:
    """Yield a sentence for each value that makes no sense beside the others.

    What is a share or a p value by default is at most 1; a warning comes before what is critical;
    the rungs of the drift ladder do not come down; a limit of latency can be exceeded.

    >>> list(misfits(Policy(error_warning=0.5)))
    ['error_warning (0.5) must not be over error_critical (0.02)']
    """
    for name, default in DEFAULTS.items():
        value = getattr(policy, name)
        if default < 1 < value:
            yield f"{name} is a share: at most 1, not {value:g}"
        if name.startswith("latency_") and value >= LONGEST_LATENCY_MS:
            yield (
                f"{name} ({value:g}) must be under {LONGEST_LATENCY_MS}: slower answers are not"
                " told apart, so it would never be exceeded"
            )
    for low, high in _pairs():
        if getattr(policy, low) > getattr(policy, high):
            values = f"({getattr(policy, low):g}) must not be over {high}"
            yield f"{low} {values} ({getattr(policy, high):g})"


def _pairs() -> Iterator[tuple[str, str]]:
    for name in DEFAULTS:
        if "_warning" in name:
            yield name, name.replace("_warning", "_critical")
    rungs = sorted((n for n in DEFAULTS if n.startswith("drift_")), key=DEFAULTS.__getitem__)
    yield from pairwise(rungs)
