from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from core import specs
from core.settings import ROOT
from core.specs.document import Metric
from core.training import evaluation

SPEC = specs.parse((ROOT / "specs" / "sms_spam.yaml").read_text())
HEART = specs.parse((ROOT / "specs" / "heart_disease.yaml").read_text())


def messages(n, *, copies=1):
    texts = [f"message {i // copies}" for i in range(n)]
    return pd.DataFrame(
        {"message": texts, "label": ["spam" if i // copies % 5 == 0 else "ham" for i in range(n)]}
    )


def test_the_test_set_has_its_share_of_each_class():
    frame = messages(1000)
    test = evaluation.held_out(frame, SPEC)
    assert frame[test]["label"].value_counts().to_dict() == {"ham": 160, "spam": 40}


def test_repeated_texts_never_cross_the_border_whatever_their_case_and_spacing():
    frame = messages(1000, copies=4)
    frame.loc[1::4, "message"] = frame.loc[1::4, "message"].str.upper() + "  "
    test = evaluation.held_out(frame, SPEC)
    train, held = frame[~test], frame[test]
    assert evaluation.overlap(train, held, SPEC) == 0
    assert 190 <= len(held) <= 200


def test_a_text_with_both_labels_stays_on_one_side():
    frame = pd.concat([messages(500), messages(500).assign(label="ham")], ignore_index=True)
    test = evaluation.held_out(frame, SPEC)
    assert evaluation.overlap(frame[~test], frame[test], SPEC) == 0


def test_rows_keep_their_side_when_others_are_added_or_shuffled():
    frame = messages(1000)
    sides = dict(zip(frame["message"], evaluation.held_out(frame, SPEC), strict=True))
    more = messages(1100).sample(frac=1, random_state=1).reset_index(drop=True)
    moved = [
        text
        for text, side in zip(more["message"], evaluation.held_out(more, SPEC), strict=True)
        if text in sides and side != sides[text]
    ]
    assert len(moved) < 20


def test_another_seed_is_another_split():
    other = SPEC.model_copy(update={"seed": 7})
    frame = messages(1000)
    assert (evaluation.held_out(frame, SPEC) != evaluation.held_out(frame, other)).sum() > 100


def test_folds_are_even_stratified_and_keep_repetitions_together():
    frame = messages(1000, copies=2)
    fold = evaluation.folds(frame, SPEC)
    spam = (frame["label"] == "spam").to_numpy()
    assert [int((fold == f).sum()) for f in range(5)] == [200] * 5
    assert [int((spam & (fold == f)).sum()) for f in range(5)] == [40] * 5
    assert (fold[0::2] == fold[1::2]).all()


def test_patients_that_agree_in_every_feature_stay_together():
    rows = {f.name: [float(i // 2 % 50)] for f in HEART.input.features for i in [0]}
    one = pd.DataFrame(rows).assign(num="healthy")
    many = pd.concat([one.assign(age=float(i // 2)) for i in range(200)], ignore_index=True)
    many["num"] = ["healthy", "disease"] * 100
    test = evaluation.held_out(many, HEART)
    assert (test[0::2] == test[1::2]).all()
    assert test.any()


def test_figures_agree_with_counting_by_hand():
    truth = np.array([True] * 4 + [False] * 6)
    probability = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.3, 0.2, 0.1, 0.1, 0.0])
    found = evaluation.measure(truth, probability, probability > 0.5)
    assert found["confusion"] == {"tp": 3, "fp": 1, "fn": 1, "tn": 5}
    assert (found["accuracy"], found["precision"], found["recall"], found["f1"]) == (
        0.8,
        0.75,
        0.75,
        0.75,
    )
    assert found["roc_auc"] == pytest.approx(21.5 / 24)
    assert found["brier"] == pytest.approx(np.mean((probability - truth) ** 2))


def test_every_figure_lies_in_its_interval_and_everything_is_json():
    import json

    rng = np.random.default_rng(3)
    truth = rng.random(400) < 0.3
    probability = np.clip(truth * 0.4 + rng.random(400) * 0.6, 0, 1)
    found = evaluation.measure(truth, probability, probability > 0.5)
    for name, (low, high) in found["intervals"].items():
        assert 0 <= low <= found[name] <= high <= 1
    assert len(found["roc"]) <= evaluation.CURVE_POINTS
    assert found["roc"][0] == [0, 0]
    assert found["roc"][-1] == [1, 1]
    json.dumps(found, allow_nan=False)


def test_a_model_that_never_says_positive_has_figures_too():
    found = evaluation.measure(
        np.array([True, False]), np.array([0.1, 0.1]), np.array([False, False])
    )
    assert (found["precision"], found["recall"], found["f1"]) == (0, 0, 0)
    assert found["intervals"]["precision"] == [0.0, 1.0]


def test_slices_are_the_large_parts_by_class_length_and_category():
    frame = messages(500)
    frame["message"] += [" and more" * (i % 7) for i in range(500)]
    lengths, classes = {"short texts", "long texts"}, {"label is ham", "label is spam"}
    assert set(evaluation.slices(frame, SPEC)) == lengths | classes
    assert set(evaluation.slices(frame, SPEC, classes=False)) == lengths
    assert evaluation.slices(frame.head(20), SPEC) == {}


NUMBERS = """
name: sizes
title: Sizes
task: tabular
target: {column: y, positive: "yes", negative: "no"}
input: {features: [{name: a, type: numeric}, {name: b, type: numeric}, {name: c, type: numeric}]}
candidates: [{kind: logistic_regression}]
"""


def sizes(n):
    a = np.arange(n, dtype=float)
    b = np.where(a < n // 4, 1.0, 0.0)
    return pd.DataFrame({"a": a, "b": b, "c": np.nan, "y": np.where(a % 2, "yes", "no")})


def test_slices_are_the_low_and_high_values_of_the_first_two_numeric_features():
    found = evaluation.slices(sizes(300), specs.parse(NUMBERS), classes=False)
    assert set(found) == {
        "lowest third of a",
        "highest third of a",
        "highest third of b",  # nothing lies below its most common value
    }
    assert list(found["lowest third of a"]) == list(range(100))
    assert list(found["highest third of b"]) == list(range(75))


def test_a_missing_number_is_in_no_third():
    frame = sizes(300).assign(a=np.nan, b=lambda f: f["c"])
    assert evaluation.slices(frame, specs.parse(NUMBERS), classes=False) == {}


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60), digits=st.integers(1, 17))
def test_every_metric_is_scikit_learns_own(seed, n, digits):
    rng = np.random.default_rng(seed)
    truth, probability = rng.random(n) < rng.random(), rng.random(n).round(digits)
    truth[:2] = True, False
    said = evaluation.predicted(probability, SPEC, rng.random())
    expected = {
        "accuracy": metrics.accuracy_score(truth, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, said),
        "f1": metrics.f1_score(truth, said, zero_division=0),
        "precision": metrics.precision_score(truth, said, zero_division=0),
        "recall": metrics.recall_score(truth, said, zero_division=0),
        "roc_auc": metrics.roc_auc_score(truth, probability),
        "brier": metrics.brier_score_loss(truth, probability),
    }
    assert evaluation.scores(truth, probability, said) == pytest.approx(expected, abs=1e-12)
    told = evaluation.measure(truth, probability, said)
    expected["log_loss"] = metrics.log_loss(truth, probability)
    assert {name: told[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_every_metric_a_spec_may_name_is_measured():
    truth = np.array([True, False])
    measured = evaluation.scores(truth, np.array([0.9, 0.2]), truth)
    assert set(measured) == set(get_args(Metric))
    assert [name for name in measured if evaluation.better(name) < 0] == ["brier"]
