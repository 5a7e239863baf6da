"""How right the answers probably are, before any label arrives: confidence-based estimation. Pure.

An answer of calibrated probability p is right with p where it said positive and 1 - p where it did
not; sums of these are the expected confusion counts, and figures follow from them. As NannyML's
CBPE does (nannyml.readthedocs.io, "How it works", confidence-based performance estimation). It
holds while what an input means for the truth stays the same: no concept drift.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError
from core.monitoring.signals import Signal
from core.statistics.intervals import normal_quantile
from core.statistics.isotonic import Isotonic

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Interval = tuple[float, float]

LEVEL = 0.99
TIMES, SEED = 499, 20_240_229
METHOD = (
    "Confidence-based estimation (CBPE) on probabilities calibrated by isotonic regression on the"
    f" held-out rows, with intervals at {LEVEL:.0%}"
)
ASSUMPTIONS = (
    "An estimate without labels: it assumes no concept drift, that is, that an input means the same"
    " for the truth as it did at registration. Where that changed, only labels can tell."
)


@dataclass(frozen=True)
class Estimated:
    """Expected figures with intervals, and the expected counts `confusion` {tp, fp, fn, tn}.

    The intervals cover what chance does to the truth of these answers and to the rows that the
    calibration was learnt from. A figure without a denominator is left out.
    """

    n: int
    values: dict[str, float]
    intervals: dict[str, Interval]
    confusion: dict[str, float]
    mean_probability: float
    supported: float


def expected(said: Mask, probability: Floats, chance: Floats) -> dict[str, float]:
    """Return the expected figures of answers, by name; shapes (n,).

    `chance`: how probable the positive class truly is; the raw `probability` only orders the
    answers, for the ROC AUC. A figure without a denominator is left out.

    >>> found = expected(np.array([1, 0]) > 0, np.array([0.9, 0.2]), np.array([0.8, 0.1]))
    >>> {name: round(value, 4) for name, value in found.items()}
    {'accuracy': 0.85, 'precision': 0.8, 'recall': 0.8889, 'f1': 0.8421, 'roc_auc': 0.8535}
    """
    c = counts(said, chance)
    tp, wrong = c["tp"], c["fp"] + c["fn"]
    parts = {
        "accuracy": (tp + c["tn"], float(len(said))),
        "precision": (tp, tp + c["fp"]),
        "recall": (tp, tp + c["fn"]),
        "f1": (2 * tp, 2 * tp + wrong),
        "roc_auc": _area(probability, chance),
    }
    return {name: part / whole for name, (part, whole) in parts.items() if whole > 0}


def counts(said: Mask, chance: Floats) -> dict[str, float]:
    """Return the expected true and false positives, false and true negatives."""
    yes, no = chance[said], chance[~said]
    return {
        "tp": float(yes.sum()),
        "fp": float((1 - yes).sum()),
        "fn": float(no.sum()),
        "tn": float((1 - no).sum()),
    }


def _area(probability: Floats, chance: Floats) -> tuple[float, float]:
    """Return the expected area under the ROC curve as (won pairs, all pairs); ties count half."""
    values, place = np.unique(probability, return_inverse=True)
    positive = np.bincount(place, weights=chance, minlength=len(values))
    negative = np.bincount(place, weights=1 - chance, minlength=len(values))
    under = np.cumsum(negative) - negative / 2
    return float(positive @ under), float(positive.sum() * negative.sum())


def estimate(said: Mask, probability: Floats, calibration: Isotonic) -> Estimated:
    """Estimate the figures of unlabelled answers; `said` positive and `probability`, shapes (n,).

    Raises: InvalidInputError (no answers, a probability that is none).
    """
    if not len(said) or len(said) != len(probability):
        raise InvalidInputError("an estimate needs one answer per probability")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise InvalidInputError("an estimate needs probabilities between 0 and 1")
    chance = calibration.calibrated(probability)
    values = expected(said, probability, chance)
    return Estimated(
        n=len(said),
        values=values,
        intervals=_intervals(said, probability, calibration, values),
        confusion=counts(said, chance),
        mean_probability=float(chance.mean()),
        supported=float(calibration.supported(probability).mean()),
    )


def accuracy_error(said: Mask, probability: Floats, calibration: Isotonic) -> float:
    """Return the standard error of the estimated accuracy that the calibration's rows leave."""
    return calibration.error(probability, np.where(said, 1.0, -1.0))


def _intervals(
    said: Mask, probability: Floats, calibration: Isotonic, values: dict[str, float]
) -> dict[str, Interval]:
    """Return intervals: of the accuracy by its variance, of the others by drawing truths."""
    chance = calibration.calibrated(probability)
    drawn = float((chance * (1 - chance)).sum()) / len(said) ** 2
    half = normal_quantile(LEVEL) * math.hypot(
        math.sqrt(drawn), accuracy_error(said, probability, calibration)
    )
    accuracy = values["accuracy"]
    found = {"accuracy": (max(0.0, accuracy - half), min(1.0, accuracy + half))}
    rng = np.random.default_rng(SEED)
    again: dict[str, list[float]] = {name: [] for name in values if name != "accuracy"}
    for _ in range(TIMES):
        other = _drawn_again(calibration, rng).calibrated(probability)
        truth = (rng.random(len(said)) < other).astype(float)
        for name, value in expected(said, probability, truth).items():
            if name in again:
                again[name].append(value)
    for name, drawn_values in again.items():
        low, high = np.quantile(drawn_values or [0.0, 1.0], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found[name] = (min(float(low), values[name]), max(float(high), values[name]))
    return found


def _drawn_again(calibration: Isotonic, rng: np.random.Generator) -> Isotonic:
    """Return a calibration as other held-out rows might have given it: Jeffreys' posterior."""
    n, share = np.array(calibration.n), np.array(calibration.share)
    drawn = rng.beta(share * n + 0.5, (1 - share) * n + 0.5)
    return Isotonic(calibration.low, calibration.high, tuple(drawn.tolist()), calibration.n)


def signal(
    found: Estimated, *, registered: float, warning: float, sentence: str
) -> tuple[str, Signal]:
    """Return the state of the report, and what it tells the alert rules.

    It fires where the whole interval lies under the registered accuracy and the estimate is lower
    by more than `warning`.
    """
    accuracy, (_, high) = found.values["accuracy"], found.intervals["accuracy"]
    drop = registered - accuracy
    fell = high < registered and drop > warning
    told = Signal(
        rule="estimated_accuracy",
        state="firing" if fell else "ok" if drop <= warning else "unknown",
        severity="high",
        value=drop,
        threshold=warning,
        sentence=sentence,
        n=found.n,
    )
    return ("warn" if fell else "pass"), told


def sentence(found: Estimated, *, registered: float, warning: float) -> str:
    """Say the estimate, its interval and what it means."""
    accuracy, (low, high) = found.values["accuracy"], found.intervals["accuracy"]
    words = (
        f"Estimated accuracy {accuracy:.1%} ({low:.1%} to {high:.1%}) of {found.n:,} answers, "
        f"without labels; {registered:.1%} at registration"
    )
    drop = registered - accuracy
    if high < registered and drop > warning:
        return f"{words}: probably worse, by {100 * drop:.1f} points."
    return f"{words}: no fall is expected from these inputs."


def figures(found: Estimated, registered: dict[str, Any]) -> dict[str, Any]:
    """Return what a report keeps of an estimate, as plain values."""
    return {
        "accuracy": found.values["accuracy"],
        "accuracy_interval": found.intervals["accuracy"],
        "baseline_accuracy": registered["accuracy"],
        "drop": registered["accuracy"] - found.values["accuracy"],
        "level": LEVEL,
        "metrics": {
            name: {
                "value": value,
                "interval": found.intervals[name],
                "registered": registered.get(name),
            }
            for name, value in found.values.items()
        },
        "confusion": found.confusion,
        "mean_probability": found.mean_probability,
        "supported": found.supported,
    }
