"""Are the answers still as right as when the version was registered? Pure, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInputError
from core.specs import ModelSpec
from core.statistics.intervals import Estimate, wilson

LEVEL = 0.99
"""Of the intervals; high, because the same labels are looked at again and again."""

_DEFAULTS = {"min_labels": 50.0, "drop_critical": 0.05, "drop_warning": 0.02}
"""A spec's `policy.overrides` replaces them by name."""


@dataclass(frozen=True)
class Standard:
    """What the version achieved on `n` held-out rows, and what is asked of it.

    Fewer than `fewest` labelled answers are not judged; a fall beyond `warning` or `critical`
    matters.
    """

    accuracy: float
    f1: float
    n: int
    floor: float
    fewest: int = 50
    warning: float = 0.02
    critical: float = 0.05

    @classmethod
    def of(cls, spec: ModelSpec, metrics: Mapping[str, Any]) -> "Standard":
        """Return the standard of a version, from its spec and metrics.

        Raises: InvalidInputError (the version carries no accuracy).
        """
        if "accuracy" not in metrics:
            raise InvalidInputError("this version has no measured accuracy to compare with")
        rules = {
            name: float(spec.policy.overrides.get(name, value)) for name, value in _DEFAULTS.items()
        }
        return cls(
            accuracy=float(metrics["accuracy"]),
            f1=float(metrics.get("f1", 0.0)),
            n=int(metrics.get("n_test", 0)),
            floor=spec.policy.accuracy_floor,
            fewest=max(1, int(rules["min_labels"])),
            warning=rules["drop_warning"],
            critical=rules["drop_critical"],
        )


@dataclass(frozen=True)
class Figures:
    """Realised performance; intervals are (low, high), None where nothing was counted."""

    n_labelled: int
    n_correct: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    precision: float | None
    recall: float | None
    f1: float | None
    f1_interval: tuple[float, float] | None
    level: float
    baseline_accuracy: float
    baseline_f1: float
    drop: float
    floor: float


@dataclass(frozen=True)
class Verdict:
    """`fail`: surely a critical fall, or surely under the floor; `warn`: surely a lesser fall."""

    state: str
    figures: Figures
    sentence: str
    method: str
    assumptions: str


def judge(pairs: Sequence[tuple[str, str]], *, positive: str, standard: Standard) -> Verdict:
    """Judge (answer, truth) pairs; "surely" means that the whole interval lies below.

    Raises: InvalidInputError (no pairs).

    >>> before = Standard(accuracy=0.97, f1=0.9, n=1000, floor=0.93)
    >>> pairs = [("ham", "ham")] * 80 + [("ham", "spam")] * 20
    >>> judge(pairs, positive="spam", standard=before).state
    'fail'
    """
    correct = sum(said == true for said, true in pairs)
    right = wilson(correct, len(pairs), level=LEVEL)
    drop = standard.accuracy - right.value
    return Verdict(
        state=_state(right, drop, standard),
        figures=_figures(pairs, positive, right, correct, standard),
        sentence=_sentence(right, drop, standard),
        method=f"Wilson intervals at {LEVEL:.0%} of the newest labelled answers",
        assumptions="Labelled answers are typical of all answers, and their labels are right.",
    )


def _state(right: Estimate, drop: float, standard: Standard) -> str:
    surely_worse = right.high < standard.accuracy
    if (surely_worse and drop > standard.critical) or right.high < standard.floor:
        return "fail"
    return "warn" if surely_worse and drop > standard.warning else "pass"


def _figures(
    pairs: Sequence[tuple[str, str]],
    positive: str,
    right: Estimate,
    correct: int,
    standard: Standard,
) -> Figures:
    tp = sum(said == true == positive for said, true in pairs)
    fp = sum(said == positive != true for said, true in pairs)
    fn = sum(true == positive != said for said, true in pairs)
    f1 = f1_estimate(tp, fp + fn)
    return Figures(
        n_labelled=len(pairs),
        n_correct=correct,
        accuracy=right.value,
        accuracy_interval=(right.low, right.high),
        precision=tp / (tp + fp) if tp + fp else None,
        recall=tp / (tp + fn) if tp + fn else None,
        f1=f1.value if f1 else None,
        f1_interval=(f1.low, f1.high) if f1 else None,
        level=LEVEL,
        baseline_accuracy=standard.accuracy,
        baseline_f1=standard.f1,
        drop=standard.accuracy - right.value,
        floor=standard.floor,
    )


def f1_estimate(tp: int, wrong: int, *, level: float = LEVEL) -> Estimate | None:
    """F1 with an interval; `wrong` counts false positives and false negatives. None without any.

    tp / (tp + wrong) = J is a proportion with a Wilson interval, and F1 = 2 J / (1 + J) rises
    with J, so the interval's ends carry over.

    >>> e = f1_estimate(90, 10, level=0.95)
    >>> round(e.value, 3), round(e.low, 3), round(e.high, 3)
    (0.947, 0.904, 0.972)
    """
    if tp + wrong == 0:
        return None
    j = wilson(tp, tp + wrong, level=level)
    value, low, high = (2 * share / (1 + share) for share in (j.value, j.low, j.high))
    return Estimate(value, low, high, level, j.n)


def _sentence(right: Estimate, drop: float, standard: Standard) -> str:
    realised = (
        f"Accuracy {right.value:.1%} ({right.low:.1%} to {right.high:.1%}) on {right.n:,} "
        f"labelled answers; {standard.accuracy:.1%} at registration"
    )
    surely_worse = right.high < standard.accuracy
    if right.high < standard.floor:
        return f"{realised}, and surely under the floor of {standard.floor:.1%}."
    if surely_worse and drop > standard.warning:
        return f"{realised}: surely worse, by {100 * drop:.1f} points."
    return f"{realised}: no fall beyond chance."
