import numpy as np
import pytest

from core.errors import InvalidInputError
from core.serving.scorer import Fitted, Scorer
from core.tables.entities import ModelVersion
from tests import candidates_kit as kit


class Fixed:
    """A pipeline that always gives one probability to the positive label."""

    def __init__(self, labels, column, probability):
        self.classes_ = np.array(labels)
        self._row = [1 - probability, 1 - probability]
        self._row[column] = probability

    def predict_proba(self, rows):
        return np.array([self._row for _ in range(len(rows))])


def version(positive="spam", threshold=None, features=None):
    given = {"features": features} if features else {"text": "message"}
    signature = {"task": "tabular" if features else "text", "input": given, "positive": positive}
    return ModelVersion(version="1.0.0", artifact="a", signature=signature, threshold=threshold)


@pytest.mark.parametrize(
    ("threshold", "probability", "label"),
    [
        (None, 0.4, "ham"),
        (None, 0.5, "ham"),  # the first label wins a tie
        (None, 0.6, "spam"),
        (0.3, 0.3, "ham"),
        (0.3, 0.4, "spam"),
        (0.7, 0.6, "ham"),
    ],
)
def test_the_label_follows_the_versions_threshold(threshold, probability, label):
    pipeline = Fixed(["ham", "spam"], 1, probability)
    row = version(threshold=threshold)
    (score,) = Scorer(Fitted(pipeline, row.signature), row).score(["hi"])
    assert score.label == label
    assert score.probability == probability
    assert score.confidence == score.probabilities[label]


def test_a_tie_goes_to_the_first_label_also_where_it_is_the_positive_one():
    row = version("disease", 0.3)
    scorer = Scorer(Fitted(Fixed(["disease", "healthy"], 0, 0.3), row.signature), row)
    assert scorer.score(["hi"])[0].label == "disease"


@pytest.fixture(scope="module")
def mixed():
    pipeline = kit.trained("mixed", "lightgbm")
    row = version("yes", features=kit.FEATURES["mixed"])
    return Scorer(Fitted(pipeline, row.signature), row)


def test_a_text_beside_numbers_is_empty_where_it_is_missing(mixed):
    checked = mixed.check({"age": 70})
    assert checked == {"age": 70, "pulse": None, "sex": None, "note": ""}
    assert mixed.score([checked])[0].label == "yes"


@pytest.mark.parametrize("wrong", [1, ["a"], "x" * 20_001, "a\x00b"])
def test_a_text_beside_numbers_must_be_a_text(mixed, wrong):
    with pytest.raises(InvalidInputError, match="note must be a text"):
        mixed.check({"note": wrong})


def test_a_number_too_large_to_reckon_with_is_refused(mixed):
    with pytest.raises(InvalidInputError, match="age must be a finite number"):
        mixed.check({"age": 1e308})
