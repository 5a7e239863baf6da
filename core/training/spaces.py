"""Where parameters are searched when a candidate does not say."""

from core.specs import Candidate, Range

_BOOSTED = {
    "learning_rate": Range(low=0.01, high=0.3, log=True),
    "subsample": Range(low=0.5, high=1),
    "colsample_bytree": Range(low=0.5, high=1),
    "reg_lambda": Range(low=1e-3, high=10, log=True),
}
DEFAULT: dict[str, dict[str, Range]] = {
    "logistic_regression": {"C": Range(low=1e-2, high=1e3, log=True)},
    "complement_nb": {"alpha": Range(low=1e-3, high=3, log=True)},
    "linear_svm": {"C": Range(low=1e-3, high=1e2, log=True)},
    "random_forest": {
        "n_estimators": Range(low=50, high=300),
        "max_depth": Range(low=3, high=100, log=True),
        "min_samples_leaf": Range(low=1, high=20, log=True),
    },
    "gradient_boosting": {
        "max_iter": Range(low=50, high=400),
        "learning_rate": Range(low=0.01, high=0.3, log=True),
        "max_leaf_nodes": Range(low=4, high=64, log=True),
        "l2_regularization": Range(low=0, high=10),
    },
    "xgboost": {**_BOOSTED, "max_depth": Range(low=2, high=10)},
    "lightgbm": {**_BOOSTED, "num_leaves": Range(low=4, high=64, log=True)},
    "deep_text": {
        "learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "dropout": Range(low=0, high=0.6),
    },
}
"""Candidate kind → parameter → range."""


def space(candidate: Candidate) -> dict[str, Range]:
    """Return where to search the parameters of a candidate: its own ranges, or ours.

    >>> sorted(space(Candidate(kind="complement_nb")))
    ['alpha']
    """
    return dict(candidate.space) or DEFAULT[candidate.kind]
