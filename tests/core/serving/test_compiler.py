"""A plan answers as its pipeline does, or there is none."""

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from core import specs
from core.datasets import schema
from core.errors import InvalidInputError
from core.serving import plans
from core.serving.compiler import NoPlan, attempt, compile_pipeline, likely, parity
from core.serving.plans.format import unpacked
from core.specs import Candidate
from core.training import pipelines
from core.training.data import signature

TEXT = """
name: t
title: T
task: text
target: {column: y, positive: spam, negative: ham}
input: {text: message}
candidates: [{kind: complement_nb}]
"""
TABLE = """
name: t
title: T
task: tabular
target: {column: y, positive: "yes", negative: "no"}
input:
  features:
    - {name: age, type: numeric}
    - {name: income, type: numeric}
    - {name: town, type: category}
candidates: [{kind: logistic_regression}]
"""
NUMBERS = TABLE.replace("    - {name: town, type: category}\n", "")
WORDS = [
    "free",
    "prize",
    "call",
    "now",
    "hello",
    "dear",
    "friend",
    "lunch",
    "café",
    "£100",
    "winner",
    "meeting",
]
TOWNS = ["Ulm", "Köln", "北京", None, *(f"hamlet {i}" for i in range(60))]


def texts(rng, rows=300):
    found = []
    for _ in range(rows):
        spam = rng.random() < 0.4
        words = rng.choice(WORDS[:5] if spam else WORDS[4:], size=rng.integers(3, 12))
        found.append((" ".join(words), "spam" if spam else "ham"))
    return pd.DataFrame(found, columns=["message", "y"])


def table(rng, rows=300):
    age, income = rng.normal(50, 15, rows), rng.lognormal(8, 1, rows)
    yes = rng.random(rows) < 1 / (1 + np.exp(-(age - 50) / 10))
    age[rng.random(rows) < 0.1] = np.nan
    town = rng.choice(np.array(TOWNS, dtype=object), rows)
    y = np.where(yes, "yes", "no")
    return pd.DataFrame({"age": age, "income": income, "town": town, "y": y})


def numbers(rng, rows=300):
    """A table whose numbers were all there in training, so that no tree asks what is missing."""
    return table(rng, rows).drop(columns="town").fillna({"age": 50.0})


def fitted(text, frame, kind, **how):
    """Return the pipeline of one candidate, the signature, and its inputs as clients send them."""
    spec = specs.parse(text)
    frame = schema.conform(frame, spec)
    x, y = schema.inputs(frame, spec), frame["y"].to_numpy()
    features = pipelines.features(spec)
    model = pipelines.model(Candidate(kind=kind, **how), spec)
    pipeline = pipelines.assembled(features, model.fit(features.fit_transform(x), y))
    return pipeline, signature(spec), _as_sent(x)


def _as_sent(x):
    if isinstance(x, list):
        return x
    return [{k: v if v == v else None for k, v in row.items()} for row in x.to_dict("records")]


FITS = {
    "logistic_regression": {},
    "complement_nb": {},
    "linear_svm": {},
    "random_forest": {"parameters": {"n_estimators": 20}},
    "gradient_boosting": {"parameters": {"max_iter": 20}},
    "xgboost": {"parameters": {"n_estimators": 20}},
    "lightgbm": {"parameters": {"n_estimators": 20}},
}
CASES = [
    *((TEXT, texts, kind) for kind in FITS if kind != "gradient_boosting"),
    *((TABLE, table, kind) for kind in FITS if kind != "complement_nb"),
    *((NUMBERS, numbers, kind) for kind in ("random_forest", "xgboost", "lightgbm")),
]


@pytest.mark.parametrize(("text", "rows", "kind"), CASES)
def test_every_kind_of_model_has_a_plan_that_agrees_with_it(text, rows, kind):
    pipeline, sign, known = fitted(text, rows(np.random.default_rng(1)), kind, **FITS[kind])
    plan = plans.decode(plans.encode(compile_pipeline(pipeline, sign)))
    assert parity.check(pipeline, plan, sign, known) <= parity.TOLERANCE


@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("kind", ["logistic_regression", "random_forest", "lightgbm"])
def test_calibrated_models_have_one_too(kind, calibration):
    frame = table(np.random.default_rng(2))
    pipeline, sign, known = fitted(TABLE, frame, kind, calibration=calibration, **FITS[kind])
    parity.check(pipeline, compile_pipeline(pipeline, sign), sign, known)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=strategies.integers(0, 2**32 - 1),
    case=strategies.sampled_from(CASES),
    rows=strategies.integers(60, 400),
)
def test_random_pipelines_agree_with_their_plans_on_hard_rows(seed, case, rows):
    text, made, kind = case
    pipeline, sign, known = fitted(
        text, made(np.random.default_rng(seed), rows), kind, **FITS[kind]
    )
    parity.check(pipeline, compile_pipeline(pipeline, sign), sign, known)


@pytest.mark.parametrize(("text", "rows", "kind"), CASES)
def test_without_real_rows_a_plan_is_checked_on_rows_that_it_suggests(text, rows, kind):
    pipeline, sign, _ = fitted(text, rows(np.random.default_rng(4)), kind, **FITS[kind])
    plan, note = attempt(pipeline, sign)
    assert plan is not None, note
    suggested = likely.rows(plans.decode(plan), sign)
    assert len({str(row) for row in suggested}) > likely.ROWS / 2
    assert len(set(pipeline.predict(parity.as_inputs(suggested, sign)))) == 2


def test_a_bent_plan_shows_on_the_rows_that_it_suggests():
    frame = table(np.random.default_rng(5))
    pipeline, sign, _ = fitted(TABLE, frame, "random_forest", **FITS["random_forest"])
    plan = compile_pipeline(pipeline, sign)
    moved = [[edge + 1e-9 for edge in unpacked(edges)] for edges in plan.head.thresholds]
    bent = msgspec.structs.replace(plan, head=msgspec.structs.replace(plan.head, thresholds=moved))
    with pytest.raises(NoPlan, match="differs from the pipeline by up to"):
        parity.check(pipeline, bent, sign, likely.rows(plan, sign))


def test_a_plan_that_answers_otherwise_is_not_kept():
    pipeline, sign, known = fitted(TEXT, texts(np.random.default_rng(3)), "logistic_regression")
    plan = compile_pipeline(pipeline, sign)
    bent = msgspec.structs.replace(
        plan, head=msgspec.structs.replace(plan.head, bias=[plan.head.bias[0] + 1e-4])
    )
    with pytest.raises(NoPlan, match="differs from the pipeline by up to"):
        parity.check(pipeline, bent, sign, known)


def test_the_hard_rows_hold_missing_unknown_extreme_empty_and_foreign_values():
    frame = table(np.random.default_rng(4))
    _pipeline, sign, known = fitted(TABLE, frame, "logistic_regression")
    rows = parity.hard_rows(sign, known)
    ages, towns = {row["age"] for row in rows}, {row["town"] for row in rows}
    assert len(rows) >= 2_000
    assert {None, 1e30, -1e30} <= ages
    assert {None, ""} <= towns
    assert any(town and not town.isascii() and town not in TOWNS for town in towns)


def test_a_pipeline_of_another_make_has_no_plan():
    pipeline, sign, _known = fitted(TABLE, table(np.random.default_rng(5)), "logistic_regression")
    pipeline.steps[0] = ("scaling", pipeline.steps[0][1])
    with pytest.raises(NoPlan, match="not features and a model"):
        compile_pipeline(pipeline, sign)


def test_the_same_pipeline_gives_the_same_bytes():
    made = [fitted(TABLE, table(np.random.default_rng(6)), "random_forest")[:2] for _ in range(2)]
    first, second = (plans.encode(compile_pipeline(*one)) for one in made)
    assert first == second


@pytest.mark.parametrize("content", [b"", b"\x00", b"{}", b"\x81\xa7classes\x01"])
def test_what_is_no_plan_is_refused(content):
    with pytest.raises(InvalidInputError, match="this is no plan"):
        plans.decode(content)


def test_an_attempt_says_what_serves_and_why():
    pipeline, sign, known = fitted(TEXT, texts(np.random.default_rng(7)), "complement_nb")
    content, words = attempt(pipeline, sign, known)
    assert plans.decode(content).classes == ("ham", "spam")
    assert words.startswith("a compiled plan, within ")
    pipeline.steps[0][1].analyzer = "char"
    assert attempt(pipeline, sign, known) == (None, "scikit-learn: another analyzer")
    del pipeline.steps[1][1].feature_log_prob_
    pipeline.steps[0][1].analyzer = "word"
    assert attempt(pipeline, sign, known)[1].endswith("AttributeError while compiling")


def test_a_plan_of_an_older_version_with_its_thresholds_in_lists_answers_the_same():
    rng = np.random.default_rng(3)
    pipeline, signature, known = fitted(NUMBERS, numbers(rng), "lightgbm")
    plan = compile_pipeline(pipeline, signature)
    lists = [unpacked(edges) for edges in plan.head.thresholds]
    older = msgspec.structs.replace(plan, head=msgspec.structs.replace(plan.head, thresholds=lists))
    runners = [plans.runner(plans.decode(plans.encode(one))) for one in (plan, older)]
    one, other = (found.probabilities(known[:50]) for found in runners)
    assert one == other
    assert all(isinstance(edges, bytes) for edges in plan.head.thresholds)
