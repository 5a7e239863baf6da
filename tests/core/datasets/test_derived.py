from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given as drawn
from hypothesis import settings as effort
from hypothesis import strategies as st

from core import features, specs
from core.datasets import derived, schema
from core.errors import InvalidInputError
from core.features import values
from core.features.definitions import Definition
from core.features.values import Given
from core.serving.features import Completion, Values
from tests.conftest import NOON

SPEC = """
name: shop
title: Shop
task: tabular
target: {column: y, positive: "yes", negative: "no"}
input:
  entity: customer
  at: seen
  features:
    - {name: price, type: numeric}
    - {name: spent, type: numeric, definition: spent@1}
    - {name: share, type: numeric, definition: share@1}
candidates: [{kind: logistic_regression}]
"""
DAY = timedelta(days=1)


@pytest.fixture
def shop(db, ana):
    features.define(db, ana, "spent", type="numeric", how="lookup", body="10", entity="customer")
    inputs = {"price": "numeric", "spent": "numeric"}
    features.define(
        db, ana, "share", type="numeric", how="expression", body="price / spent", inputs=inputs
    )
    return specs.apply(db, ana, SPEC)


def frame(*rows):
    columns = ["customer", "seen", "price", "y"]
    return pd.DataFrame([(*row, "yes") for row in rows], columns=columns)


def joined(db, spec, *rows):
    return [
        None if pd.isna(value) else value
        for value in derived.complete(db, frame(*rows), spec)["spent"]
    ]


def test_a_row_gets_the_newest_value_by_then_and_never_a_later_one(db, ana, shop):
    days = [(5, 50.0), (3, 30.0), (1, 10.0)]
    values.load(db, ana, [Given("spent", "c1", NOON - n * DAY, v) for n, v in days])
    moments = [NOON - 6 * DAY, NOON - 4 * DAY, NOON - 3 * DAY, NOON - 2 * DAY, NOON]
    rows = [("c1", moment.isoformat(), 1.0) for moment in moments]
    assert joined(db, shop, *rows) == [None, 50.0, 30.0, 30.0, 10.0]


def test_an_entity_without_history_or_a_name_has_no_value(db, ana, shop):
    values.load(db, ana, [Given("spent", "c1", NOON - DAY, 5.0)])
    rows = [("c2", NOON.isoformat(), 1.0), (None, NOON.isoformat(), 1.0), ("c1", None, 1.0)]
    assert joined(db, shop, *rows) == [None, None, None]


def test_a_value_that_is_too_old_does_not_count(db, ana, shop):
    values.load(db, ana, [Given("spent", "c1", NOON - 11 * DAY, 5.0)])
    rows = [("c1", (NOON - DAY).isoformat(), 1.0), ("c1", (NOON - DAY / 2).isoformat(), 1.0)]
    assert joined(db, shop, *rows) == [5.0, None]


def test_the_order_of_rows_stays_and_derived_columns_read_what_was_looked_up(db, ana, shop):
    values.load(db, ana, [Given("spent", c, NOON - DAY, v) for c, v in (("c1", 2.0), ("7", 4.0))])
    made = derived.complete(
        db, frame((7.0, NOON.isoformat(), 1), ("c1", NOON.isoformat(), 1)), shop
    )
    assert list(made["share"]) == [0.25, 0.5]
    assert list(schema.conform(made, shop).columns) == ["price", "spent", "share", "y"]


def test_completing_twice_changes_nothing_also_without_the_columns_behind_it(db, ana, shop):
    values.load(db, ana, [Given("spent", "c1", NOON - DAY, 2.0)])
    once = schema.conform(derived.complete(db, frame(("c1", NOON.isoformat(), 1)), shop), shop)
    pd.testing.assert_frame_equal(derived.complete(db, once, shop), once)


@pytest.mark.parametrize(("column", "words"), [("customer", "customer"), ("price", "price")])
def test_a_column_that_a_feature_needs_is_named_where_it_lacks(db, shop, column, words):
    with pytest.raises(InvalidInputError, match=f"no column {words}"):
        derived.complete(db, frame(("c1", NOON.isoformat(), 1)).drop(columns=column), shop)


def test_a_moment_that_is_none_is_named(db, shop):
    with pytest.raises(InvalidInputError, match="should hold dates"):
        derived.complete(db, frame(("c1", "soon", 1)), shop)


NUMBERS = st.recursive(
    st.sampled_from(["a", "b", "len(t)", "count(t, 'a')", "2", "0.5"]),
    lambda part: st.one_of(
        st.builds(
            "({} {} {})".format,
            part,
            st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<", ">=", "=="]),
            part,
        ),
        st.builds("{}({})".format, st.sampled_from(["abs", "log", "exp", "sqrt", "-"]), part),
        st.builds("({} if {} else {})".format, part, part, part),
        st.builds("min({}, {})".format, part, part),
    ),
    max_leaves=6,
)
FLOATS = st.one_of(st.none(), st.integers(-9, 9), st.floats(-1e30, 1e30))
TEXTS = st.one_of(
    st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=9)
)
ROWS = st.lists(
    st.fixed_dictionaries({"a": FLOATS, "b": FLOATS, "t": TEXTS}), min_size=1, max_size=8
)


@effort(max_examples=150, deadline=None)
@drawn(body=NUMBERS, rows=ROWS)
def test_training_and_serving_derive_the_same_from_any_row(body, rows):
    types = (("a", "numeric"), ("b", "numeric"), ("t", "text"))
    bound = {
        "x": Definition("x", 1, "numeric", "expression", f"{body} + 0 * len(t) + 0 * a", types)
    }
    frame = schema.plain(pd.DataFrame(rows, columns=["a", "b", "t"]))
    trained = [None if pd.isna(value) else value for value in derived.of_rows(frame, bound)["x"]]
    completion = Completion(bound)
    served = [
        completion.complete(row, reads=["x"], entity_id=None, known=Values(), now=NOON)["x"]
        for row in rows
    ]
    assert served == trained


@effort(max_examples=40, deadline=None)
@drawn(
    text=TEXTS, name=st.sampled_from(["text_length", "upper_share", "email_domain", "day_of_week"])
)
def test_registered_functions_yield_the_same_in_training_and_serving(text, name):
    type = features.definitions.functions.find(name).gives
    bound = {"x": Definition("x", 1, type, "function", name, (("t", "text"),))}
    (trained,) = derived.of_rows(schema.plain(pd.DataFrame({"t": [text]}, dtype="object")), bound)[
        "x"
    ]
    served = Completion(bound).complete(
        {"t": text}, reads=["x"], entity_id=None, known=Values(), now=NOON
    )["x"]
    assert served == (None if pd.isna(trained) else trained)
