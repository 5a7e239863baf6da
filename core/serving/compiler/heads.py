"""The model step of a pipeline: weighted sums or trees, and the links to a probability."""

from typing import Any

from core.serving.compiler import forests
from core.serving.compiler.reading import NoPlan, kind, need
from core.serving.plans.format import Isotonic, Linear, Link, Platt, Trees

Members = list[tuple[Any, Isotonic | Platt | None]]


def head_of(model: Any, *, scattered: bool) -> tuple[Linear | Trees, list[Link]]:  # noqa: ANN401
    """Return what is summed, and one link per member; `scattered` features come as sparse rows.

    Raises: NoPlan.
    """
    members = _members(model)
    inner = [one for one, _calibration in members]
    kinds = {kind(one) for one in inner}
    need(len(kinds) == 1, "a calibrated model of several kinds")
    name = kinds.pop()
    if name in ("LogisticRegression", "LinearSVC", "ComplementNB"):
        head: Linear | Trees = _linear(inner)
    else:
        head = forests.trees_of(inner, scattered=scattered)
    links = [Link(_logistic(one, calibration), calibration) for one, calibration in members]
    return head, links


def _logistic(inner: Any, calibration: Isotonic | Platt | None) -> bool:  # noqa: ANN401
    """Say whether a sum goes through the logistic function before anything else."""
    if kind(inner) == "RandomForestClassifier":
        return False  # its sums are probabilities already
    if calibration is None:
        return True
    return not hasattr(inner, "decision_function")  # calibrated on what `predict_proba` says


def _members(model: Any) -> Members:  # noqa: ANN401
    if kind(model) != "CalibratedClassifierCV":
        need(kind(model) != "LinearSVC", "an uncalibrated margin")
        return [(model, None)]
    found: Members = []
    for one in model.calibrated_classifiers_:
        need(len(one.calibrators) == 1, "a calibration of several classes")
        found.append((one.estimator, _calibration(one.calibrators[0])))
    return found


def _calibration(fitted: Any) -> Isotonic | Platt:  # noqa: ANN401
    if kind(fitted) == "_SigmoidCalibration":
        return Platt(float(fitted.a_), float(fitted.b_))
    if kind(fitted) == "IsotonicRegression":
        need(bool(fitted.increasing_) and fitted.out_of_bounds == "clip", "another isotonic fit")
        return Isotonic(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist())
    raise NoPlan(f"a calibration by {kind(fitted)}")


def _linear(models: list[Any]) -> Linear:
    weights, bias = [], []
    for model in models:
        if kind(model) == "ComplementNB":
            own = model.feature_log_prob_[1] - model.feature_log_prob_[0]
            start = 0.0
        else:
            own, start = model.coef_[0], float(model.intercept_[0])
        weights.append({slot: weight for slot, weight in enumerate(own.tolist()) if weight})
        bias.append(start)
    return Linear(weights, bias)
