import warnings

import numpy as np
import pandas as pd
import pytest

from core.datasets import schema
from core.errors import InvalidInputError
from core.specs import Candidate
from core.training import evaluation, pipelines
from tests import candidates_kit as kit


@pytest.mark.parametrize(("shape", "kind"), kit.CASES)
def test_every_candidate_learns_what_there_is_to_learn(shape, kind):
    if shape == "text":
        rows = kit.frame()
        rows["y"] = np.where(rows["note"].str.contains("prize"), "yes", "no")
    else:
        rows = kit.frame()
    pipeline = kit.trained(shape, kind, rows)
    column = evaluation.positive_column(pipeline.classes_, kit.spec_of(shape, kind))
    probability = pipeline.predict_proba(kit.inputs(shape, rows))[:, column]
    truth = (rows["y"] == "yes").to_numpy()
    assert evaluation.scores(truth, probability, probability > 0.5)["accuracy"] > 0.7


@pytest.mark.parametrize(
    "kind", ["logistic_regression", "gradient_boosting", "xgboost", "lightgbm"]
)
def test_balanced_weights_find_more_of_a_rare_class(kind):
    rows = kit.frame(600)
    rows["y"] = np.where(rows["age"] + np.random.default_rng(1).normal(0, 8, 600) > 65, "yes", "no")
    x = kit.inputs("tabular", rows)
    plain, balanced = (
        kit.trained("tabular", kind, rows, class_weight=weight).predict_proba(x)[:, 1].mean()
        for weight in ("none", "balanced")
    )
    assert balanced > 1.5 * plain


@pytest.mark.parametrize("kind", ["xgboost", "lightgbm"])
def test_boosted_trees_stop_where_more_of_them_do_not_help(kind):
    rows, spec = kit.frame(400), kit.spec_of("tabular", kind)
    x = pipelines.features(spec).fit_transform(kit.inputs("tabular", rows))
    model = pipelines.model(Candidate(kind=kind), spec).fit(x, rows["y"].to_numpy())
    assert 1 <= model.n_trees_ < 150


@pytest.mark.parametrize("shape", ["tabular", "mixed"])
@pytest.mark.parametrize("kind", ["logistic_regression", "xgboost", "lightgbm"])
def test_empty_and_constant_columns_are_learnt_around(shape, kind):
    rows = kit.frame()
    rows["pulse"], rows["sex"], rows["note"] = np.nan, None, ""
    rows["sex"] = rows["sex"].astype(object)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline = kit.trained(shape, kind, rows)
    asked = kit.inputs(shape, kit.frame(20).assign(sex="never seen"))
    assert np.isfinite(pipeline.predict_proba(asked)).all()


def test_a_text_beside_numbers_is_read_by_its_words():
    rows = kit.frame()
    rows["y"] = np.where(rows["note"].str.contains("prize"), "yes", "no")
    pipeline = kit.trained("mixed", "logistic_regression", rows)
    asked = kit.inputs("mixed", rows.head(2).assign(note=["a prize for you", "see you"]))
    likely, unlikely = pipeline.predict_proba(asked)[:, 1]
    assert likely > 0.5 > unlikely


def test_gradient_boosting_says_which_candidates_read_text():
    with pytest.raises(InvalidInputError, match="take lightgbm or xgboost"):
        pipelines.model(
            Candidate(kind="gradient_boosting"), kit.spec_of("mixed", "gradient_boosting")
        )


def test_boosted_trees_refuse_rows_of_one_class():
    spec = kit.spec_of("tabular", "lightgbm")
    with pytest.raises(InvalidInputError, match="both classes"):
        pipelines.model(Candidate(kind="lightgbm"), spec).fit(np.eye(3), ["no"] * 3)


def test_numbers_too_large_to_reckon_with_are_refused_by_column():
    rows = kit.frame().assign(age=1e308)
    with pytest.raises(InvalidInputError, match="Column age should hold numbers"):
        schema.conform(rows, kit.spec_of("tabular", "lightgbm"))


def test_a_missing_text_beside_numbers_keeps_its_row():
    rows = kit.frame(3).assign(note=["  ", None, "Hello"])
    conformed = schema.conform(rows, kit.spec_of("mixed", "lightgbm"))
    assert list(conformed["note"]) == ["", "", "Hello"]
    pd.testing.assert_frame_equal(
        schema.conform(conformed, kit.spec_of("mixed", "lightgbm")), conformed
    )


def test_rows_that_differ_in_the_case_of_a_text_only_are_the_same():
    spec = kit.spec_of("mixed", "lightgbm")
    rows = schema.conform(kit.frame(1).assign(note="Hello  you"), spec)
    again = rows.assign(note="hello you")
    assert schema.row_keys(rows, spec) == schema.row_keys(again, spec)
    assert schema.row_keys(rows, spec) != schema.row_keys(rows.assign(note="bye"), spec)


def test_a_class_with_too_few_rows_for_the_folds_is_named():
    spec = kit.spec_of("tabular", "lightgbm")
    rows = schema.conform(kit.frame(60).assign(y=["yes"] * 4 + ["no"] * 56), spec)
    with pytest.raises(InvalidInputError, match="Only 4 different rows to learn from are yes"):
        evaluation.folds(rows, spec)


def test_parts_of_a_test_set_tell_rows_without_a_text_apart():
    spec = kit.spec_of("mixed", "lightgbm")
    names = evaluation.slices(schema.conform(kit.frame(), spec), spec, classes=False)
    assert {"note is empty", "note is given"} <= set(names)
