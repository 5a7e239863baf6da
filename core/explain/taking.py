"""Taking a fitted model's score apart, exactly, by its own structure.

Linear models: weight times value (the score is a sum already). Forests and scikit-learn's boosted
trees: along the path of a row, each split adds what the mean of the node changes by, which goes to
the column it splits on (Saabas 2014, "Interpreting random forests"; Palczewska et al. 2014,
"Interpreting random forest classification models using a feature contribution method", sec. 3).
XGBoost and LightGBM: their own Shapley values of the trees (Lundberg, Erion, Lee 2018, "Consistent
individualized feature attribution for tree ensembles", algorithm 2).
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from core.explain.result import Floats, InexactError, Taken

LOG_ODDS, MARGIN, PROBABILITY = "log-odds", "margin", "probability"
_MOST_CELLS = 4_000_000  # of a dense matrix that is held at once
_WEIGHTS = "Exact: the weight of each input times its value, after preprocessing. The base is {}."
_PATHS = (
    "Exact: along the path through each tree, every split adds what it changes in the node's "
    "mean. The base is the mean over the trees' roots."
)
_SHAPLEY = "Exact Shapley values of the trees. The base is the mean score in training."


def take(model: Any, rows: Any, *, second: bool) -> Taken:  # noqa: ANN401 (scikit-learn)
    """Return what each column of the preprocessed `rows` adds to the model's score.

    `second`: whether the positive label is the second of `model.classes_`.
    Raises: InexactError (a kind of model without exact contributions).
    """
    kind = type(model).__name__
    if kind == "CalibratedClassifierCV":
        return _calibrated(model, rows, second=second)
    if kind in ("FrozenEstimator", "TunedThresholdClassifierCV", "FixedThresholdClassifier"):
        return take(getattr(model, "estimator_", None) or model.estimator, rows, second=second)
    if kind not in _TAKERS:
        raise InexactError(f"a {kind} has no exact contributions")
    return _TAKERS[kind](model, rows, 1.0 if second else -1.0)


def _linear(model: Any, rows: Any, sign: float) -> Taken:  # noqa: ANN401
    """Logistic regression, a linear SVM and their like: ``intercept + rows @ weights``."""
    weights = sign * np.asarray(model.coef_, dtype=float).ravel()
    base = float(sign * np.ravel(model.intercept_)[0])
    scale = LOG_ODDS if type(model).__name__ == "LogisticRegression" else MARGIN
    return Taken(
        columns=sparse.csr_matrix(rows).multiply(weights).tocsr(),
        base=np.full(rows.shape[0], base),
        score=sign * np.asarray(model.decision_function(rows), dtype=float),
        scale=scale,
        method=_WEIGHTS.format("the score where everything is zero"),
    )


def _naive_bayes(model: Any, rows: Any, sign: float) -> Taken:  # noqa: ANN401
    """Complement and multinomial naive Bayes: the log-odds are linear in the counts.

    The complement form (Rennie et al. 2003, table 4) has no prior with two classes.
    """
    weights = sign * (model.feature_log_prob_[1] - model.feature_log_prob_[0])
    prior = model.class_log_prior_[1] - model.class_log_prior_[0]
    base = 0.0 if type(model).__name__ == "ComplementNB" else float(sign * prior)
    joint = np.asarray(model.predict_joint_log_proba(rows), dtype=float)
    return Taken(
        columns=sparse.csr_matrix(rows).multiply(weights).tocsr(),
        base=np.full(rows.shape[0], base),
        score=sign * (joint[:, 1] - joint[:, 0]),
        scale=LOG_ODDS,
        method=_WEIGHTS.format("the score of an input without any word"),
    )


def _forest(model: Any, rows: Any, sign: float) -> Taken:  # noqa: ANN401
    """Random forest, extra trees and a single tree: the mean of the trees' probabilities."""
    column = 1 if sign > 0 else 0
    trees = [tree.tree_ for tree in getattr(model, "estimators_", [model])]
    data = rows.astype(np.float32)
    if sparse.issparse(data):
        data = data.tocsr()
    found = [_tree_paths(tree, data, column) for tree in trees]
    total = sum((part for part, _root in found), sparse.csr_matrix(rows.shape))
    roots = sum(root for _part, root in found) / len(trees)
    return Taken(
        columns=sparse.csr_matrix(total / len(trees)),
        base=np.full(rows.shape[0], roots),
        score=np.asarray(model.predict_proba(rows)[:, column], dtype=float),
        scale=PROBABILITY,
        method=_PATHS,
    )


def _tree_paths(tree: Any, rows: Any, column: int) -> tuple[Any, float]:  # noqa: ANN401
    values = tree.value[:, 0, :]
    shares = values[:, column] / values.sum(axis=1)
    path = tree.decision_path(rows)
    nodes, row = path.indices, np.repeat(np.arange(rows.shape[0]), np.diff(path.indptr))
    step = row[1:] == row[:-1]  # from a node to the next one of the same row
    parent, child = nodes[:-1][step], nodes[1:][step]
    return _gathered(
        row[1:][step], tree.feature[parent], shares[child] - shares[parent], rows.shape
    ), float(shares[0])


def _gathered(
    row: NDArray[Any], column: NDArray[Any], change: Floats, shape: tuple[int, int]
) -> Any:  # noqa: ANN401 (a sparse matrix)
    return sparse.coo_matrix((change, (row, column)), shape=shape).tocsr()


def _histogram(model: Any, rows: Any, sign: float) -> Taken:  # noqa: ANN401
    """scikit-learn's histogram boosting; a node's mean is that of its leaves by training rows."""
    if getattr(model, "is_categorical_", None) is not None:
        raise InexactError("a boosted model with categories of its own has no exact contributions")
    data = np.asarray(rows, dtype=np.float64)
    total: Any = sparse.csr_matrix(data.shape)
    base = float(np.ravel(model._baseline_prediction)[0])
    for (predictor,) in model._predictors:
        part, root = _histogram_paths(predictor.nodes, data)
        total, base = total + part, base + root
    return Taken(
        columns=(sign * total).tocsr(),
        base=np.full(len(data), sign * base),
        score=sign * np.asarray(model.decision_function(rows), dtype=float),
        scale=LOG_ODDS,
        method=_PATHS,
    )


def _histogram_paths(nodes: Any, rows: Floats) -> tuple[Any, float]:  # noqa: ANN401
    means = _means(nodes)
    at = np.zeros(len(rows), dtype=np.intp)
    found: list[tuple[NDArray[Any], NDArray[Any], Floats]] = []
    while (going := np.flatnonzero(nodes["is_leaf"][at] == 0)).size:
        here = nodes[at[going]]
        values = rows[going, here["feature_idx"]]
        left = np.where(
            np.isnan(values), here["missing_go_to_left"] == 1, values <= here["num_threshold"]
        )
        after = np.where(left, here["left"], here["right"]).astype(np.intp)
        found.append((going, here["feature_idx"], means[after] - means[at[going]]))
        at[going] = after
    if not found:
        return sparse.csr_matrix(rows.shape), float(means[0])
    row, column, change = (np.concatenate(part) for part in zip(*found, strict=True))
    return _gathered(row, column, change, (rows.shape[0], rows.shape[1])), float(means[0])


def _means(nodes: Any) -> Floats:  # noqa: ANN401 (a structured array)
    """Return the mean leaf value below each node, by training rows; children follow parents."""
    means: Floats = nodes["value"].astype(float)
    for place in range(len(nodes) - 1, -1, -1):
        node = nodes[place]
        if not node["is_leaf"]:
            below = [int(node["left"]), int(node["right"])]
            means[place] = np.average(means[below], weights=nodes["count"][below])
    return means


def _xgboost(model: Any, rows: Any, sign: float) -> Taken:  # noqa: ANN401
    from xgboost import DMatrix

    ours = type(model).__name__ == "XGBoost"
    booster = model.booster if ours else model.get_booster()
    missing = np.nan if ours else model.missing
    matrices = [DMatrix(part, missing=missing, nthread=1) for part in _parts(rows)]
    given = [sparse.csr_matrix(booster.predict(one, pred_contribs=True)) for one in matrices]
    score = [booster.predict(one, output_margin=True) for one in matrices]
    return _shapley(sparse.vstack(given), np.concatenate(score), sign)


def _lightgbm(model: Any, rows: Any, sign: float) -> Taken:  # noqa: ANN401
    booster = model.booster if type(model).__name__ == "LightGBM" else model.booster_
    parts = list(_parts(rows))
    given = [sparse.csr_matrix(booster.predict(part, pred_contrib=True)) for part in parts]
    score = [booster.predict(part, raw_score=True) for part in parts]
    return _shapley(sparse.vstack(given), np.concatenate(score), sign)


def _parts(rows: Any) -> Iterator[Any]:  # noqa: ANN401 (a matrix)
    """Cut rows so that a dense matrix of this width stays small."""
    size = max(1, _MOST_CELLS // max(1, rows.shape[1]))
    for start in range(0, rows.shape[0], size):
        yield rows[start : start + size]


def _shapley(given: Any, score: Any, sign: float) -> Taken:  # noqa: ANN401
    """Read a matrix whose last column is the base, the same for every row."""
    given = given.tocsc().astype(float)
    return Taken(
        columns=(sign * given[:, :-1]).tocsr(),
        base=sign * np.asarray(given[:, -1].todense(), dtype=float).ravel(),
        score=sign * np.asarray(score, dtype=float),
        scale=LOG_ODDS,
        method=_SHAPLEY,
    )


def _calibrated(model: Any, rows: Any, *, second: bool) -> Taken:  # noqa: ANN401
    """Return the mean over the models below the calibration, on their own scale."""
    found = [take(one.estimator, rows, second=second) for one in model.calibrated_classifiers_]
    of = f" (the mean of its {len(found)} models)" if len(found) > 1 else ""
    words = f" This explains the score before calibration{of}."
    return Taken(
        columns=sum(one.columns for one in found) / len(found),
        base=np.mean([one.base for one in found], axis=0),
        score=np.mean([one.score for one in found], axis=0),
        scale=found[0].scale,
        method=found[0].method + words,
    )


_TAKERS: dict[str, Callable[[Any, Any, float], Taken]] = {
    **dict.fromkeys(
        ("LogisticRegression", "LinearSVC", "SGDClassifier", "RidgeClassifier"), _linear
    ),
    **dict.fromkeys(("ComplementNB", "MultinomialNB"), _naive_bayes),
    **dict.fromkeys(
        ("RandomForestClassifier", "ExtraTreesClassifier", "DecisionTreeClassifier"), _forest
    ),
    "HistGradientBoostingClassifier": _histogram,
    **dict.fromkeys(("XGBoost", "XGBClassifier"), _xgboost),
    **dict.fromkeys(("LightGBM", "LGBMClassifier"), _lightgbm),
}
