import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from core.errors import InvalidInputError
from core.statistics import isotonic
from core.statistics.isotonic import Isotonic


def rows(n=800, seed=1, digits=3):
    rng = np.random.default_rng(seed)
    probability = rng.random(n).round(digits)
    return probability, rng.random(n) < probability**2


@pytest.mark.parametrize("digits", [1, 3, 9])
def test_it_is_the_line_of_scikit_learn(digits):
    probability, truth = rows(digits=digits)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(probability, truth)
    asked = np.linspace(-0.1, 1.1, 997)
    ours = isotonic.fit(probability, truth).calibrated(asked)
    assert np.abs(ours - theirs.predict(asked)).max() < 1e-12


def test_a_monotone_change_of_scale_changes_no_calibrated_share():
    probability, truth = rows()
    squeezed = isotonic.fit(probability**3, truth).calibrated(probability**3)
    assert np.allclose(isotonic.fit(probability, truth).calibrated(probability), squeezed)


def test_it_survives_being_kept_as_json():
    found = isotonic.fit(*rows())
    assert Isotonic.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_its_error_is_that_of_a_share_where_one_block_holds_all():
    """One probability, 30 of 100 positive: the standard error is sqrt(.3 .7 / 100), nearly."""
    found = isotonic.fit(np.full(100, 0.4), np.arange(100) < 30)
    assert found.error(np.full(7, 0.4)) == pytest.approx(0.0458, abs=5e-4)


def test_it_knows_where_it_was_learnt():
    found = isotonic.fit(np.array([0.2, 0.4, 0.6]), np.array([False, True, True]))
    assert found.supported(np.array([0.1, 0.2, 0.5, 0.61])).tolist() == [False, True, True, False]


@pytest.mark.parametrize("probability", [[], [np.nan, 0.5]])
def test_it_learns_from_finite_probabilities_only(probability):
    given = np.array(probability, dtype=float)
    with pytest.raises(InvalidInputError):
        isotonic.fit(given, np.zeros(len(given), dtype=bool))
