import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from core.errors import InvalidInputError
from core.statistics.intervals import newcombe, srm_p, wilson

counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_wilson_agrees_with_statsmodels(count):
    low, high = proportion_confint(*count, method="wilson")

    estimate = wilson(*count)

    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-9)


@given(counts, counts)
def test_newcombe_agrees_with_statsmodels(a, b):
    low, high = confint_proportions_2indep(*b, *a, method="newcomb", compare="diff")

    estimate = newcombe(*a, *b)

    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-9)


@given(counts, counts)
def test_swapping_the_samples_mirrors_the_difference(a, b):
    there, back = newcombe(*a, *b), newcombe(*b, *a)

    assert (there.low, there.value) == pytest.approx((-back.high, -back.value), abs=1e-12)


def test_no_successes_still_leave_room_above_zero():
    assert wilson(0, 20).low == 0
    assert wilson(0, 20).high == pytest.approx(0.1611, abs=1e-4)


def test_the_split_check_is_a_chi_square_test_against_the_weights():
    expected = chisquare([620, 1380], [600, 1400]).pvalue

    assert srm_p([620, 1380], [0.3, 0.7]) == pytest.approx(expected)


def test_a_split_nobody_asked_for_is_noticed():
    assert srm_p([5000, 5300], [1, 1]) < 0.01
    assert srm_p([0, 0], [1, 1]) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wilson(1, 0), "at least one"),
        (lambda: wilson(3, 2), "cannot be"),
        (lambda: wilson(1, 2, level=1.0), "between 0 and 1"),
        (lambda: srm_p([1], [1]), "two arms"),
        (lambda: srm_p([1, 2], [1, 0]), "positive"),
    ],
)
def test_impossible_counts_are_refused(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call()
