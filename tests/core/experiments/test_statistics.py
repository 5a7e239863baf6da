import json

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower

from core.errors import InvalidInputError
from core.experiments.statistics import ArmCounts, judge, sample_size

LOOKS = [2000, 4000, 6000, 8000, 10_000]


def arms(a, b, n=5000):
    return ArmCounts("champion", 0.5, n, a), ArmCounts("challenger", 0.5, n, b)


def test_a_better_challenger_wins_at_the_last_look():
    verdict = judge(arms(4500, 4600), planned_n=10_000, looks=LOOKS)

    assert verdict.result == "won"
    assert verdict.interval.low > 0
    assert "challenger is better than champion by +2.0%" in verdict.sentence


def test_a_worse_challenger_loses():
    assert judge(arms(4600, 4500), planned_n=10_000, looks=LOOKS).result == "lost"


def test_no_difference_is_a_result_too():
    verdict = judge(arms(27_000, 27_010, n=30_000), planned_n=60_000, looks=[60_000])

    assert verdict.result == "equivalent"


def test_what_would_convince_at_the_end_does_not_convince_at_the_first_look():
    early = judge(arms(900, 930, n=1000), planned_n=10_000, looks=LOOKS[:1])
    late = judge(arms(900, 930, n=1000), planned_n=2000, looks=[2000])

    assert (early.result, late.result) == ("inconclusive", "won")
    assert early.more_needed == 8000


def test_between_planned_looks_nothing_is_decided():
    verdict = judge(arms(2250, 2400, n=2500), planned_n=10_000, looks=LOOKS[:2])

    assert verdict.result == "inconclusive"
    assert not verdict.planned_look
    assert verdict.interval.low > 0


def test_without_a_plan_the_confidence_sequence_decides():
    verdict = judge(arms(2250, 2400, n=2500), planned_n=10_000)

    assert verdict.result == "won"
    assert verdict.method == "asymptotic confidence sequence"


def test_the_p_value_and_the_interval_tell_the_same():
    for b in (4560, 4570, 4580):
        planned = judge(arms(4500, b), planned_n=10_000, looks=LOOKS)
        peeking = judge(arms(4500, b), planned_n=10_000)
        for verdict in (planned, peeking):
            assert (verdict.p_value <= 0.05) == (verdict.interval.low > 0)


def test_peeking_fifty_times_rarely_finds_what_is_not_there():
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(200):
        a, b = (rng.random((2, 2500)) < 0.9).cumsum(axis=1)
        alarms += any(
            judge(arms(int(a[n - 1]), int(b[n - 1]), n=n), planned_n=5000).result in ("won", "lost")
            for n in range(50, 2501, 50)
        )

    assert alarms / 200 <= 0.05


def test_a_wrong_split_invalidates_everything():
    uneven = ArmCounts("a", 0.5, 5000, 4500), ArmCounts("b", 0.5, 5500, 5400)
    verdict = judge(uneven, planned_n=10_000)

    assert verdict.result == "invalid"
    assert "not split as asked" in verdict.sentence


def test_a_handful_of_outcomes_decides_nothing():
    verdict = judge(arms(0, 20, n=20), planned_n=1000)

    assert (verdict.result, verdict.more_needed) == ("inconclusive", 960)


def test_no_outcomes_yet_are_no_error():
    assert judge(arms(0, 0, n=0), planned_n=1000).result == "inconclusive"


def test_after_the_plan_the_rest_is_counted_from_the_minimum_effect():
    verdict = judge(arms(450, 455, n=500), planned_n=1000, looks=[1000])

    needed = sample_size((905 + 1) / 1002, 0.01)
    assert verdict.more_needed == needed - 1000


@pytest.mark.parametrize(("share", "ratio"), [(0.5, 1.0), (0.2, 4.0)])
def test_the_sample_size_gives_the_planned_power(share, ratio):
    n, rng = sample_size(0.9, 0.02, share=share), np.random.default_rng(0)
    treated = round(n * share)
    a = rng.binomial(n - treated, 0.90, 20_000) / (n - treated)
    b = rng.binomial(treated, 0.92, 20_000) / treated
    z = (b - a) / np.sqrt(a * (1 - a) / (n - treated) + b * (1 - b) / treated)

    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.015)
    assert (n - treated) / treated == pytest.approx(ratio, rel=0.01)


def test_the_sample_size_is_close_to_the_effect_size_formula_of_statsmodels():
    effect = 2 * (np.arcsin(0.92**0.5) - np.arcsin(0.9**0.5))
    expected = 2 * NormalIndPower().solve_power(effect, alpha=0.05, power=0.8)

    assert sample_size(0.9, 0.02) == pytest.approx(expected, rel=0.01)


def test_a_verdict_is_plain_json():
    verdict = judge(arms(900, 930, n=1000), planned_n=2000, looks=[2000])

    assert json.loads(json.dumps(verdict.to_dict()))["result"] == "won"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: judge(arms(6000, 1), planned_n=10), "successes among"),
        (lambda: judge(arms(1, 1), planned_n=0), "must be positive"),
        (lambda: judge(arms(1, 1), planned_n=9000, looks=[9500, 10_000]), "Looks come"),
        (lambda: sample_size(0.95, 0.1), "between 0 and 1"),
        (lambda: sample_size(0.5, 0.1, power=1.0), "power"),
    ],
)
def test_impossible_settings_are_refused(call, words):
    with pytest.raises(InvalidInputError, match=words):
        call()
