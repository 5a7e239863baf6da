from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.releases import Arm
from core.serving import assignment

USERS = [f"user-{number}" for number in range(2000)]
SHARES = st.integers(0, 1000)


def split(treatment):
    return [Arm("1.0.0", "control", 1000 - treatment), Arm("2.0.0", "treatment", treatment)]


@given(before=SHARES, after=SHARES, salt=st.text(max_size=20))
def test_a_weight_change_moves_only_users_between_the_two_boundaries(before, after, salt):
    low, high = sorted((1000 - before, 1000 - after))
    for user in USERS[:60]:
        old = assignment.choose(split(before), salt, user).version
        new = assignment.choose(split(after), salt, user).version
        between = low <= assignment.bucket(salt, user) < high
        assert (old != new) == between


@given(salt=st.text(max_size=20), user=st.text(min_size=1, max_size=100))
def test_a_user_stays_where_they_are(salt, user):
    arms = split(300)
    assert assignment.choose(arms, salt, user) == assignment.choose(list(arms), salt, user)


@pytest.mark.parametrize("salt", ["salt", "9f86d081884c7d65"])
def test_80_to_20_over_100_000_users_is_within_a_third_of_a_point(salt):
    users = [f"user-{number}" for number in range(100_000)]
    first = [assignment.choose(split(200), salt, user).variant for user in users]
    assert abs(first.count("treatment") / 100_000 - 0.2) < 0.003
    assert [assignment.choose(split(200), salt, user).variant for user in users] == first


def test_a_weight_of_a_tenth_of_a_percent_is_kept():
    counts = Counter(assignment.choose(split(1), "s", f"u{n}").variant for n in range(200_000))
    assert 150 < counts["treatment"] < 250


def test_another_salt_deals_anew():
    same = sum(
        assignment.choose(split(500), "a", user) == assignment.choose(split(500), "b", user)
        for user in USERS
    )
    assert 850 < same < 1150


def test_an_arm_without_weight_never_answers_and_a_shadow_is_found():
    arms = [Arm("1.0.0", "control", 1000), Arm("2.0.0", "shadow", 0)]
    assert {assignment.choose(arms, "s", user).variant for user in USERS} == {"control"}
    assert [arm.version for arm in assignment.shadows(arms)] == ["2.0.0"]
