"""Are the answers still as right as when the version was registered? Pure, with intervals."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError
from core.monitoring import calibration, measures
from core.monitoring.measures import Confusion, Measured
from core.monitoring.signals import Signal
from core.specs import ModelSpec
from core.specs.thresholds import Policy
from core.statistics import falls
from core.statistics.intervals import Estimate, wilson

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVEL = 0.99
"""Of the intervals that are shown; each holds for one look."""

NEWEST = 1_000
"""Figures are of so many of the newest labelled answers, so that a fall shows soon."""

LABELS_A_MONTH = 10_000
"""Over how many labels the budget of false alarms is spread at the least."""

METHOD = (
    f"Figures of the newest labelled answers with intervals at {LEVEL:.0%}; alarms by a"
    " Shiryaev-Roberts e-detector, which may be looked at as often as one likes"
)
ASSUMPTIONS = "Labelled answers are typical of all answers, and their labels are right."


@dataclass(frozen=True)
class Standard:
    """What the version achieved on `n` held-out rows, and what is asked of it.

    Fewer than `fewest` labelled answers are not judged; a fall beyond `warning` or `critical`
    matters. The evidence for an alarm is `alarm_at`. `registered` holds its other figures.
    """

    accuracy: float
    f1: float
    n: int
    floor: float
    fewest: int = 50
    warning: float = 0.02
    critical: float = 0.05
    alarm_at: float = 10 * LABELS_A_MONTH
    registered: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ModelSpec, metrics: Mapping[str, Any]) -> "Standard":
        """Return the standard of a version, from its spec and metrics.

        Raises: InvalidInputError (the version carries no accuracy).
        """
        known = _numbers(metrics)
        if "accuracy" not in known:
            raise InvalidInputError("this version has no measured accuracy to compare with")
        policy = Policy.of(spec.policy.accuracy_floor, spec.policy.overrides)
        return cls(
            accuracy=known["accuracy"],
            f1=known.get("f1", 0.0),
            n=max(0, int(known.get("n_test", 0))),
            floor=policy.accuracy_floor,
            fewest=max(1, int(policy.min_labels)),
            warning=policy.drop_warning,
            critical=policy.drop_critical,
            alarm_at=max(100.0, LABELS_A_MONTH / spec.monitoring.false_alarms_a_month),
            registered=known,
        )

    @property
    def surely(self) -> float:
        """The accuracy that it surely had at registration: the lower end of the interval there."""
        if not self.n:
            return self.accuracy
        return wilson(round(self.accuracy * self.n), self.n).low


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


@dataclass(frozen=True)
class Answers:
    """Labelled answers, the oldest first, shapes (n,): said and true positive, and how probable."""

    said: Mask
    truth: Mask
    probability: Floats

    @property
    def right(self) -> Mask:
        """Which answers were right."""
        found: Mask = self.said == self.truth
        return found

    def newest(self, n: int = NEWEST) -> "Answers":
        """Return the newest `n`."""
        return Answers(self.said[-n:], self.truth[-n:], self.probability[-n:])


@dataclass(frozen=True)
class Verdict:
    """`fail`: surely a critical fall, or surely under the floor; `warn`: surely a lesser fall."""

    state: str
    n: int
    drop: float
    figures: dict[str, Any]
    sentence: str
    signals: tuple[Signal, ...]


@dataclass(frozen=True)
class _Seen:
    """What decides: the newest accuracy, and how strong the evidence of a fall is (logarithms)."""

    accuracy: Estimate
    drop: float
    fall: float
    under: float
    standard: Standard

    @property
    def fell(self) -> bool:
        """Whether it surely fell by more than is tolerated."""
        return self.drop > self.standard.warning and self._sure(self.fall)

    @property
    def is_under(self) -> bool:
        """Whether it surely is under the floor."""
        return self.accuracy.value < self.standard.floor and self._sure(self.under)

    @property
    def is_critical(self) -> bool:
        """Whether the fall is so large that people must act."""
        return self.drop > self.standard.critical

    def _sure(self, evidence: float) -> bool:
        return evidence >= math.log(self.standard.alarm_at)


def judge(answers: Answers, standard: Standard) -> Verdict:
    """Judge labelled answers; "surely" holds however often one looks, see `falls.evidence`.

    The evidence is that of all `answers`; the figures are those of the newest 1,000.
    Raises: InvalidInputError (no answers).

    >>> before = Standard(accuracy=0.97, f1=0.9, n=1000, floor=0.93)
    >>> truth = np.arange(100) % 5 == 0
    >>> judge(Answers(np.zeros(100, dtype=bool), truth, np.full(100, 0.1)), before).state
    'fail'
    """
    right, newest = answers.right, answers.newest()
    if not len(right):
        raise InvalidInputError("there is no labelled answer to judge")
    accuracy = wilson(int(newest.right.sum()), len(newest.right), level=LEVEL)
    seen = _Seen(
        accuracy=accuracy,
        drop=standard.accuracy - accuracy.value,
        fall=falls.evidence(right, standard.surely),
        under=falls.evidence(right, standard.floor),
        standard=standard,
    )
    sentence = _sentence(seen)
    return Verdict(
        state=_state(seen),
        n=accuracy.n,
        drop=seen.drop,
        figures=_figures(newest, seen),
        sentence=sentence,
        signals=_signals(seen, sentence),
    )


def _state(seen: _Seen) -> str:
    if seen.is_under or (seen.fell and seen.is_critical):
        return "fail"
    return "warn" if seen.fell else "pass"


def _signals(seen: _Seen, sentence: str) -> tuple[Signal, ...]:
    standard, n = seen.standard, seen.accuracy.n
    limit = standard.critical if seen.is_critical else standard.warning
    calm = seen.drop <= standard.warning
    return (
        Signal(
            rule="accuracy_drop",
            state="firing" if seen.fell else "ok" if calm else "unknown",
            severity="critical" if seen.is_critical else "high",
            value=seen.drop,
            threshold=limit,
            sentence=sentence,
            n=n,
        ),
        Signal(
            rule="accuracy_floor",
            state="firing"
            if seen.is_under
            else "ok"
            if seen.accuracy.value >= standard.floor
            else "unknown",
            severity="critical",
            value=seen.accuracy.value,
            threshold=standard.floor,
            sentence=sentence,
            n=n,
        ),
    )


def _figures(newest: Answers, seen: _Seen) -> dict[str, Any]:
    standard, accuracy = seen.standard, seen.accuracy
    found = measures.measure(newest.said, newest.probability, newest.truth, level=LEVEL)
    f1 = found.get("f1")
    return {
        "n_labelled": accuracy.n,
        "n_correct": int(newest.right.sum()),
        "accuracy": accuracy.value,
        "accuracy_interval": (accuracy.low, accuracy.high),
        "precision": _value(found.get("precision")),
        "recall": _value(found.get("recall")),
        "f1": _value(f1),
        "f1_interval": f1.interval if f1 else None,
        "level": LEVEL,
        "baseline_accuracy": standard.accuracy,
        "baseline_f1": standard.f1,
        "drop": seen.drop,
        "floor": standard.floor,
        "metrics": {
            name: asdict(one) | {"registered": standard.registered.get(name)}
            for name, one in found.items()
        },
        "confusion": asdict(Confusion.of(newest.said, newest.truth)),
        "calibration": [
            asdict(one) for one in calibration.bins(newest.probability, newest.truth, level=LEVEL)
        ],
        "evidence": {
            "drop": falls.share_of_the_way(seen.fall, standard.alarm_at),
            "floor": falls.share_of_the_way(seen.under, standard.alarm_at),
        },
    }


def _value(one: Measured | None) -> float | None:
    return one.value if one else None


def _sentence(seen: _Seen) -> str:
    right, standard = seen.accuracy, seen.standard
    realised = (
        f"Accuracy {right.value:.1%} ({right.low:.1%} to {right.high:.1%}) on {right.n:,} "
        f"labelled answers; {standard.accuracy:.1%} at registration"
    )
    if seen.is_under:
        return f"{realised}, and surely under the floor of {standard.floor:.1%}."
    if seen.fell:
        return f"{realised}: surely worse, by {100 * seen.drop:.1f} points."
    if seen.drop > standard.warning:
        return (
            f"{realised}: {100 * seen.drop:.1f} points lower, which so many looks may still find "
            "by chance."
        )
    return f"{realised}: no fall beyond chance."
