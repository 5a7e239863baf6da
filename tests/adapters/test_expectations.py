"""One contract for everything that judges expectations: the library and our own light rules."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from core.adapters.expectations import GreatExpectations
from core.datasets.expectations import Expectation
from core.datasets.rules import PlainValidator

N = 300
ODD = ["1", " 2 ", "1e5", "1e999", "0x1F", "1_0", "inf", "NaN", "", "  ", "true", "old", None]
EXPECTATIONS = (
    Expectation("present", "age", severity="hard"),
    Expectation("present", "absent", severity="hard"),
    Expectation("between", "absent", {"low": 0, "high": 1, "mostly": 1}),
    Expectation("rows_at_least", None, {"rows": N}),
    Expectation("rows_at_least", None, {"rows": N + 1}),
    Expectation("number", "age"),
    Expectation("number", "odd"),
    Expectation("number", "infinite"),
    Expectation("between", "age", {"low": 10, "high": 40, "mostly": 0.9}),
    Expectation("between", "age", {"low": 10, "high": 40, "mostly": 0.5}),
    Expectation("between", "odd", {"low": 0, "high": 3, "mostly": 1}),
    Expectation("in_set", "code", {"values": ["1", "2"], "mostly": 0.99}),
    Expectation("in_set", "label", {"values": ["ham", "spam"], "mostly": 1}),
    Expectation("length_between", "text", {"low": 3, "high": 7, "mostly": 0.5}),
    Expectation("length_between", "text", {"low": 0, "high": 99, "mostly": 1}),
    Expectation("missing_at_most", "age", {"share": 0.1}),
    Expectation("missing_at_most", "age", {"share": 0.09}),
    Expectation("missing_at_most", "odd", {"share": 0.0}),
    Expectation("missing_at_most", "nothing", {"share": 1.0}),
    Expectation("between", "nothing", {"low": 0, "high": 1, "mostly": 1}),
    Expectation("share_between", "nothing", {"value": "a", "low": 0.5, "high": 1}),
    Expectation("distinct_at_least", "code", {"values": 3}),
    Expectation("distinct_at_least", "code", {"values": 4}),
    Expectation("duplicates_at_most", None, {"share": 0.0}),
    Expectation("duplicates_at_most", None, {"share": 0.9}),
    Expectation("share_between", "label", {"value": "spam", "low": 0.1, "high": 0.2}),
    Expectation("share_between", "label", {"value": "spam", "low": 0.3, "high": 0.5}),
    Expectation("share_between", "age", {"value": "old", "above": 25, "low": 0, "high": 0.3}),
)


def table():
    frame = pd.DataFrame(
        {
            "age": [float(i % 50) if i % 10 else None for i in range(N)],
            "odd": (ODD * N)[:N],
            "infinite": [np.inf if i == 7 else 1.0 for i in range(N)],
            "code": [1.0, 2.0, 3.0] * (N // 3),
            "label": ["spam", "ham ", "ham", "Spam", None, "ham"] * (N // 6),
            "text": [None if i % 11 == 0 else "x" * (i % 9) for i in range(N)],
            "nothing": [None] * N,
        }
    )
    return pd.concat([frame.iloc[:-6], frame.head(6)], ignore_index=True)


PLAIN = PlainValidator().run(table(), EXPECTATIONS)


@pytest.fixture(scope="module", params=[GreatExpectations, PlainValidator])
def validator(request):
    return request.param()


@pytest.fixture(scope="module")
def found(validator):
    return validator.run(table(), EXPECTATIONS)


def test_both_validators_say_the_same_of_every_row(found):
    assert found == PLAIN
    assert [type(result.ok) for result in found] == [bool] * len(PLAIN)


def test_an_expectation_of_an_absent_column_is_left_out_but_its_absence_is_told(found):
    about_absent = [r for r in found if r.expectation.column == "absent"]
    assert [(r.expectation.kind, r.ok) for r in about_absent] == [("present", False)]


def test_failing_rows_are_named_by_position_the_first_hundred_of_them(validator):
    frame = pd.DataFrame({"age": [float(i) for i in range(250)]})
    one = Expectation("between", "age", {"low": 100, "high": 120, "mostly": 0.99})
    (result,) = validator.run(frame, [one])
    assert (result.ok, result.n_checked, result.n_failed) == (False, 250, 229)
    assert result.rows == tuple(range(100))


def test_a_share_exactly_on_its_bound_is_as_expected(validator):
    frame = pd.DataFrame({"age": [None] * 3 + [1.0] * 7})
    for share, ok in ((0.3, True), (0.29, False)):
        (result,) = validator.run(frame, [Expectation("missing_at_most", "age", {"share": share})])
        assert result.ok is ok


def test_a_table_without_rows_breaks_nothing(validator):
    found = validator.run(table().iloc[:0], EXPECTATIONS)
    assert [r.expectation.kind for r in found if not r.ok] == [
        "present",
        "rows_at_least",
        "rows_at_least",
        "distinct_at_least",
        "distinct_at_least",
    ]


def test_many_columns_are_judged_in_groups(monkeypatch):
    monkeypatch.setattr("core.adapters.expectations.MOST_CELLS", 3 * N)
    assert GreatExpectations().run(table(), EXPECTATIONS) == PLAIN


def test_the_library_is_not_loaded_by_what_merely_names_it():
    code = (
        "import sys, core.adapters.expectations as e, core.automation.runners, core.cli;"
        "e.GreatExpectations(); assert 'great_expectations' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
