"""From a spec to scikit-learn: features fitted once and shared, and the models on top."""

import importlib
from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from core.errors import InvalidInputError
from core.serving.boosted import LightGBM, XGBoost
from core.serving.words import Words
from core.specs import Candidate, ModelSpec
from core.specs.candidates import PARAMETERS, WHOLE

TOKENS = r"(?u)\b\w+\b|[£$€!?]"  # single characters and money marks tell spam from ham
MOST_TERMS = 100_000
MOST_TERMS_BESIDE = 2_000  # of one text column among others: boosted trees look at each
MOST_CATEGORIES = 50
CALIBRATION_FOLDS = 3

Maker = Callable[[dict[str, Any], ModelSpec], BaseEstimator]


def features(spec: ModelSpec) -> BaseEstimator:
    """Return the unfitted step that turns inputs into numbers, the same for all candidates.

    Numbers: the median where they are missing, a column that says so, mean 0 and variance 1.
    Categories: one column each; rare ones share one, which unknown ones fall into. Text columns
    beside them: weighted words, and then the whole matrix is sparse.
    """
    if spec.task == "text":
        return TfidfVectorizer(**_counting(MOST_TERMS))
    numbers = Pipeline(
        [
            (
                "impute",
                SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            ),
            ("scale", StandardScaler()),
        ]
    )
    categories = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False
    )
    words = [
        (f"words {place}", Words(**_counting(MOST_TERMS_BESIDE)), name)
        for place, name in enumerate(_named(spec, "text"), start=1)
    ]
    return ColumnTransformer(
        [
            ("numbers", numbers, _named(spec, "numeric")),
            ("categories", categories, _named(spec, "category")),
            *words,
        ],
        sparse_threshold=1 if words else 0,
    )


def _named(spec: ModelSpec, kind: str) -> list[str]:
    return [feature.name for feature in spec.input.features if feature.type == kind]


def _counting(most: int) -> dict[str, Any]:
    return {
        "ngram_range": (1, 2),
        "min_df": 2,
        "max_features": most,
        "sublinear_tf": True,
        "strip_accents": "unicode",
        "token_pattern": TOKENS,
    }


def model(candidate: Candidate, spec: ModelSpec) -> BaseEstimator:
    """Return the unfitted model of a candidate, with its parameters over our defaults.

    It follows from the spec's seed alone, whatever the number of cores: every model computes with
    one thread. Where a calibration is asked for (a linear SVM always needs one) its probabilities
    are learnt on cross-validated rows (Platt 1999; Zadrozny and Elkan 2002).

    Raises: InvalidInputError (this candidate cannot learn these columns, or is not installed).
    """
    if candidate.kind == "deep_text":
        return _deep(candidate, spec)
    given: dict[str, Any] = {
        name: int(value) if name in WHOLE and value is not None else value
        for name, value in candidate.parameters.items()
    }
    if candidate.kind != "complement_nb":
        weight = candidate.class_weight
        given |= {"random_state": spec.seed, "class_weight": None if weight == "none" else weight}
    return _calibrated(_MAKERS[candidate.kind](given, spec), candidate, spec)


def _calibrated(plain: BaseEstimator, candidate: Candidate, spec: ModelSpec) -> BaseEstimator:
    method = candidate.calibration
    if method == "none" and candidate.kind != "linear_svm":
        return plain
    parts = StratifiedKFold(CALIBRATION_FOLDS, shuffle=True, random_state=spec.seed)
    return CalibratedClassifierCV(
        plain, method="sigmoid" if method == "none" else method, cv=parts, ensemble=False
    )


def _logistic(given: dict[str, Any], spec: ModelSpec) -> BaseEstimator:
    usual = {"C": 10.0 if spec.task == "text" else 1.0, "solver": "liblinear"}
    return LogisticRegression(**usual | given)


def _bayes(given: dict[str, Any], _spec: ModelSpec) -> BaseEstimator:
    return ComplementNB(**{"alpha": 0.3} | given)


def _svm(given: dict[str, Any], _spec: ModelSpec) -> BaseEstimator:
    return LinearSVC(**{"C": 1.0, "dual": "auto", "max_iter": 5000} | given)


def _forest(given: dict[str, Any], _spec: ModelSpec) -> BaseEstimator:
    return RandomForestClassifier(**{"n_estimators": 100, "n_jobs": 1} | given)


def _gradient(given: dict[str, Any], spec: ModelSpec) -> BaseEstimator:
    if texts := _named(spec, "text"):
        raise InvalidInputError(
            f"gradient_boosting cannot read the text column {texts[0]}: take lightgbm or xgboost."
        )
    return HistGradientBoostingClassifier(**{"max_iter": 100, "early_stopping": False} | given)


def _xgboost(given: dict[str, Any], _spec: ModelSpec) -> BaseEstimator:
    return XGBoost(**given)


def _lightgbm(given: dict[str, Any], _spec: ModelSpec) -> BaseEstimator:
    return LightGBM(**given)


_MAKERS: dict[str, Maker] = {
    "logistic_regression": _logistic,
    "complement_nb": _bayes,
    "linear_svm": _svm,
    "random_forest": _forest,
    "gradient_boosting": _gradient,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
}


def _deep(candidate: Candidate, spec: ModelSpec) -> BaseEstimator:
    try:
        deep_text = importlib.import_module("core.training.deep_text")
    except ImportError as error:
        raise InvalidInputError(
            "deep_text is not installed: install requirements-gpu.txt, or take another candidate."
        ) from error
    return deep_text.model(candidate, spec)


def assembled(fitted_features: BaseEstimator, fitted_model: BaseEstimator) -> Pipeline:
    """Return the pipeline that serves: inputs in, probabilities out."""
    if isinstance(fitted_features, TfidfVectorizer):  # numpy integers make the file 20 times larger
        terms = fitted_features.vocabulary_
        fitted_features.vocabulary_ = {term: int(place) for term, place in terms.items()}
    return Pipeline([("features", fitted_features), ("model", fitted_model)])


def parameters(model: BaseEstimator) -> dict[str, Any]:
    """Return the parameters of a model that people tune, as plain values."""
    if isinstance(model, CalibratedClassifierCV):
        return {**parameters(model.estimator), "calibration": model.method}
    shown = {name for known in PARAMETERS.values() for name in known}
    found = {name: value for name, value in model.get_params().items() if name in shown}
    weight = model.get_params().get("class_weight")
    return found | ({"class_weight": weight} if weight else {})
