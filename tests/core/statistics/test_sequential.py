import numpy as np
import pytest

from core.errors import InvalidInputError
from core.statistics.sequential import (
    always_valid_p,
    confidence_sequence_factor,
    obrien_fleming,
    spent_alpha,
)


def test_boundaries_of_five_looks_match_published_ones():
    # R package ldbounds: bounds(1:5 / 5, iuse = c(1, 1), alpha = c(.025, .025)).
    expected = [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]

    assert obrien_fleming([0.2, 0.4, 0.6, 0.8, 1.0]) == pytest.approx(expected, abs=2e-4)


def test_a_single_look_at_the_end_is_an_ordinary_test():
    assert obrien_fleming([1.0])[0] == pytest.approx(1.95996, abs=1e-4)


def test_an_extra_look_does_not_move_the_looks_before_it():
    assert obrien_fleming([0.3, 0.6])[0] == pytest.approx(obrien_fleming([0.3, 0.9])[0])


def test_twenty_looks_keep_the_promised_error():
    bounds = np.array(obrien_fleming([k / 20 for k in range(1, 21)]))
    steps = np.random.default_rng(0).normal(size=(20_000, 20))
    z = steps.cumsum(axis=1) / np.sqrt(np.arange(1, 21))

    assert (np.abs(z) >= bounds).any(axis=1).mean() == pytest.approx(0.05, abs=0.006)


def test_a_confidence_sequence_may_be_watched_at_every_step():
    n = np.arange(50, 3001)
    width = np.array([confidence_sequence_factor(int(k), alpha=0.1, planned_n=1000) for k in n])
    steps = np.random.default_rng(0).normal(size=(1000, 3000)).cumsum(axis=1)
    z = steps[:, 49:] / np.sqrt(n)

    assert (np.abs(z) >= width).any(axis=1).mean() <= 0.1


def test_the_always_valid_p_agrees_with_the_sequence():
    width = confidence_sequence_factor(700, alpha=0.05, planned_n=1000)

    assert always_valid_p(width, 700, alpha=0.05, planned_n=1000) == pytest.approx(0.05)


def test_error_is_spent_slowly_and_completely():
    assert spent_alpha(0.2, 0.05) < 1e-5
    assert spent_alpha(1.0, 0.05) == pytest.approx(0.05)


@pytest.mark.parametrize("fractions", [[], [0.5, 0.5], [0.0, 1.0], [0.5, 1.2]])
def test_looks_must_rise_within_the_plan(fractions):
    with pytest.raises(InvalidInputError, match="rise"):
        obrien_fleming(fractions)
