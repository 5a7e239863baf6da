import re

import numpy as np
import pytest

from core.errors import InvalidInputError
from core.monitoring.maturity import Answers, answers_of, labelled_by, learn, words_of
from core.statistics.intervals import wilson

DAY, HOUR = 86_400.0, 3_600.0


def complaints_first(seed=0, n=20_000, days=30):
    """Positives are labelled after 2 hours, negatives after 4 days; positives are harder."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, days * DAY, n)
    truth = rng.random(n) < 0.2
    right = rng.random(n) < np.where(truth, 0.7, 0.95)
    lag = rng.exponential(np.where(truth, 2 * HOUR, 4 * DAY))
    lag = np.where(lag <= age, lag, np.nan)
    return Answers(age, lag, truth == right, np.full(n, 0.5)), right


def sample(n=400, *, age, lag, share=1.0, seed=0):
    rng = np.random.default_rng(seed)
    ages, lags = rng.uniform(0, age, n), rng.uniform(0, lag, n)
    lags[(rng.random(n) > share) | (lags > ages)] = np.nan
    return Answers(ages, lags, rng.random(n) < 0.3, rng.random(n))


def newest_accuracy(answers, right, rows):
    order = np.argsort(answers.age)
    chosen = order[rows[order]][:1000]
    return wilson(int(right[chosen].sum()), len(chosen))


def test_matured_cohorts_are_right_where_the_labels_that_came_first_are_not():
    naive, matured = [], []
    for seed in range(40):
        answers, right = complaints_first(seed)
        known = learn(answers)
        for rows, found in (
            (answers.labelled, naive),
            (answers.labelled & (answers.age >= known.delay), matured),
        ):
            accuracy = newest_accuracy(answers, right, rows)
            found.append(not accuracy.low <= 0.9 <= accuracy.high)
    print(f"alarms at 5 %: naive {np.mean(naive):.0%}, matured {np.mean(matured):.1%}")
    assert np.mean(naive) > 0.9
    assert np.mean(matured) <= 0.15


def test_the_delay_is_learnt_and_told_with_lag_and_coverage():
    known = learn(complaints_first()[0])
    assert known.settled
    assert 10 * DAY < known.delay < 16 * DAY
    assert known.coverage > 0.96
    assert "90 % within" in known.sentence
    assert f"once they are {words_of(known.delay)} old" in known.sentence


def test_labels_that_come_at_once_wait_for_nothing():
    known = learn(sample(age=3 * DAY, lag=5.0, share=0.05))
    assert (known.settled, known.delay) == (True, 0.0)


def test_a_release_a_few_seconds_ago_is_judged_when_half_of_it_is_labelled():
    known = learn(sample(age=10.0, lag=2.0, share=0.7))
    assert (known.settled, known.delay) == (True, 0.0)


def test_a_few_complaints_in_the_first_minutes_settle_nothing():
    known = learn(sample(age=600.0, lag=600.0, share=0.05))
    assert not known.settled
    assert "not known yet. They are judged once 30 answers are 15 min old (in " in known.sentence
    assert "at the soonest), or as soon as half of the answers have a label." in known.sentence


def test_labels_that_still_arrive_at_every_age_settle_nothing():
    known = learn(sample(age=2 * DAY, lag=5 * DAY))
    assert (known.settled, "half of the answers" in known.until) == (False, False)
    assert re.search(r"30 answers are \S+ days old \(in \S+ \S+ at the soonest\)", known.until)


def test_when_every_answer_has_its_label_no_other_can_come():
    rows = sample(age=2 * DAY, lag=1.0)
    late = Answers(rows.age, rows.age * 0.9, rows.positive, rows.probability)
    assert learn(late).settled


def test_a_delay_that_is_set_is_not_learnt():
    known = learn(sample(age=600.0, lag=600.0, share=0.05), delay=DAY)
    assert (known.settled, known.learned, known.delay) == (True, False, DAY)


def test_without_labels_it_says_so():
    known = learn(sample(age=DAY, lag=HOUR, share=0.0))
    assert (known.settled, known.coverage, known.lag_median) == (False, 0.0, None)
    assert known.sentence == "No answer has a label yet."


def test_nothing_answered_is_no_fault():
    assert learn(answers_of([])).n == 0


@pytest.mark.parametrize(("chance", "selective"), [((0.5, 0.5), False), ((0.9, 0.2), True)])
def test_labels_of_other_answers_than_typical_are_cautioned_about(chance, selective):
    rng = np.random.default_rng(1)
    said = rng.random(500) < 0.4
    labelled = rng.random(500) < np.where(said, *chance)
    known = learn(
        Answers(np.full(500, DAY), np.where(labelled, 1.0, np.nan), said, said * 0.8 + 0.1)
    )
    assert known.selective is selective
    assert ("Caution" in known.sentence) is selective


def test_labels_before_their_answer_or_from_the_future_count_as_now():
    found = answers_of([(100.0, -50.0, True, 0.9), (100.0, 9e9, True, 0.9), (-5.0, None, True, 1)])
    assert found.lag.tolist()[:2] == [0.0, 100.0]
    assert found.age.min() == 0.0


def test_the_share_labelled_is_that_of_kaplan_and_meier():
    """Worked by hand: 1 of 4 at 1; one is lost at 2; 1 of the 2 left at 3."""
    times, share = labelled_by(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, False, True, False]))
    assert (times.tolist(), share.tolist()) == ([1.0, 3.0], [0.25, 0.625])


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InvalidInputError):
        learn(Answers(np.zeros(2), np.zeros(1), np.zeros(2, dtype=bool), np.zeros(2)))
