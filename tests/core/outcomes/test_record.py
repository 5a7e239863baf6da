import math

import pytest

from core import outcomes
from core.outcomes.record import lower_bound, needed
from core.statistics.intervals import normal_quantile
from tests.outcomes_kit import put_outcomes


def seen(db, **about):
    with db.read() as session:
        return outcomes.record(session, "spam", "retrain", **about)


def test_nothing_graded_is_an_empty_record(db):
    empty = seen(db)
    assert (empty.n, empty.streak, empty.low, empty.last_bad) == (0, 0, 0.0, None)
    assert empty.sentence == "Nothing like this was graded yet."


def test_a_record_counts_and_its_bound_begins_anew_after_a_bad_outcome(db):
    put_outcomes(db, *["good"] * 12)
    assert (seen(db).streak, seen(db).enough(0.8, 10)) == (12, True)
    put_outcomes(db, "bad", "good", "neutral", "good")
    after = seen(db)
    assert (after.n, after.good, after.bad, after.neutral) == (16, 14, 1, 1)
    assert (after.streak, after.low) == (2, lower_bound(2))
    assert not after.enough(0.8, 10)
    assert after.sentence == "14 good, 1 bad, 1 neutral; 2 good since the last bad one."


def test_other_models_and_kinds_do_not_count(db):
    put_outcomes(db, "good", model="ham")
    put_outcomes(db, "good", kind="rollback")
    assert seen(db).n == 0


def test_of_its_own_are_only_what_the_product_proposed_and_nobody_changed(db):
    put_outcomes(db, "good", reasoner="person")
    put_outcomes(db, "good", edit_of="another")
    put_outcomes(db, "good", reasoner="some-model")
    assert (seen(db).n, seen(db, own=True).n) == (3, 1)


@pytest.mark.parametrize("bar", [0.01, 0.3, 0.5, 0.8, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("least", [0, 1, 10, 400])
def test_the_number_that_a_bar_asks_for_is_the_smallest_that_reaches_it(bar, least):
    n = needed(bar, least)
    assert lower_bound(n) >= bar
    assert n >= least
    assert n == max(1, math.ceil(least)) or lower_bound(n - 1) < bar


def test_the_bound_of_a_streak_is_that_of_the_formula():
    z2 = normal_quantile(0.9) ** 2
    assert [lower_bound(n) for n in (1, 7, 50)] == pytest.approx([n / (n + z2) for n in (1, 7, 50)])
