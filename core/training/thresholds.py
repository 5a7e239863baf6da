"""From which probability on a model should say the positive label."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError
from core.specs import ModelSpec
from core.specs.candidates import Threshold
from core.training import evaluation

EVEN = 0.5
_SAME = 1e-12  # values of a goal that differ by less are a tie

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Counts = NDArray[np.float64]
Goal = Callable[[Counts, Counts, Counts, Counts], Floats]


def choose(wanted: Threshold, truth: Mask, probability: Floats, spec: ModelSpec) -> float:
    """Return the threshold that serves `wanted.by` best, above 0 and below 1.

    `truth`: whether each row is positive; `probability` of the positive class, from models that
    did not learn the row (out of fold). Both have shape (rows,). All cuts between two different
    probabilities are tried; the answer lies in the middle of the best one. Of several equally
    good ones the nearest to even odds wins (even odds themselves where they are as good), then
    the lower one.
    Rows of one class only cannot choose: the answer is 0.5, as it is for `by: even`.

    A row of probability 1 stays positive, one of 0 negative, whatever the goal.

    Raises: InvalidInputError (lengths differ, or a probability is not within 0 and 1).
    """
    truth, probability = np.asarray(truth, dtype=bool), np.asarray(probability, dtype=float)
    if truth.shape != probability.shape:
        raise InvalidInputError("A threshold is chosen from one probability per row.")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise InvalidInputError("A threshold is chosen from probabilities between 0 and 1.")
    if wanted.by == "even" or not 0 < truth.sum() < len(truth):
        return EVEN
    cuts = _cuts(probability)
    values = _values(wanted, truth, probability, cuts, spec)
    best = cuts[values >= values.max() - _SAME * max(1.0, abs(values.max()))]
    nearest = best[np.argmin(np.abs(best - EVEN))]
    return float(nearest)


def _cuts(probability: Floats) -> Floats:
    """Return even odds and the middles between different probabilities, edges included."""
    known = np.unique(np.concatenate([[0.0], probability, [1.0]]))
    middles = known[:-1] + (known[1:] - known[:-1]) / 2
    inside = middles[(middles > 0) & (middles < 1)]
    return np.concatenate([[EVEN], inside])


def _values(
    wanted: Threshold, truth: Mask, probability: Floats, cuts: Floats, spec: ModelSpec
) -> Floats:
    """Return the value of the goal at each cut; larger is better."""
    side = evaluation.tie_side(spec)
    order = np.sort(probability)
    positives, negatives = np.sort(probability[truth]), np.sort(probability[~truth])
    called = len(order) - np.searchsorted(order, cuts, side=side)
    tp = (len(positives) - np.searchsorted(positives, cuts, side=side)).astype(float)
    fp = called - tp
    fn, tn = len(positives) - tp, len(negatives) - fp
    return _goal(wanted)(tp, fp, fn, tn)


def _goal(wanted: Threshold) -> Goal:
    goals: dict[str, Goal] = {
        "f1": lambda tp, fp, fn, _tn: 2 * tp / (2 * tp + fp + fn),
        "accuracy": lambda tp, fp, fn, tn: (tp + tn) / (tp + fp + fn + tn),
        "balanced_accuracy": lambda tp, fp, fn, tn: (tp / (tp + fn) + tn / (tn + fp)) / 2,
        "cost": lambda _tp, fp, fn, _tn: -(fp * wanted.false_positive + fn * wanted.false_negative),
    }
    return goals[wanted.by]
