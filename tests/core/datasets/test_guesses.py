import pandas as pd
import pytest

from core.datasets import failures, guesses, schema, spelling, uploads


@pytest.mark.parametrize(
    ("values", "positive"),
    [
        (["no"] * 3 + ["yes"] * 9, "yes"),
        (["No"] * 9 + ["Yes"] * 3, "Yes"),
        ([0.0] * 3 + [1.0] * 9, "1"),
        (["false", "true", "true"], "true"),
        (["ham"] * 2 + ["spam"] * 8, "spam"),
        (["legit", "fraud", "fraud"], "fraud"),
        (["red"] * 5 + ["blue"] * 2, "blue"),
        (["no"] * 2 + ["maybe"] * 7, "maybe"),
        (["no", "none", "none"], "no"),
        ([None, None], None),
    ],
)
def test_the_value_to_find_is_the_one_a_person_means(values, positive):
    assert guesses.likely_positive(pd.DataFrame({"y": values}), "y") == positive


def test_the_column_to_predict_is_the_last_of_few_words_unless_one_is_called_label():
    frame = pd.DataFrame(
        {
            "label": ["a", "b", "c"] * 20,
            "id": [f"x{i}" for i in range(60)],
            "age": [float(i % 40) for i in range(60)],
            "sick": ["yes", "no"] * 30,
            "size": [1.0, 2.0] * 30,
        }
    )
    assert guesses.targets(schema.infer(frame)) == ["label", "sick", "size", "age"]


def test_columns_of_dates_are_left_out_of_an_uploads_features():
    frame = pd.DataFrame(
        {"day": ["31.01.2026"] * 4, "seen": ["2026-01-31 10:00"] * 4, "n": [1.0] * 4}
    )
    assert uploads.inferred_types(frame) == {"day": "ignore", "seen": "ignore", "n": "numeric"}


def test_labels_that_differ_in_case_or_spaces_are_folded_to_the_commonest():
    frame = pd.DataFrame({"y": ["spam", "Spam ", "SPAM", "spam", "ham", None]})
    words = spelling.variants(frame["y"].dropna())
    assert words == {"Spam": "spam", "SPAM": "spam"}
    assert spelling.mended(frame, "y", words)["y"].tolist()[:5] == ["spam"] * 4 + ["ham"]


def test_a_file_of_failing_rows_runs_nothing_in_a_spreadsheet():
    rows = pd.DataFrame({"row": [1], "text": ["=HYPERLINK(1)"], "n": [-1.0]})
    assert failures.as_csv(rows) == b"row,text,n\n1,'=HYPERLINK(1),-1.0\n"
