"""Does an input still mean the same? What labels say against what was to be expected. Pure.

An answer of calibrated probability p is right with p or 1 - p (see `estimate`), whatever inputs
come: while the concept is the same, other inputs alone change how many answers are right and how
many are expected to be right alike. Answers that are right more rarely than expected are evidence
of another concept, gathered so that one may look as often as one likes (`falls.evidence`).

What it cannot know is how far the calibration, learnt from few rows, is off where the traffic now
is. The expectation is lowered by 2.33 standard errors of it on these very answers; off the range of
probability that was ever seen it says nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError
from core.monitoring import estimate
from core.monitoring.calibration import bins
from core.monitoring.performance import Answers
from core.monitoring.signals import Signal
from core.statistics import falls
from core.statistics.intervals import normal_quantile
from core.statistics.isotonic import Isotonic

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEVEL = 0.99
OFF = 2.33
"""Standard errors of the calibration that are no evidence: 1 % of calibrations are off by more."""

TOLERATED = 0.01
"""A calibration is tolerated to be off by so much besides: no model is perfectly calibrated."""

FEWEST = 20
"""Labelled answers of one kind, under which they are not looked at by themselves."""

METHOD = (
    "Labels against calibrated probabilities on the same answers, by a Shiryaev-Roberts e-detector"
    " that may be looked at as often as one likes"
)
ASSUMPTIONS = (
    "The calibration of the held-out rows holds for the inputs that come now, up to its own error:"
    " other inputs alone raise no alarm. Labelled answers are typical of all, their labels right."
)


@dataclass(frozen=True)
class Family:
    """Some of the answers: how many were right, how many were expected to be."""

    name: str
    n: int
    realised: float
    expected: float
    margin: float
    evidence: float


@dataclass(frozen=True)
class Found:
    """What labels say against the estimate; `evidence` is a logarithm, `gap` realised minus it."""

    state: str
    n: int
    realised: float
    estimated: float
    gap: float
    gap_interval: tuple[float, float]
    families: tuple[Family, ...]
    bins: tuple[Mapping[str, Any], ...]
    sentence: str
    alarm_at: float

    @property
    def evidence(self) -> float:
        """Return the share of the way to an alarm, 0 to 1."""
        log = max(one.evidence for one in self.families)
        return falls.share_of_the_way(log, self.alarm_at)

    @property
    def signal(self) -> Signal:
        """Return what it tells the alert rules."""
        firing = self.state == "fail"
        return Signal(
            rule="concept_drift",
            state="firing" if firing else "ok" if self.evidence < 0.5 else "unknown",
            severity="critical",
            value=self.evidence,
            threshold=1.0,
            sentence=self.sentence,
            n=self.n,
        )

    def figures(self) -> dict[str, Any]:
        """Return what a report keeps, as plain values."""
        shown = asdict(self) | {"evidence": self.evidence, "level": LEVEL}
        return {name: shown[name] for name in shown if name not in ("state", "sentence", "n")}


def judge(answers: Answers, calibration: Isotonic, *, alarm_at: float) -> Found:
    """Judge labelled answers, the oldest first, against what their probabilities promised.

    Looked at are all of them, those that said positive and those that said negative; each may
    alarm at `alarm_at` times as many. Raises: InvalidInputError (none in the range that is known).
    """
    known = calibration.supported(answers.probability)
    seen = Answers(answers.said[known], answers.truth[known], answers.probability[known])
    if not len(seen.said):
        raise InvalidInputError(
            "no labelled answer has a probability that the held-out rows have too"
        )
    masks = {
        "all answers": np.ones(len(seen.said), dtype=bool),
        "answers that said positive": seen.said,
        "answers that said negative": ~seen.said,
    }
    families = tuple(
        _family(name, inside, seen, calibration)
        for name, inside in masks.items()
        if name == "all answers" or inside.sum() >= FEWEST
    )
    strongest = max(families, key=lambda one: one.evidence)
    alarm = strongest.evidence >= math.log(alarm_at * len(masks))
    return _found(seen, families, strongest, calibration, alarm=alarm, alarm_at=alarm_at)


def _family(name: str, inside: Mask, seen: Answers, calibration: Isotonic) -> Family:
    said, probability = seen.said[inside], seen.probability[inside]
    chance = calibration.calibrated(probability)
    expected = np.where(said, chance, 1 - chance)
    margin = TOLERATED + OFF * estimate.accuracy_error(said, probability, calibration)
    right = seen.right[inside]
    return Family(
        name=name,
        n=len(right),
        realised=float(right.mean()),
        expected=float(expected.mean()),
        margin=margin,
        evidence=falls.evidence(right, expected - margin),
    )


def _found(
    seen: Answers,
    families: tuple[Family, ...],
    strongest: Family,
    calibration: Isotonic,
    *,
    alarm: bool,
    alarm_at: float,
) -> Found:
    every = families[0]
    gap = every.realised - every.expected
    chance = calibration.calibrated(seen.probability)
    spread = math.sqrt(float((chance * (1 - chance)).mean()) / every.n)
    off = estimate.accuracy_error(seen.said, seen.probability, calibration)
    half = normal_quantile(LEVEL) * math.hypot(spread, off)
    return Found(
        state="fail" if alarm else "pass",
        n=every.n,
        realised=every.realised,
        estimated=every.expected,
        gap=gap,
        gap_interval=(gap - half, gap + half),
        families=families,
        bins=_bins(chance, seen.truth),
        sentence=_sentence(every, strongest, alarm=alarm),
        alarm_at=alarm_at * 3,
    )


def _bins(chance: Floats, truth: Mask) -> tuple[Mapping[str, Any], ...]:
    """Return per tenth of calibrated probability: its mean, and what share labels call positive."""
    found = bins(chance, truth, level=LEVEL)
    return tuple(
        {"estimated": one.mean, "realised": one.share, "n": one.n, "interval": one.interval}
        for one in found
    )


def _sentence(every: Family, strongest: Family, *, alarm: bool) -> str:
    words = (
        f"On {every.n:,} labelled answers {every.realised:.1%} were right; {every.expected:.1%} "
        "were to be expected from their probabilities"
    )
    if not alarm:
        return f"{words}: no sign that an input means something else now."
    which = ""
    if strongest is not every:
        which = (
            f" Of the {strongest.name} {strongest.realised:.1%} were right, "
            f"{strongest.expected:.1%} expected."
        )
    return f"{words}: the same inputs mean something else now.{which}"
