import numpy as np
import pytest

from core.monitoring import units

LOW, HIGH = -np.inf, np.inf


def sample(n, seed, shape="normal"):
    rng = np.random.default_rng(seed)
    return rng.normal(70, 4, n) if shape == "normal" else rng.lognormal(2, 0.5, n)


@pytest.mark.parametrize("shape", ["normal", "lognormal"])
@pytest.mark.parametrize(
    "factor", [10, 100, 1000, 1e-3, 2.54, 1 / 2.54, 0.45359237, 1 / 0.45359237, 0.3048]
)
def test_a_column_in_another_unit_is_named_by_its_factor(shape, factor):
    found = units.changed(sample(600, 1, shape), sample(200, 2, shape) * factor)
    assert found.factor == pytest.approx(factor)
    assert (found.shift, found.share) == (0, 1)


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (lambda c: c * 1.8 + 32, "Celsius to Fahrenheit"),
        (lambda c: (c - 32) / 1.8, "Fahrenheit to Celsius"),
        (lambda c: c + 273.15, "Celsius to Kelvin"),
        (lambda c: -c, "one sign to the other"),
    ],
)
def test_a_shifted_scale_is_named(turn, words):
    assert units.changed(sample(600, 1), turn(sample(200, 2))).words == words


@pytest.mark.parametrize("seed", range(20))
def test_no_change_and_a_moderate_drift_are_no_change_of_unit(seed):
    before = sample(600, seed)
    assert units.changed(before, sample(200, seed + 100)) is None
    assert units.changed(before, sample(200, seed + 200) + 6) is None
    assert units.changed(before, sample(200, seed + 300) * 1.15) is None


def test_another_shape_is_no_change_of_unit():
    assert units.changed(sample(600, 1), np.random.default_rng(2).uniform(0, 5000, 300)) is None


def test_the_part_of_the_values_in_another_unit_is_told():
    now = sample(400, 2)
    now[:60] *= 10
    found = units.changed_in_part(sample(600, 1), now, 50.0, 90.0)
    assert (found.factor, found.share) == (10, pytest.approx(0.15))


@pytest.mark.parametrize("now", [[], [5.0] * 100, [1.0, 2.0] * 50])
def test_too_few_different_values_tell_no_unit(now):
    assert units.changed(sample(600, 1), np.array(now)) is None
