import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from xgboost import XGBClassifier

from core import explain
from core.explain import inputs
from core.explain.result import InexactError
from core.serving.boosted import LightGBM, XGBoost

TABLE = {
    "task": "tabular",
    "input": {
        "features": [
            {"name": "age", "type": "numeric"},
            {"name": "chol", "type": "numeric"},
            {"name": "sex", "type": "category"},
        ]
    },
    "labels": ["healthy", "sick"],
    "positive": "sick",
}
TEXT = {"task": "text", "input": {"text": "message"}, "labels": ["ham", "spam"], "positive": "spam"}
HAM = ["see you at lunch", "are you home yet", "call me after work", "ok thanks", "home for lunch"]
SPAM = ["win a free prize now", "claim your cash", "free entry win win", "urgent prize", "win cash"]
TREES = {"n_estimators": 8, "random_state": 1}
TABULAR = {
    "logistic": LogisticRegression(),
    "svm": CalibratedClassifierCV(LinearSVC(), cv=3),
    "forest": RandomForestClassifier(max_depth=6, **TREES),
    "boosting": HistGradientBoostingClassifier(max_iter=12, early_stopping=False),
    "calibrated boosting": CalibratedClassifierCV(
        HistGradientBoostingClassifier(max_iter=5, early_stopping=False), cv=2, method="isotonic"
    ),
    "xgboost": XGBoost(max_depth=3, **TREES),
    "lightgbm": LightGBM(min_child_samples=5, **TREES),
    "foreign xgboost": XGBClassifier(max_depth=3, **TREES),
    "foreign lightgbm": LGBMClassifier(verbose=-1, min_child_samples=5, **TREES),
}
OVER_WORDS = {
    "logistic": LogisticRegression(C=10),
    "bayes": ComplementNB(),
    "svm": CalibratedClassifierCV(LinearSVC(), cv=2),
    "forest": RandomForestClassifier(**TREES),
    "xgboost": XGBoost(**TREES),
    "lightgbm": LightGBM(min_child_samples=2, **TREES),
}
SINGLE = {"xgboost", "foreign xgboost"}  # XGBoost adds up in single precision


def rows(n=300):
    rng = np.random.default_rng(7)
    age, chol = rng.normal(50, 12, n), rng.normal(220, 40, n)
    age[::11], chol[::7] = np.nan, np.nan
    sex = rng.choice(np.array(["f", "m", None], dtype=object), n)
    noise = rng.normal(0, 0.5, n)
    sick = np.nan_to_num(age, nan=50) / 12 + (sex == "m") + np.isnan(chol) + noise > 4.8
    frame = pd.DataFrame({"age": age, "chol": chol, "sex": pd.Series(sex, dtype=object)})
    return frame, np.where(sick, "sick", "healthy")


def preprocessing():
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    words = OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False)
    return ColumnTransformer([("n", numbers, ["age", "chol"]), ("c", words, ["sex"])])


def fitted(features, model, inputs, target):
    matrix = features.fit_transform(inputs)
    if isinstance(model, XGBClassifier):
        model.fit(matrix, (target == np.unique(target)[1]).astype(int))
        return Pipeline([("features", features), ("model", model)])
    return Pipeline([("features", features), ("model", model.fit(matrix, target))])


def signed(signature, pipeline):
    """XGBoost's labels are 0 and 1; explain them as such."""
    if [str(label) for label in pipeline.classes_] == ["0", "1"]:
        return {**signature, "labels": ["0", "1"], "positive": "1"}
    return signature


@pytest.fixture(scope="module")
def tabular():
    frame, target = rows()
    return {name: fitted(preprocessing(), model, frame, target) for name, model in TABULAR.items()}


@pytest.fixture(scope="module")
def texts():
    target = np.array(["ham"] * len(HAM) * 3 + ["spam"] * len(SPAM) * 3)
    return {
        name: fitted(TfidfVectorizer(), model, HAM * 3 + SPAM * 3, target)
        for name, model in OVER_WORDS.items()
    }


def adds_up(said, kind):
    total = said.base + sum(part.contribution for part in said.parts) + said.rest
    assert total == pytest.approx(said.score, abs=1e-9)
    assert said.n_rest == 0
    assert abs(said.rest) < (1e-5 if kind in SINGLE else 1e-9)  # nothing hides in the rest


def right_score(said, kind):
    """Hold the score against the probability, where no calibration lies between."""
    if "calibration" in said.method:
        return
    if said.scale == "probability":
        assert said.score == pytest.approx(said.probability, abs=1e-9)
    else:
        probability = 1 / (1 + np.exp(-said.score))
        assert said.probability == pytest.approx(probability, abs=1e-6 if kind in SINGLE else 1e-9)


maybe = st.none() | st.floats(-500, 500)
features = st.fixed_dictionaries(
    {"age": maybe, "chol": maybe, "sex": st.sampled_from(["f", "m", "unheard of", None])}
)
quick = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("kind", TABULAR)
@quick
@given(row=features)
def test_the_parts_of_a_row_add_up_to_the_models_score(tabular, kind, row):
    pipeline = tabular[kind]
    said = explain.one(pipeline, signed(TABLE, pipeline), row)
    adds_up(said, kind)
    right_score(said, kind)
    assert {part.name for part in said.parts} <= {"age", "chol", "sex"}
    assert all(part.value == row[part.name] for part in said.parts)


@pytest.mark.parametrize("kind", OVER_WORDS)
@quick
@given(
    words=st.lists(
        st.sampled_from(["win", "free", "you", "lunch", "cash", "call", "now", "unheard"]),
        max_size=9,
    )
)
def test_the_parts_of_a_text_add_up_to_the_models_score(texts, kind, words):
    pipeline = texts[kind]
    said = explain.one(pipeline, signed(TEXT, pipeline), " ".join(words), top=100)
    adds_up(said, kind)
    right_score(said, kind)
    present = [part for part in said.parts if part.value]
    assert all(part.value == words.count(part.name) for part in present)


def test_a_missing_value_and_its_indicator_are_one_feature(tabular):
    said = explain.one(tabular["logistic"], TABLE, {"age": 70.0, "chol": None, "sex": "f"})
    by_name = {part.name: part for part in said.parts}
    assert len(said.parts) == len(by_name) == 3
    assert by_name["chol"].value is None
    assert by_name["chol"].contribution > 0  # where it is missing, people are sick more often


def test_contributions_speak_for_the_positive_label_also_where_it_comes_first():
    frame, target = rows()
    pipeline = fitted(preprocessing(), LogisticRegression(), frame, target)
    person = {"age": 80.0, "chol": 200.0, "sex": "m"}
    sick = explain.one(pipeline, TABLE, person)
    healthy = explain.one(pipeline, {**TABLE, "positive": "healthy"}, person)
    assert (sick.score, sick.base) == pytest.approx((-healthy.score, -healthy.base))
    assert sick.probability == pytest.approx(1 - healthy.probability)
    assert sick.label == healthy.label == "sick"


def test_a_forest_is_turned_around_as_a_whole(tabular):
    person = {"age": 80.0, "chol": 200.0, "sex": "m"}
    said = explain.one(tabular["forest"], {**TABLE, "positive": "healthy"}, person)
    adds_up(said, "forest")
    right_score(said, "forest")


def test_the_threshold_decides_the_label_and_a_tie_goes_to_the_first_label(texts):
    said = explain.one(texts["logistic"], TEXT, "win a prize", threshold=0.999)
    assert said.label == "ham"
    tie = explain.one(texts["logistic"], TEXT, "win a prize", threshold=said.probability)
    assert (said.probability > 0.5, tie.label) == (True, "ham")


def test_only_the_largest_parts_are_shown_and_the_rest_is_told(texts):
    said = explain.one(texts["logistic"], TEXT, " ".join(HAM + SPAM), top=3)
    sizes = [abs(part.contribution) for part in said.parts]
    assert (len(sizes), sizes) == (3, sorted(sizes, reverse=True))
    assert said.n_rest > 3
    assert said.base + sum(p.contribution for p in said.parts) + said.rest == pytest.approx(
        said.score, abs=1e-9
    )


def test_a_calibrated_model_is_explained_before_its_calibration_and_says_so(tabular):
    said = explain.one(tabular["svm"], TABLE, {"age": 60.0, "chol": 200.0, "sex": "m"})
    assert said.scale == "margin"
    assert "before calibration (the mean of its 3 models)" in said.method


def test_a_text_beside_numbers_is_explained_by_its_words():
    frame = pd.DataFrame({"note": HAM + SPAM, "hour": [float(i % 5) for i in range(10)]})
    columns = ColumnTransformer(
        [("words", TfidfVectorizer(), "note"), ("numbers", StandardScaler(), ["hour"])]
    )
    pipeline = fitted(columns, LogisticRegression(), frame, np.array(["ham"] * 5 + ["spam"] * 5))
    listed = [{"name": "hour", "type": "numeric"}, {"name": "note", "type": "text"}]
    signature = {**TEXT, "task": "tabular", "input": {"features": listed}}
    said = explain.one(pipeline, signature, {"hour": 1.0, "note": "win win cash"})
    assert {part.name: part.value for part in said.parts} == {
        "note: win": 2, "note: cash": 1, "hour": 1.0
    }  # fmt: skip
    adds_up(said, "logistic")


def test_importance_ranks_what_the_labels_follow(tabular):
    frame, _ = rows()
    for kind, pipeline in tabular.items():
        found = explain.importance(pipeline, signed(TABLE, pipeline), frame)
        assert {name for name, _size in found} == {"age", "chol", "sex"}, kind
        assert found[0][0] == "age", kind


def test_importance_over_rows_is_the_mean_of_the_single_ones(tabular):
    frame, _ = rows(40)
    found = dict(explain.importance(tabular["lightgbm"], TABLE, frame))
    single = [
        {p.name: abs(p.contribution) for p in explain.one(tabular["lightgbm"], TABLE, row).parts}
        for row in frame.to_dict("records")
    ]
    for name, size in found.items():
        assert size == pytest.approx(np.mean([one.get(name, 0) for one in single]))


def test_a_summary_holds_plain_values_on_at_most_500_rows(texts):
    import json

    kept = explain.summary(texts["bayes"], TEXT, HAM * 200)
    assert (kept["rows"], kept["scale"]) == (500, "log-odds")
    assert json.loads(json.dumps(kept)) == kept
    assert kept["features"][0]["importance"] > 0


@pytest.fixture(scope="module")
def network():
    frame, target = rows(120)
    return fitted(preprocessing(), MLPClassifier((4,), max_iter=30, random_state=1), frame, target)


def test_a_model_without_exact_contributions_says_what_to_install(network):
    with pytest.raises(InexactError, match="MLPClassifier.*requirements-explain.txt"):
        explain.one(network, TABLE, {"age": 60.0, "chol": None, "sex": "m"})
    assert "MLPClassifier" in explain.summary(network, TABLE, rows(20)[0])["why"]


def test_another_model_is_asked_with_inputs_left_out(network):
    """Two orders of three inputs stand in for all: the port needs no more than a fair share."""

    def in_order(game, n):
        steps = np.tril(np.ones((n + 1, n), dtype=bool), -1)
        values = game(steps)
        return float(values[0]), np.diff(values)

    person, other = {"age": 60.0, "chol": None, "sex": "m"}, {"age": 30.0, "chol": 1.0, "sex": "f"}
    said = explain.one(network, TABLE, person, sampler=in_order, background=[other])
    adds_up(said, "network")
    right_score(said, "network")
    unknown = network.predict_proba(inputs.frame(TABLE, [other]))[0, 1]
    assert said.base == pytest.approx(unknown)


def test_preprocessing_that_mixes_inputs_is_not_taken_apart(tabular):
    from sklearn.decomposition import PCA

    frame, target = rows(100)
    mixed = make_pipeline(preprocessing(), PCA(2))
    pipeline = fitted(mixed, LogisticRegression(), frame, target)
    with pytest.raises(InexactError, match="PCA mixes inputs"):
        explain.one(pipeline, TABLE, {"age": 1.0, "chol": 1.0, "sex": "f"})


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=10, early_stopping=False),
        RandomForestClassifier(max_depth=5, **TREES),
        LGBMClassifier(verbose=-1, min_child_samples=5, **TREES),
    ],
)
def test_a_bare_model_that_reads_missing_values_itself_adds_up(model):
    frame, target = rows()
    numbers = frame[["age", "chol"]]
    model.fit(numbers.to_numpy(), target)
    signature = {**TABLE, "input": {"features": TABLE["input"]["features"][:2]}}
    for row in numbers.head(40).to_dict("records"):
        said = explain.one(model, signature, row)
        adds_up(said, "bare")
        right_score(said, "bare")
