"""What a model from elsewhere takes for granted about its inputs is asked before it is kept."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from core import specs
from core.errors import InvalidInputError
from core.training import foreign

SPEC = specs.parse(
    """
name: m
title: M
task: tabular
target: {column: y, positive: "yes", negative: "no"}
input: {features: [{name: sex, type: category}, {name: age, type: numeric}]}
candidates: [{kind: logistic_regression}]
"""
)


def rows(n=80):
    rng = np.random.default_rng(1)
    sex = rng.choice(np.array(["0", "1"], dtype=object), n)
    age = rng.normal(50, 10, n)
    y = np.where((sex == "1") ^ (rng.random(n) < 0.1), "yes", "no")
    return pd.DataFrame({"sex": sex, "age": age, "y": y})


def fitted(frame, columns=("sex",)):
    encoder = OneHotEncoder(handle_unknown="ignore")
    numbers = ("numbers", "drop", ["age"])
    features = ColumnTransformer([("words", encoder, list(columns)), numbers])
    return make_pipeline(features, LogisticRegression()).fit(frame[["sex", "age"]], frame["y"])


def test_a_model_that_knows_its_categories_as_numbers_is_refused_with_the_mending():
    frame = rows()
    model = fitted(frame.assign(sex=frame["sex"].astype(float)))
    with pytest.raises(InvalidInputError, match="fitted on numbers in sex; here categories are"):
        foreign.check(model, SPEC, frame)


def test_a_model_that_knows_them_as_texts_passes():
    foreign.check(fitted(rows()), SPEC, rows())


def test_a_model_that_looks_at_no_category_passes_too():
    frame = rows()
    features = ColumnTransformer([("numbers", SimpleImputer(), ["age"])])
    model = make_pipeline(features, LogisticRegression()).fit(frame[["sex", "age"]], frame["y"])
    foreign.check(model, SPEC, frame)
