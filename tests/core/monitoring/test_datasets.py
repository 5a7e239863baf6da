import shutil

import numpy as np
import pytest

from core import specs
from core.datasets import versions
from core.errors import InvalidInputError, NotFoundError
from core.monitoring import datasets
from core.settings import ROOT
from tests.core.datasets.test_versions import messages
from tests.fakes.watched import TABLE, be_quick, hearts


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def load(db, settings, ana, monkeypatch):
    be_quick(monkeypatch)
    specs.apply(db, ana, TABLE)
    specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text())

    def keep(frame, model="heart"):
        return versions.load(db, ana, settings, model, frame=frame).id

    return keep


def test_two_versions_side_by_side_tell_columns_counts_classes_and_drift(db, settings, load):
    before = hearts(400, seed=1)
    after = hearts(300, seed=2, older=12).drop(columns="pain").assign(pulse=80.0)
    found = datasets.compare(db, settings, load(before), load(after))
    assert {one.name: one.change for one in found.sides.columns} == {
        "age": "same",
        "pain": "removed",
        "ill": "same",
        "pulse": "added",
    }
    assert found.sides.rows == (400, 300)
    assert (found.drift[0]["column"], found.p_value < 0.02) == ("age", True)
    assert "Drift in 1 column, most in 'age'" in found.sentence


def test_versions_drawn_alike_show_no_drift(db, settings, load):
    found = datasets.compare(db, settings, load(hearts(400, seed=1)), load(hearts(400, seed=3)))
    assert found.sentence.startswith("No drift.")
    assert all(row["distance"] < 0.15 for row in found.drift)


def test_a_column_that_became_words_is_another_type(db, settings, load):
    words = hearts(400, seed=1).assign(age=np.resize(["old", "young"], 400))
    found = datasets.compare(db, settings, load(hearts(400, seed=1)), load(words))
    assert next(one.change for one in found.sides.columns if one.name == "age") == "another type"


def test_texts_and_labels_of_a_text_model_are_both_compared(db, settings, load):
    other = messages(600)
    other.loc[::3, "message"] = [f"claim your prize {i} now" for i in range(200)]
    found = datasets.compare(db, settings, load(messages(600), "sms_spam"), load(other, "sms_spam"))
    assert [row["column"] for row in found.drift] == ["message", "label"]
    assert "claim" in found.drift[0]["detail"]


def test_what_cannot_be_compared_is_said(db, settings, load):
    heart, spam = load(hearts(400, seed=1)), load(messages(), "sms_spam")
    for pair, error in (
        ((heart, spam), InvalidInputError),
        ((heart, heart), InvalidInputError),
        ((heart, "x"), NotFoundError),
    ):
        with pytest.raises(error):
            datasets.compare(db, settings, *pair)
