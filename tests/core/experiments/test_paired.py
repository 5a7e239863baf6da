import numpy as np
import pytest

from core.experiments import paired
from core.experiments.units import Pairs, Units


def judge(n, only_first, only_second, right=0.9):
    both = round(n * right)
    pairs = Pairs(n, n, n, both + only_first, both + only_second, only_first, only_second)
    return paired.judge(("a", "b"), pairs, planned_n=2000, alpha=0.05, minimum_effect=0.01)


def test_the_version_that_is_right_where_the_other_is_wrong_wins():
    assert judge(2000, 10, 90).result == "won"
    assert judge(2000, 90, 10).result == "lost"
    assert judge(20_000, 10, 12).result == "equivalent"


@pytest.mark.parametrize(
    ("n", "first", "second"), [(1, 0, 1), (49, 0, 49), (500, 6, 10), (3, 0, 0)]
)
def test_little_decides_nothing_and_says_what_is_missing(n, first, second):
    verdict = judge(n, first, second)
    assert (verdict.result, verdict.more_needed) == ("inconclusive", max(1, 2000 - n))


def test_looking_often_at_two_equal_versions_seldom_finds_a_difference():
    """False alarms over all looks of an A/A comparison stay below alpha = 5 %."""
    random, wrong = np.random.default_rng(7), 0
    for _ in range(300):
        moves = random.choice([-1, 0, 1], size=3000, p=[0.05, 0.9, 0.05])
        looks = [
            judge(n, int((moves[:n] == -1).sum()), int((moves[:n] == 1).sum()))
            for n in range(100, 3001, 290)
        ]
        wrong += any(look.interval.low > 0 or look.interval.high < 0 for look in looks)
    assert wrong <= 15


def test_many_requests_of_a_few_users_tell_as_little_as_the_users_do():
    """False alarms of an A/A comparison stay below 5 % where all ten requests of a user agree."""
    random, wrong, each = np.random.default_rng(7), 0, 10
    for _ in range(100):
        moves = random.choice([-1, 0, 1], size=400, p=[0.2, 0.6, 0.2])
        for users in range(60, 401, 34):
            seen = moves[:users]
            first, second = (int((seen == side).sum()) * each for side in (-1, 1))
            gap, n = int(seen.sum()) * each, users * each
            units = Units(users, users, n * each, gap * each, int((seen**2).sum()) * each**2)
            pairs = Pairs(n, users, n, first, second, first, second, units)
            look = paired.judge(
                ("a", "b"), pairs, planned_n=4000, alpha=0.05, minimum_effect=0.01
            )  # fmt: skip
            if look.result in ("won", "lost"):
                wrong += 1
                break
    assert wrong <= 5
