import math

import numpy as np
import pytest

from core.statistics import falls


def recursion(success, expected):
    """The detector as its authors write it, one observation after the other."""
    whole = 0.0
    for shift in falls.SHIFTS:
        q = 1 / (1 + math.exp(-(math.log(expected / (1 - expected)) + shift)))
        m = 0.0
        for one in success:
            m = (m + 1) * (q / expected if one else (1 - q) / (1 - expected))
        whole += m / len(falls.SHIFTS)
    return math.log(whole)


def test_the_evidence_is_that_of_the_recursion():
    success = np.random.default_rng(1).random(80) < 0.8
    assert falls.evidence(success, 0.9) == pytest.approx(recursion(success, 0.9))


def test_while_nothing_falls_its_mean_is_at_most_the_number_of_observations():
    rng = np.random.default_rng(2)
    drawn = [math.exp(falls.evidence(rng.random(200) < 0.9, 0.9)) for _ in range(400)]
    assert np.mean(drawn) < 2 * 200


def test_a_fall_is_found_soon_and_forgotten_later():
    good, bad = np.ones(400, dtype=bool), np.arange(60) % 2 == 0
    assert falls.evidence(np.concatenate([good, bad]), 0.95) > math.log(1e5)
    after = np.concatenate([good, bad, np.ones(3000, dtype=bool)])
    assert falls.evidence(after, 0.95) < math.log(1e4)


@pytest.mark.parametrize("expected", [0.0, 1.0])
def test_what_is_expected_to_be_certain_does_not_break(expected):
    assert math.isfinite(falls.evidence(np.array([True, False, True]), expected))


def test_nothing_seen_is_no_evidence():
    assert falls.share_of_the_way(falls.evidence(np.zeros(0, dtype=bool), 0.9), 1e5) == 0.0
