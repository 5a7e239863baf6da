import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from core.errors import InvalidInputError
from core.statistics.mcnemar import (
    mid_p,
    non_inferiority_p,
    paired_difference,
    rows_needed,
    score_z,
)

few = st.integers(0, 60)


@given(few, few)
def test_mid_p_is_the_binomial_tail_with_half_the_observed_point(first, second):
    n = first + second
    expected = binom.sf(second, n, 0.5) + binom.pmf(second, n, 0.5) / 2

    assert mid_p(first, second) == pytest.approx(expected, abs=1e-9)


@given(few, few)
def test_the_two_directions_share_all_the_probability(first, second):
    assert mid_p(first, second) + mid_p(second, first) == pytest.approx(1)


def test_the_interval_matches_published_figures():
    # Airway reactivity data in Fagerland, Lydersen, Laake (2014), Tango's interval.
    interval = paired_difference(7, 1, 21)

    assert (interval.low, interval.high) == pytest.approx((-0.517, -0.026), abs=1e-3)


@given(few, few, st.integers(0, 300))
def test_the_ends_of_the_interval_solve_the_score_equation(first, second, agreeing):
    n = first + second + agreeing + 1
    interval = paired_difference(first, second, n)

    assert score_z(first, second, n, interval.low) == pytest.approx(1.96, abs=1e-3)
    assert score_z(first, second, n, interval.high) == pytest.approx(-1.96, abs=1e-3)


@given(few, few)
def test_swapping_the_models_mirrors_the_interval(first, second):
    there, back = paired_difference(first, second, 200), paired_difference(second, first, 200)

    assert there.low == pytest.approx(-back.high, abs=1e-9)


def test_more_agreeing_rows_make_equality_more_certain():
    assert non_inferiority_p(5, 5, 3000, margin=0.01) < non_inferiority_p(5, 5, 300, margin=0.01)


def test_the_planned_rows_give_the_planned_power():
    n, rng = rows_needed(0.08, 0.02, alpha=0.05), np.random.default_rng(0)
    draws = rng.multinomial(n, [0.03, 0.05, 0.92], size=2000)

    power = np.mean([mid_p(int(b), int(c)) <= 0.05 for b, c, _ in draws])

    assert power == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mid_p(-1, 2), "negative"),
        (lambda: score_z(3, 3, 5, 0.0), "cannot exceed"),
        (lambda: non_inferiority_p(1, 1, 10, margin=0), "margin"),
        (lambda: rows_needed(0.1, 0.0, alpha=0.05), "between 0 and 1"),
    ],
)
def test_impossible_counts_are_refused(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call()
