import pandas as pd
import pytest

from app.shapes import BINS, MOST, OTHERS, shape


def test_numbers_share_their_bins_and_far_values_fall_into_the_last_one():
    before = pd.Series([float(value) for value in range(1000)])
    now = pd.concat([before, pd.Series([1e12])])
    found = shape(before, now)
    assert len(found.labels) == len(found.middles) == BINS
    assert sum(found.current) == pytest.approx(1)
    assert max(found.middles) < 1000


def test_a_number_of_few_values_has_a_bar_for_each():
    found = shape(pd.Series([0, 1, 1]), pd.Series([1, 2]))
    assert (found.labels, found.reference) == (["0", "1", "2"], [1 / 3, 2 / 3, 0.0])


def test_many_categories_end_in_all_others():
    found = shape(pd.Series([f"c{n}" for n in range(40)]), pd.Series(["c1"] * 5))
    assert (len(found.labels), found.labels[-1]) == (MOST + 1, OTHERS)
    assert sum(found.reference) == pytest.approx(1)


@pytest.mark.parametrize("values", [[], [None, None], [float("inf")]])
def test_a_column_with_nothing_to_draw_is_no_fault(values):
    found = shape(pd.Series(values, dtype=object), pd.Series(values, dtype=object))
    assert found.labels == []


def test_large_numbers_that_differ_little_are_counted_apart():
    ids = pd.Series([1_000_001, 1_000_002, 1_000_003, 1_000_004])
    found = shape(ids, ids)
    assert found.labels == ["1000001", "1000002", "1000003", "1000004"]
    assert found.reference == found.current == [0.25] * 4
