import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2

from core.errors import InvalidInputError
from core.statistics import permutation


@pytest.mark.parametrize("sizes", [(30, 5), (5, 30)])
def test_every_shuffle_keeps_the_sizes_and_the_first_row_is_the_truth(sizes):
    rng = np.random.default_rng(0)
    labels = permutation.shuffled_labels(*sizes, permutations=50, rng=rng)

    assert labels.shape == (51, 35)
    assert (labels.sum(axis=1) == sizes[1]).all()
    assert labels[0].tolist() == [0.0] * sizes[0] + [1.0] * sizes[1]
    assert labels[1:].mean(axis=0) == pytest.approx(np.full(35, sizes[1] / 35), abs=0.25)


def test_the_fitted_tail_follows_a_chi_square_beyond_the_last_rank():
    rng = np.random.default_rng(0)
    draws = np.concatenate([[30.0], rng.chisquare(5, 4999)])[:, None]

    assert permutation.gamma_tail(draws)[0, 0] == pytest.approx(chi2.sf(30, 5), rel=0.6)
    assert permutation.tail_p(draws)[0] < 1 / 5000


def test_a_statistic_that_never_varies_says_nothing():
    flat = np.full((100, 1), 3.0)

    assert permutation.gamma_tail(flat)[0, 0] == 1
    assert permutation.rank_p(flat)[0] == 1


def test_scores_are_standard_normal_under_the_null():
    z = permutation.exchangeable_z(np.random.default_rng(0).chisquare(3, (2000, 1)))

    assert z.mean() == pytest.approx(0, abs=0.05)
    assert z.std() == pytest.approx(1, abs=0.05)


def test_shuffling_the_rows_shuffles_the_scores_and_nothing_else():
    rng = np.random.default_rng(0)
    statistics = rng.chisquare(1, (60, 3))
    order = rng.permutation(60)

    z = permutation.exchangeable_z(statistics)
    assert permutation.exchangeable_z(statistics[order]) == pytest.approx(z[order], abs=1e-6)


def test_the_observed_score_averages_zero_even_for_a_statistic_of_two_values():
    rng = np.random.default_rng(0)
    scores = [permutation.observed_z(rng.integers(0, 2, (200, 1)) * 1.0) for _ in range(400)]

    assert np.mean(scores) == pytest.approx(0, abs=0.15)


def test_minp_holds_its_level_over_many_correlated_tests():
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(300):
        shared = rng.normal(size=(200, 1))
        p_values.append(permutation.minp(rng.normal(size=(200, 10)) + shared))

    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=0.05)


def test_the_divergence_is_the_squared_distance_of_scipy():
    p, q = np.array([0.1, 0.4, 0.5]), np.array([0.3, 0.3, 0.4])

    assert permutation.jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2)


def test_the_debiased_distance_is_zero_at_chance_and_one_when_nothing_is_shared():
    divergences = np.array([[0.2, 1.0, 0.6]] + [[0.2, 0.2, 0.2]] * 9)

    assert permutation.debiased_distance(divergences).tolist() == pytest.approx(
        [0, 1, 0.5**0.5], abs=1e-6
    )


def test_an_alpha_out_of_reach_is_refused():
    with pytest.raises(InvalidInputError, match="50 permutations tell 0.02 at least"):
        permutation.enough(0.01, 50)
    for alpha in (1.5, 0.0, 1e-9):
        with pytest.raises(InvalidInputError, match="alpha"):
            permutation.enough(alpha)
