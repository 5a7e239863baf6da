"""From a spec to scikit-learn: features fitted once and shared, and the models on top."""

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from core.specs import Candidate, ModelSpec

TOKENS = r"(?u)\b\w+\b|[£$€!?]"  # single characters and money marks tell spam from ham
MOST_TERMS = 100_000
MOST_CATEGORIES = 50

_WHOLE = ("n_estimators", "max_depth", "min_samples_leaf", "max_iter", "max_leaf_nodes")


def features(spec: ModelSpec) -> BaseEstimator:
    """Return the unfitted step that turns inputs into numbers, the same for all candidates."""
    if spec.task == "text":
        return TfidfVectorizer(
            ngram_range=(1, 2),
            min_df=2,
            max_features=MOST_TERMS,
            sublinear_tf=True,
            strip_accents="unicode",
            token_pattern=TOKENS,
        )
    numeric = [feature.name for feature in spec.input.features if feature.type == "numeric"]
    category = [feature.name for feature in spec.input.features if feature.type == "category"]
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
    return ColumnTransformer(
        [("numbers", numbers, numeric), ("categories", categories, category)], sparse_threshold=0
    )


def model(candidate: Candidate, spec: ModelSpec) -> BaseEstimator:
    """Return the unfitted model of a candidate, with its parameters over our defaults."""
    given: dict[str, Any] = {
        name: int(value) if name in _WHOLE and value is not None else value
        for name, value in candidate.parameters.items()
    }
    if candidate.kind == "logistic_regression":
        return LogisticRegression(
            **{"C": 10.0 if spec.task == "text" else 1.0, "solver": "liblinear", **given},
            random_state=spec.seed,
        )
    if candidate.kind == "complement_nb":
        return ComplementNB(**{"alpha": 0.3, **given})
    if candidate.kind == "random_forest":
        return RandomForestClassifier(
            **{"n_estimators": 100, **given}, random_state=spec.seed, n_jobs=2
        )
    return HistGradientBoostingClassifier(
        **{"max_iter": 100, "early_stopping": False, **given}, random_state=spec.seed
    )


def assembled(fitted_features: BaseEstimator, fitted_model: BaseEstimator) -> Pipeline:
    """Return the pipeline that serves: inputs in, probabilities out, one row without threads."""
    if "n_jobs" in fitted_model.get_params() and isinstance(fitted_model, RandomForestClassifier):
        fitted_model.set_params(n_jobs=1)
    if isinstance(fitted_features, TfidfVectorizer):  # numpy integers make the file 20 times larger
        terms = fitted_features.vocabulary_
        fitted_features.vocabulary_ = {term: int(place) for term, place in terms.items()}
    return Pipeline([("features", fitted_features), ("model", fitted_model)])


def parameters(model: BaseEstimator) -> dict[str, Any]:
    """Return the parameters of a model that people tune, as plain values."""
    shown = (*_WHOLE, "C", "alpha", "learning_rate", "l2_regularization")
    return {name: value for name, value in model.get_params().items() if name in shown}
