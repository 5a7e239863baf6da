import numpy as np

from core.outcomes.grading import GROWTH, Counted, is_last, look_at, of_accuracy, of_shares, undone


def judged(before, after, n=1000, last=True, expects="better"):
    return of_accuracy(
        Counted(before, n), Counted(after, n), expects=expects, margin=0.02, against="x", last=last
    )


def test_a_clear_gain_is_good_a_clear_loss_bad_and_chance_neutral():
    assert judged(800, 900).grade == "good"
    assert judged(900, 800).grade == "bad"
    assert judged(900, 905).grade == "neutral"


def test_chance_decides_nothing_while_another_look_may_follow():
    assert judged(900, 905, last=False) is None


def test_surely_not_worse_is_good_only_where_that_was_proposed():
    assert judged(9950, 9950, n=10_000, expects="not worse").grade == "good"
    assert judged(9950, 9950, n=10_000).grade == "neutral"


def test_the_same_change_the_other_way_round_is_the_opposite_grade():
    for before, after in ((500, 700), (10, 60), (900, 990)):
        grades = {judged(before, after).grade, judged(after, before).grade}
        assert grades == {"good", "bad"}


def test_all_looks_together_are_wrong_in_at_most_five_cases_of_a_hundred():
    """Two versions that are equally good, looked at after 50, 200, 800 and 3,200 labels."""
    rng, wrong, runs = np.random.default_rng(7), 0, 2_000
    for _ in range(runs):
        before = Counted(int(rng.binomial(2_000, 0.9)), 2_000)
        right = rng.random(50 * GROWTH[-1]) < 0.9
        for size in (50 * by for by in GROWTH):
            after = Counted(int(right[:size].sum()), size)
            found = of_accuracy(
                before, after, expects="better", margin=0, against="x", last=is_last(size, 50)
            )
            if found is not None:
                wrong += found.grade != "neutral"
                break
    assert wrong / runs <= 0.05


def test_looks_are_few_however_often_it_is_looked():
    assert {look_at(n, 50) for n in range(5_000)} == {0, 50, 200, 800, 3200}


def test_of_several_shares_one_that_surely_rose_is_bad():
    fewer = ("errors", Counted(100, 1000), Counted(10, 1000))
    slower = ("slow answers", Counted(10, 1000), Counted(100, 1000))
    assert of_shares([fewer], better="as wanted", where="x").grade == "good"
    found = of_shares([fewer, slower], better="as wanted", where="x")
    assert (found.grade, "slow answers" in found.sentence) == ("bad", True)


def test_without_a_reason_an_undo_says_who_and_when():
    assert undone("ana", 1, " ").sentence == "Taken back by ana after 1.0 h."
