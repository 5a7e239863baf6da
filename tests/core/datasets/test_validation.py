import pandas as pd
import pytest

from core import specs
from core.datasets import validation
from core.settings import ROOT

TEXT = specs.parse((ROOT / "specs" / "sms_spam.yaml").read_text())
HEART = specs.parse((ROOT / "specs" / "heart_disease.yaml").read_text())


def messages(n=600, *, spam_every=5):
    texts = [f"message number {i}" for i in range(n)]
    labels = ["spam" if i % spam_every == 0 else "ham" for i in range(n)]
    return pd.DataFrame({"message": texts, "label": labels})


def patients(n=150):
    columns = {feature.name: [float(i % 7) for i in range(n)] for feature in HEART.input.features}
    return pd.DataFrame(columns | {"age": range(n), "num": [i % 3 for i in range(n)]})


def test_good_data_passes_without_a_word():
    for frame, spec in ((messages(), TEXT), (patients(), HEART)):
        report = validation.validate(frame, spec)
        assert report.ok
        assert report.problems == ()
    assert report.classes == {"disease": 100, "healthy": 50}


@pytest.mark.parametrize(
    ("frame", "spec", "sentence"),
    [
        (messages().drop(columns="label"), TEXT, "The data has no column label."),
        (messages().drop(columns="message"), TEXT, "The data has no column message."),
        (messages(0), TEXT, "The data has no rows."),
        (messages().assign(label="ham"), TEXT, "never says spam"),
        (messages().assign(label=None), TEXT, "Column label has no value in any row."),
        (messages().assign(message=None), TEXT, "Column message has no value in any row."),
        (messages().replace("spam", "junk"), TEXT, "holds 'junk', which is neither spam nor ham"),
        (messages(499), TEXT, "The data has 499 different rows; sms_spam needs 500."),
        (messages().assign(message="the same"), TEXT, "The data has 1 different rows"),
        (messages(600, spam_every=300), TEXT, "Only 2 rows are spam; 5 folds need 10."),
        (patients().assign(age="old"), HEART, "Column age should hold numbers, but 150"),
        (patients().assign(chol=float("inf")), HEART, "Column chol should hold numbers"),
        (patients(99), HEART, "heart_disease needs 100"),
        (patients(140), HEART, "leaves 28 test rows; heart_disease needs 30"),
    ],
)
def test_data_that_cannot_be_trained_on_is_rejected_in_words(frame, spec, sentence):
    report = validation.validate(frame, spec)
    assert not report.ok
    assert sentence in report.sentence
    assert report.to_dict()["sentence"] == report.sentence


@pytest.mark.parametrize(
    ("frame", "spec", "sentence"),
    [
        (messages(1300, spam_every=100), TEXT, "Only 1.0% of the rows are spam."),
        (pd.concat([messages()] * 3), TEXT, "67% of the rows repeat another one."),
        (
            pd.concat([messages(), messages().head(3).assign(label="spam")]),
            TEXT,
            "2 inputs occur with both",
        ),
        (
            pd.concat([messages(), messages().head(4).assign(label=None)]),
            TEXT,
            "4 rows without a target or",
        ),
        (
            patients().assign(ca=[None] * 100 + [1.0] * 50),
            HEART,
            "Column ca is missing in 67% of the rows.",
        ),
    ],
)
def test_data_with_a_weakness_passes_with_a_warning(frame, spec, sentence):
    report = validation.validate(frame, spec)
    assert report.ok
    assert [problem.severity for problem in report.problems] == ["warning"]
    assert sentence in report.problems[0].sentence


def test_every_wrong_column_is_named_not_only_the_first():
    report = validation.validate(patients().assign(age="old", chol="high"), HEART)
    assert [problem.column for problem in report.problems] == ["age", "chol"]


@pytest.mark.parametrize(
    ("frame", "spec", "sentence"),
    [
        (messages().rename(columns={"label": "Label"}), TEXT, "Rename Label to label?"),
        (messages().replace("spam", "Spam"), TEXT, "'Spam' (120 rows): did you mean 'spam'?"),
        (messages().replace("spam", "spma"), TEXT, "did you mean 'spam'?"),
        (
            messages().assign(label=[f"class {i}" for i in range(600)]),
            TEXT,
            "It has 600 other values: is it the right column to predict?",
        ),
        (patients().assign(age="2026-01-31"), HEART, "A model reads no dates: give a number"),
        (patients().assign(age=["old"] + [1.0] * 149), HEART, "Correct or empty them"),
        (
            pd.concat([messages(), messages()[["label"]]], axis=1),
            TEXT,
            "Two columns are named label: rename or remove one",
        ),
    ],
)
def test_bad_data_is_told_with_how_to_mend_it(frame, spec, sentence):
    report = validation.validate(frame, spec)
    assert not report.ok
    assert sentence in report.sentence


def test_a_label_with_spaces_around_it_is_that_label():
    frame = messages().replace("spam", " spam ")
    assert validation.validate(frame, TEXT).problems == ()


def test_the_rows_that_cannot_be_read_are_named():
    frame = patients().assign(age=[1.0] * 5 + ["old"] * 3 + [2.0] * 142)
    (problem,) = validation.validate(frame, HEART).problems
    assert (problem.rows, problem.where) == (3, (5, 6, 7))


def test_a_category_of_dates_or_of_almost_only_numbers_is_a_warning():
    odd = patients().assign(
        cp=[f"2026-01-{1 + i % 28:02d}" for i in range(150)],
        thal=[str(i) if i else "unknown" for i in range(150)],
    )
    report = validation.validate(odd, HEART)
    assert report.ok
    assert [(one.column, one.severity) for one in report.problems] == [
        ("cp", "warning"),
        ("thal", "warning"),
    ]


def test_a_class_that_is_misspelt_among_the_rest_is_a_warning():
    spec = TEXT.model_copy(update={"target": TEXT.target.model_copy(update={"rest": True})})
    frame = messages()
    frame.loc[:3, "label"] = "Spam"
    assert "did you mean 'spam'?" in validation.validate(frame, spec).problems[0].sentence


def test_many_errors_are_told_shortly():
    report = validation.validate(patients().drop(columns=["age", "cp", "chol", "thal"]), HEART)
    assert "1 more problem is in the report." in report.sentence
