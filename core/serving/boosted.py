"""Boosted trees of XGBoost and LightGBM behind one face: two labels in, probabilities out.

Their own scikit-learn faces differ in what labels, sparse rows and early stopping mean. Here a
fitted model is plain data (the library's own text or bytes), so that its file stays readable and
equal on every run; one thread keeps sums in one order, so that results do not depend on the cores.
"""

import importlib
from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_sample_weight

from core.errors import InvalidInputError

ROUNDS, PATIENCE = 300, 20
INNER_SHARE, FEWEST_ROWS = 0.15, 200  # with fewer rows a part of them says nothing

Floats = NDArray[np.float64]


class BoostedTrees(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Grows up to `n_estimators` trees, as many as serve rows that they did not learn.

    The number is found on a part of the rows that follows from `random_state`; the trees that are
    kept then learn all rows. Under `FEWEST_ROWS` rows all `n_estimators` are grown.
    """

    n_estimators: int
    random_state: int
    class_weight: str | None
    classes_: NDArray[Any]
    n_trees_: int
    model_: Any

    def fit(self, x: Any, y: Any) -> Self:  # noqa: ANN401 (a sparse or dense matrix)
        """Learn rows x, shape (rows, columns), with one of two labels each.

        Raises: InvalidInputError (not two labels).
        """
        self.classes_, labels = np.unique(np.asarray(y), return_inverse=True)
        if len(self.classes_) != 2:
            raise InvalidInputError("Boosted trees learn from rows of both classes.")
        x, weights = _readable(x), compute_sample_weight(self.class_weight, labels)
        self.n_trees_ = self._rounds(x, labels, weights)
        self.model_ = self._grown(x, labels, weights, self.n_trees_)
        self.n_features_in_ = x.shape[1]
        self.__dict__.pop("_live", None)
        return self

    def predict_proba(self, x: Any) -> Floats:  # noqa: ANN401 (a sparse or dense matrix)
        """Return the probability of each label, shape (rows, 2), in the order of `classes_`."""
        positive = np.asarray(self._answers(_readable(x)), dtype=np.float64)
        return np.column_stack([1 - positive, positive])

    def predict(self, x: Any) -> NDArray[Any]:  # noqa: ANN401 (a sparse or dense matrix)
        """Return the more likely label of each row."""
        answers: NDArray[Any] = self.classes_[self.predict_proba(x).argmax(axis=1)]
        return answers

    @property
    def booster(self) -> Any:  # noqa: ANN401 (a Booster of the library)
        """The library's own object, made from `model_` at its first use."""
        live = self.__dict__.get("_live")
        if live is None:
            live = self._opened()
            self.__dict__["_live"] = live
        return live

    def __getstate__(self) -> dict[str, Any]:
        """Return what a file keeps: everything but the library's object."""
        return {name: value for name, value in vars(self).items() if name != "_live"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take back what a file kept."""
        self.__dict__.update(state)

    def _rounds(self, x: Any, labels: NDArray[Any], weights: Floats) -> int:  # noqa: ANN401
        if len(labels) < FEWEST_ROWS or np.bincount(labels).min() < 1 / INNER_SHARE:
            return self.n_estimators
        learn, check = train_test_split(
            np.arange(len(labels)),
            test_size=INNER_SHARE,
            stratify=labels,
            random_state=self.random_state,
        )
        parts = [(x[rows], labels[rows], weights[rows]) for rows in (learn, check)]
        return self._best_round(*parts)

    @abstractmethod
    def _best_round(self, learn: Any, check: Any) -> int:  # noqa: ANN401
        """Return how many trees serve the rows of `check` best."""

    @abstractmethod
    def _grown(self, x: Any, y: Any, weights: Floats, rounds: int) -> Any:  # noqa: ANN401
        """Return a model of `rounds` trees as plain data."""

    @abstractmethod
    def _opened(self) -> Any:  # noqa: ANN401
        """Return the library's own object of `model_`."""

    @abstractmethod
    def _answers(self, x: Any) -> Any:  # noqa: ANN401
        """Return the probability of the second label for each row."""


class XGBoost(BoostedTrees):
    """XGBoost's histogram trees."""

    def __init__(
        self,
        n_estimators: int = ROUNDS,
        learning_rate: float = 0.1,
        max_depth: int | None = 6,
        min_child_weight: float = 1.0,
        subsample: float = 1.0,
        colsample_bytree: float = 1.0,
        reg_lambda: float = 1.0,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.min_child_weight = min_child_weight
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.reg_lambda = reg_lambda
        self.class_weight = class_weight
        self.random_state = random_state

    def _given(self) -> dict[str, Any]:
        ours = ("n_estimators", "class_weight", "random_state")
        given = {name: value for name, value in self.get_params().items() if name not in ours}
        return {
            **given,
            "max_depth": self.max_depth or 0,  # 0 is without a limit
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "tree_method": "hist",
            "nthread": 1,
            "seed": self.random_state % 2**31,
            "verbosity": 0,
        }

    def _best_round(self, learn: Any, check: Any) -> int:  # noqa: ANN401
        xgboost = _library("xgboost")

        learn, check = (
            xgboost.DMatrix(x, y, weight=weight, nthread=1) for x, y, weight in (learn, check)
        )
        booster = xgboost.train(
            self._given(),
            learn,
            self.n_estimators,
            evals=[(check, "check")],
            early_stopping_rounds=PATIENCE,
            verbose_eval=False,
        )
        return int(booster.best_iteration) + 1

    def _grown(self, x: Any, y: Any, weights: Floats, rounds: int) -> bytes:  # noqa: ANN401
        xgboost = _library("xgboost")

        rows = xgboost.DMatrix(x, y, weight=weights, nthread=1)
        return bytes(xgboost.train(self._given(), rows, rounds).save_raw("ubj"))

    def _opened(self) -> Any:  # noqa: ANN401
        xgboost = _library("xgboost")

        return xgboost.Booster({"nthread": 1, "verbosity": 0}, model_file=bytearray(self.model_))

    def _answers(self, x: Any) -> Any:  # noqa: ANN401
        return self.booster.inplace_predict(x)


class LightGBM(BoostedTrees):
    """LightGBM's leaf-wise trees."""

    def __init__(
        self,
        n_estimators: int = ROUNDS,
        learning_rate: float = 0.1,
        num_leaves: int = 31,
        min_child_samples: int = 20,
        subsample: float = 1.0,
        colsample_bytree: float = 1.0,
        reg_lambda: float = 0.0,
        class_weight: str | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.reg_lambda = reg_lambda
        self.class_weight = class_weight
        self.random_state = random_state

    def _given(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_child_samples,
            "bagging_fraction": self.subsample,
            "bagging_freq": 1 if self.subsample < 1 else 0,
            "feature_fraction": self.colsample_bytree,
            "lambda_l2": self.reg_lambda,
            "objective": "binary",
            "metric": "binary_logloss",
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": 1,
            "seed": self.random_state % 2**31,
            "verbosity": -1,
        }

    def _best_round(self, learn: Any, check: Any) -> int:  # noqa: ANN401
        lightgbm = _library("lightgbm")

        rows = lightgbm.Dataset(learn[0], learn[1], weight=learn[2], params=self._given())
        inner = lightgbm.Dataset(check[0], check[1], weight=check[2], reference=rows)
        booster = lightgbm.train(
            self._given(),
            rows,
            self.n_estimators,
            valid_sets=[inner],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
        return int(booster.best_iteration) or self.n_estimators

    def _grown(self, x: Any, y: Any, weights: Floats, rounds: int) -> str:  # noqa: ANN401
        lightgbm = _library("lightgbm")

        data = lightgbm.Dataset(x, y, weight=weights, params=self._given())
        return str(lightgbm.train(self._given(), data, rounds).model_to_string())

    def _opened(self) -> Any:  # noqa: ANN401
        lightgbm = _library("lightgbm")

        return lightgbm.Booster(model_str=self.model_)

    def _answers(self, x: Any) -> Any:  # noqa: ANN401
        return self.booster.predict(x, num_threads=1)


def _library(name: str) -> Any:  # noqa: ANN401 (a module)
    """Return a library of boosted trees.

    Raises: InvalidInputError (it, or what it is linked with, is not installed here).
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as problem:
        raise InvalidInputError(
            f"{name} does not start on this machine; on Debian and Ubuntu its shared library is "
            f"missing: apt install libgomp1, or choose another candidate ({problem})."
        ) from problem


def _readable(x: Any) -> Any:  # noqa: ANN401 (a sparse or dense matrix)
    """Return rows as both libraries read them; to XGBoost a cell that is absent is missing."""
    if sparse.issparse(x):
        return sparse.csr_matrix(x)
    return np.ascontiguousarray(x, dtype=np.float64)
