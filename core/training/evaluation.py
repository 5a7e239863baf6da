"""Splitting rows without leaks, and measuring a model on rows it has not seen."""

import math
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from core.datasets import schema
from core.errors import InvalidInputError
from core.specs import ModelSpec
from core.specs.document import Feature, Metric
from core.statistics import isotonic
from core.statistics.intervals import normal_quantile, wilson

CURVE_POINTS = 60
CALIBRATION_BINS = 10
MOST_SLICES, FEWEST = 8, 25
BY_RANGE = 2  # numeric features whose low and high values are slices: the first of the spec
FEWEST_OF_A_CLASS = 6  # so that a calibration inside a fold has every class too
LEVEL = 0.95

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


def held_out(frame: pd.DataFrame, spec: ModelSpec) -> Mask:
    """Return which rows of a conformed frame are the test set.

    Rows that say the same stay together; each class gives `test_share` of its rows. The choice
    follows from content and seed alone, so a row keeps its side when other rows are added, up to
    a few at the border.
    """
    keys = schema.row_keys(frame, spec)
    test = np.zeros(len(frame), dtype=bool)
    for groups, sizes in _groups(frame, keys, spec, salt=0):
        wanted = round(spec.test_share * int(sizes.sum()))
        taken = groups[np.cumsum(sizes) <= wanted]
        test |= np.isin(keys, taken)
    return test


def folds(frame: pd.DataFrame, spec: ModelSpec) -> NDArray[np.intp]:
    """Return the fold (0 to folds - 1) of each row; repeated rows share one, classes are even.

    Raises: InvalidInputError (a class has too few different rows to be in every fold).
    """
    keys = schema.row_keys(frame, spec)
    fold = np.zeros(len(frame), dtype=np.intp)
    for label, (groups, _sizes) in zip(
        spec.labels, _groups(frame, keys, spec, salt=1), strict=True
    ):
        _enough(label, len(groups), spec)
        order = np.argsort(groups)
        place = np.searchsorted(groups[order], keys)
        place = np.minimum(place, len(groups) - 1)
        ours = groups[order][place] == keys
        fold[ours] = (order[place] % spec.folds)[ours]
    return fold


def _enough(label: str, different: int, spec: ModelSpec) -> None:
    need = max(spec.folds, FEWEST_OF_A_CLASS)
    if different < need:
        raise InvalidInputError(
            f"Only {different} different rows to learn from are {label}; {spec.folds} folds need "
            f"{need}: add rows of that class."
        )


def _groups(
    frame: pd.DataFrame, keys: NDArray[np.uint64], spec: ModelSpec, *, salt: int
) -> list[tuple[NDArray[np.uint64], NDArray[np.intp]]]:
    """Return per class its distinct keys in random order, and how many rows each has.

    A key with both labels belongs to the class of its first row, so no key is in two classes.
    """
    groups, first, sizes = np.unique(keys, return_index=True, return_counts=True)
    labels = frame[spec.target.column].to_numpy()[first]
    noise = np.uint64(2 * spec.seed + salt)
    rank = schema.mixed(groups ^ schema.mixed(np.array([noise], dtype=np.uint64)))
    found = []
    for label in spec.labels:
        ours = np.flatnonzero(labels == label)
        order = ours[np.argsort(rank[ours])]
        found.append((groups[order], sizes[order]))
    return found


def overlap(train: pd.DataFrame, test: pd.DataFrame, spec: ModelSpec) -> int:
    """Return how many test rows say the same as a training row."""
    return int(np.isin(schema.row_keys(test, spec), schema.row_keys(train, spec)).sum())


def positive_column(classes: Any, spec: ModelSpec) -> int:  # noqa: ANN401 (a numpy array)
    """Return which column of `predict_proba` is the positive class's."""
    return [str(label) for label in classes].index(spec.positive)


def predicted(probability: Floats, spec: ModelSpec, threshold: float = 0.5) -> Mask:
    """Return which rows the model calls positive; at the threshold itself, the first label wins."""
    above = probability > threshold
    return above if tie_side(spec) == "right" else above | (probability == threshold)


def tie_side(spec: ModelSpec) -> Literal["left", "right"]:
    """Return "right" where a row at the threshold is negative, as the first label is."""
    return "right" if spec.labels[1] == spec.positive else "left"


def scores(truth: Mask, probability: Floats, said: Mask) -> dict[str, float]:
    """Return every metric that may choose between candidates, of at least one row.

    As scikit-learn defines them; a ratio without a denominator is 0. Where only one class is
    there, balanced accuracy is that class's recall and ROC AUC, which has no meaning, 0.5.
    """
    tp, fp, fn, tn = _confusion(truth, said)
    rates = [part / whole for part, whole in ((tp, tp + fn), (tn, tn + fp)) if whole]
    both = 0 < truth.sum() < len(truth)
    return {
        "accuracy": (tp + tn) / len(truth),
        "balanced_accuracy": sum(rates) / len(rates),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "roc_auc": float(roc_auc_score(truth, probability)) if both else 0.5,
        "brier": float(((probability - truth) ** 2).mean()),
    }


def better(metric: Metric) -> Literal[1, -1]:
    """Return 1 where a larger value is better, -1 where a smaller one is: times it, large wins.

    >>> better("f1"), better("brier")
    (1, -1)
    """
    return -1 if metric == "brier" else 1


def _confusion(truth: Mask, said: Mask) -> tuple[int, int, int, int]:
    """Return true and false positives, false and true negatives."""
    tp, fp = int((truth & said).sum()), int((~truth & said).sum())
    return tp, fp, int(truth.sum()) - tp, int((~truth).sum()) - fp


def _log_loss(truth: Mask, probability: Floats) -> float:
    """Return the mean of -log p of what was true; p is kept within the precision of a float."""
    tiny = float(np.finfo(np.float64).eps)
    given = np.clip(np.where(truth, probability, 1 - probability), tiny, 1 - tiny)
    return float(-np.log(given).mean())


def measure(truth: Mask, probability: Floats, said: Mask) -> dict[str, Any]:
    """Return figures with 95 % intervals, confusion counts and curve points, ready for JSON.

    `truth`, `said`: whether each row is, and is called, positive; `probability` of the positive
    class. The figures are those of `scores` and the log loss. Accuracy, precision and recall have
    Wilson's interval; F1 has Wilson's interval of tp / (tp + fp + fn), of which it is a rising
    function; ROC AUC has Hanley and McNeil's (1982). `isotonic` is the calibration on these rows,
    from which performance is estimated where no labels are.
    """
    tp, fp, fn, tn = _confusion(truth, said)
    squared = (probability - truth) ** 2
    found = scores(truth, probability, said)
    auc = found["roc_auc"]
    return {
        **found,
        "log_loss": _log_loss(truth, probability),
        "n_test": len(truth),
        "n_positive": int(truth.sum()),
        "confusion": {"tp": tp, "fp": fp, "fn": fn, "tn": tn},
        "intervals": _intervals(tp, fp, fn, tn, auc=auc, squared=squared),
        "isotonic": isotonic.fit(probability, truth).to_dict(),
        **_curves(truth, probability),
    }


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _intervals(
    tp: int, fp: int, fn: int, tn: int, *, auc: float, squared: Floats
) -> dict[str, list[float]]:
    f1 = [2 * edge / (1 + edge) for edge in _wilson(tp, tp + fp + fn)]
    z = normal_quantile(LEVEL)
    spread = z * float(squared.std(ddof=1)) / math.sqrt(len(squared)) if len(squared) > 1 else 1.0
    brier = float(squared.mean())
    return {
        "accuracy": _wilson(tp + tn, tp + fp + fn + tn),
        "precision": _wilson(tp, tp + fp),
        "recall": _wilson(tp, tp + fn),
        "f1": f1,
        "roc_auc": _auc_interval(auc, tp + fn, fp + tn),
        "brier": [max(0.0, brier - spread), min(1.0, brier + spread)],
    }


def _wilson(successes: int, n: int) -> list[float]:
    if n == 0:
        return [0.0, 1.0]
    estimate = wilson(successes, n, level=LEVEL)
    return [estimate.low, estimate.high]


def _auc_interval(auc: float, positives: int, negatives: int) -> list[float]:
    """Hanley, McNeil (1982), Radiology 143:29: standard error from the exponential model."""
    if not positives or not negatives:
        return [0.0, 1.0]
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    error = math.sqrt(max(0.0, variance) / (positives * negatives))
    z = normal_quantile(LEVEL)
    return [max(0.0, auc - z * error), min(1.0, auc + z * error)]


def _curves(truth: Mask, probability: Floats) -> dict[str, list[list[float]]]:
    if not 0 < truth.sum() < len(truth):
        return {"roc": [], "pr": [], "calibration": []}
    false_rate, true_rate, _ = roc_curve(truth, probability)
    precision, recall, _ = precision_recall_curve(truth, probability)
    return {
        "roc": _thinned(false_rate, true_rate),
        "pr": _thinned(recall[::-1], precision[::-1]),
        "calibration": _calibration(truth, probability),
    }


def _thinned(x: Floats, y: Floats) -> list[list[float]]:
    """Keep at most `CURVE_POINTS` points, evenly along the curve's length."""
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    wanted = np.linspace(0, along[-1], min(CURVE_POINTS, len(x)))
    places = np.unique(np.searchsorted(along, wanted).clip(0, len(x) - 1))
    return [[round(float(x[i]), 5), round(float(y[i]), 5)] for i in places]


def _calibration(truth: Mask, probability: Floats) -> list[list[float]]:
    """Return per bin of probability: its mean, the share that was positive, and the rows."""
    bins = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [
        [float(probability[b].mean()), float(truth[b].mean()), int(b.sum())]
        for b in (bins == number for number in range(CALIBRATION_BINS))
        if b.any()
    ]


def slices(
    frame: pd.DataFrame, spec: ModelSpec, *, classes: bool = True
) -> dict[str, NDArray[np.intp]]:
    """Return the largest parts of a test set in which a new model must not be worse.

    Each class (unless `classes` is off), short and long texts, each common value of a category,
    rows with and without a text that is sometimes missing, and the lowest and highest third of the
    first two numeric features. The spec's order chooses them, not the labels, so that every look at
    a version has the same slices.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    if classes:
        target = frame[spec.target.column].to_numpy()
        found = {f"{spec.target.column} is {label}": target == label for label in spec.labels}
    if spec.input.text:
        found["short texts"], found["long texts"] = _by_length(frame[spec.input.text])
    for feature in spec.input.features:
        found |= _parts(feature, frame[feature.name])
    numeric = [feature.name for feature in spec.input.features if feature.type == "numeric"]
    for name in numeric[:BY_RANGE]:
        found |= _thirds(name, frame[name].to_numpy(dtype=float))
    ranked = sorted(found, key=lambda name: -int(found[name].sum()))[:MOST_SLICES]
    return {name: np.flatnonzero(found[name]) for name in ranked if found[name].sum() >= FEWEST}


def _by_length(texts: "pd.Series[Any]") -> tuple[Mask, Mask]:
    lengths = texts.str.len().to_numpy()
    middle = float(np.median(lengths)) if len(lengths) else 0.0
    return lengths <= middle, lengths > middle


def _thirds(name: str, values: Floats) -> dict[str, Mask]:
    """Return the low and high values; where one value fills the middle third, those beside it."""
    present = values[~np.isnan(values)]
    if not len(present):
        return {}
    low, high = np.quantile(present, [1 / 3, 2 / 3])
    below, above = (values <= low, values >= high) if low < high else (values < low, values > high)
    return {f"lowest third of {name}": below, f"highest third of {name}": above}


def _parts(feature: Feature, values: "pd.Series[Any]") -> dict[str, Mask]:
    if feature.type == "category":
        common = values.value_counts().head(3).index
        return {f"{feature.name} is {value}": (values == value).to_numpy() for value in common}
    if feature.type == "text":
        absent = (values == "").to_numpy(dtype=bool)
        return (
            {}
            if absent.all() or not absent.any()
            else {f"{feature.name} is empty": absent, f"{feature.name} is given": ~absent}
        )
    return {}
