"""How right answers were, each figure with an interval. Pure.

Accuracy, precision and recall: Wilson (1927). F1: Wilson's interval of tp / (tp + fp + fn), of
which it is a rising function. Balanced accuracy: the intervals of its two rates, combined by Zou
and Donner (2008), Stat Med 27:1693. ROC AUC: DeLong, DeLong, Clarke-Pearson (1988), Biometrics
44:837. Brier score, log loss and calibration error: percentiles of a bootstrap with a fixed seed.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError
from core.monitoring import calibration
from core.statistics.intervals import Estimate, normal_quantile, wilson

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Interval = tuple[float, float]

TIMES, SEED = 999, 20_240_229
_TINY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Measured:
    """One figure of `n` answers, its interval and where that comes from."""

    value: float
    interval: Interval | None
    n: int
    source: str


@dataclass(frozen=True)
class Confusion:
    """True and false positives, false and true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int

    @classmethod
    def of(cls, said: Mask, truth: Mask) -> "Confusion":
        """Count answers (`said` positive) against what was true."""
        tp, fp = int((said & truth).sum()), int((said & ~truth).sum())
        return cls(tp, fp, int(truth.sum()) - tp, int((~truth).sum()) - fp)


def measure(said: Mask, probability: Floats, truth: Mask, *, level: float) -> dict[str, Measured]:
    """Return every figure that these answers allow, by name; shapes (n,).

    `probability` is that of the positive class. What needs both classes, or a positive answer, is
    left out where there are none.
    Raises: InvalidInputError (no answers, or not as many of each).

    >>> said = np.array([True, True, False, False])
    >>> found = measure(said, np.where(said, 0.8, 0.2), np.arange(4) == 0, level=0.95)
    >>> found["accuracy"].value, found["precision"].value, round(found["brier"].value, 3)
    (0.75, 0.5, 0.19)
    """
    if not len(said) or not len(said) == len(probability) == len(truth):
        raise InvalidInputError("figures need one answer, probability and truth each")
    c, n = Confusion.of(said, truth), len(said)
    found = {
        "accuracy": _share(c.tp + c.tn, n, level),
        "balanced_accuracy": _balanced(c, level),
        "precision": _share(c.tp, c.tp + c.fp, level),
        "recall": _share(c.tp, c.tp + c.fn, level),
        "f1": _f1(c, level),
        "roc_auc": _auc(probability, truth, level),
        **_drawn(probability, truth, level),
    }
    return {name: one for name, one in found.items() if one is not None}


def _share(part: int, whole: int, level: float) -> Measured | None:
    if not whole:
        return None
    found = wilson(part, whole, level=level)
    return Measured(found.value, (found.low, found.high), whole, "Wilson")


def f1_estimate(tp: int, wrong: int, *, level: float) -> Estimate | None:
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


def _f1(c: Confusion, level: float) -> Measured | None:
    found = f1_estimate(c.tp, c.fp + c.fn, level=level)
    if found is None:
        return None
    return Measured(found.value, (found.low, found.high), found.n, "Wilson")


def _balanced(c: Confusion, level: float) -> Measured | None:
    """The mean of recall and specificity; its interval by Zou and Donner from theirs."""
    if not c.tp + c.fn or not c.tn + c.fp:
        return None
    a, b = wilson(c.tp, c.tp + c.fn, level=level), wilson(c.tn, c.tn + c.fp, level=level)
    value = (a.value + b.value) / 2
    below = math.hypot(a.value - a.low, b.value - b.low) / 2
    above = math.hypot(a.high - a.value, b.high - b.value) / 2
    return Measured(value, (value - below, value + above), a.n + b.n, "Wilson, Zou and Donner")


def _auc(probability: Floats, truth: Mask, level: float) -> Measured | None:
    found = auc(probability, truth)
    if found is None:
        return None
    value, error = found
    half = normal_quantile(level) * error
    return Measured(value, (max(0.0, value - half), min(1.0, value + half)), len(truth), "DeLong")


def auc(probability: Floats, truth: Mask) -> tuple[float, float] | None:
    """Return the area under the ROC curve and DeLong's standard error; None with one class only.

    A perfect separation has no spread of its own: its error is that of one exception.

    >>> value, error = auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    >>> value, round(error, 4)
    (0.75, 0.3536)
    """
    positive, negative = np.sort(probability[truth]), np.sort(probability[~truth])
    m, n = len(positive), len(negative)
    if not m or not n:
        return None
    above = _wins(positive, negative) / n  # of each positive: the share of negatives under it
    below = 1 - _wins(negative, positive) / m
    value = float(above.mean())
    spread = sum(float(x.var(ddof=1)) / len(x) for x in (above, below) if len(x) > 1)
    return value, math.sqrt(spread) if spread else 1 / (min(m, n) + 1)


def _wins(ones: Floats, others: Floats) -> Floats:
    """Return per one how many others are smaller, those equal by half; `others` are sorted."""
    lower = np.searchsorted(others, ones, side="left")
    found: Floats = (lower + np.searchsorted(others, ones, side="right")) / 2
    return found


def _drawn(probability: Floats, truth: Mask, level: float) -> dict[str, Measured]:
    """Return what is an average over answers, with percentiles of a bootstrap."""
    n = len(truth)
    given = np.clip(np.where(truth, probability, 1 - probability), _TINY, 1 - _TINY)
    drawn = np.random.default_rng(SEED).integers(n, size=(TIMES, n))
    squared, loss = (probability - truth) ** 2, -np.log(given)
    found = {
        "brier": (float(squared.mean()), squared[drawn].mean(axis=1)),
        "log_loss": (float(loss.mean()), loss[drawn].mean(axis=1)),
        "ece": (
            calibration.error(probability, truth),
            calibration.errors(probability, truth, drawn),
        ),
    }
    return {name: _percentiles(*both, level, n) for name, both in found.items()}


def _percentiles(value: float, again: Floats, level: float, n: int) -> Measured:
    low, high = np.quantile(again, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Measured(value, (min(low, value), max(high, value)), n, f"bootstrap, {TIMES} draws")
