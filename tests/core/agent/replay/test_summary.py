from datetime import timedelta

import pytest

from core.agent.replay import summary
from core.agent.replay.decision import Replayed, Said
from core.agent.replay.past import After
from tests.conftest import NOON

QUIET = Said("log_only", "low", "drift ladder", (), "")
RETRAIN = Said("retrain", "high", "drift ladder", ("retrain",), "")
ASK = Said("request_approval", "high", "drift ladder", ("retrain",), "")
NO_MORE = "Each decision is made on the facts as they were"


def one(live, mine, *, hours=0, same=False, by_rules=False, assumed=False, **after):
    at = NOON + timedelta(hours=hours)
    came = After(**after)
    return Replayed(f"b{hours}", at, "spam", live, mine, same, assumed, came, by_rules)


def words(*found):
    return " ".join(summary.of(found).sentences)


def test_a_proposal_that_it_would_add_is_set_against_what_followed():
    found = [
        one(QUIET, RETRAIN, hours=0, followed_by=("accuracy", "errors")),
        one(QUIET, RETRAIN, hours=300, followed_by=("accuracy",)),
        one(QUIET, RETRAIN, hours=600),
        one(QUIET, QUIET, hours=601, same=True),
    ]
    told = summary.of(found)
    assert (told.decisions, told.same, told.changed, told.graver) == (4, 1, 3, 3)
    assert told.followed_by == {"retrain": {"accuracy": 2, "nothing": 1}}
    assert (
        "It would propose to retrain 3 more times, followed within 7 days"
        " 2 by an incident (accuracy), 1 by nothing." in words(*found)
    )


def test_a_proposal_that_it_would_leave_out_is_set_against_what_became_of_it():
    found = [
        one(RETRAIN, QUIET, state="rejected"),
        one(RETRAIN, QUIET, hours=200, state="succeeded", grade="good"),
    ]
    assert summary.of(found).fewer == {"retrain": 2}
    assert (
        "It would not propose to retrain 2 times"
        " (what became of it: 1 rejected, 1 succeeded, graded good)." in words(*found)
    )


@pytest.mark.parametrize(
    ("added", "dropped", "sentence"),
    [(0, 30, "1 time earlier, by 30.0 h"), (30, 0, "1 time later, by 30.0 h")],
)
def test_a_proposal_at_another_time_is_earlier_or_later_not_one_more(added, dropped, sentence):
    found = [one(QUIET, RETRAIN, hours=added), one(RETRAIN, QUIET, hours=dropped)]
    told = summary.of(found)
    assert (dict(told.more), dict(told.fewer)) == ({}, {})
    assert sentence in words(*found)


def test_proposals_more_than_a_week_apart_are_two_things():
    told = summary.of([one(QUIET, RETRAIN), one(RETRAIN, QUIET, hours=169)])
    assert (told.moved, told.more, told.fewer) == ([], {"retrain": 1}, {"retrain": 1})


def test_each_proposal_moves_once_and_with_the_nearest():
    found = [
        one(QUIET, RETRAIN, hours=0),
        one(QUIET, RETRAIN, hours=20),
        one(RETRAIN, QUIET, hours=24),
    ]
    told = summary.of(found)
    assert [moved.hours for moved in told.moved] == [-4]
    assert told.more == {"retrain": 1}


def test_what_would_be_decided_instead_is_counted():
    found = [one(RETRAIN, ASK), one(RETRAIN, ASK, hours=1), one(QUIET, RETRAIN, hours=2)]
    assert words(*found).startswith(
        "3 decisions: 3 would differ (2 request approval instead of retrain,"
        " 1 retrain instead of log only, 1 graver)."
    )


def test_a_decision_that_only_asks_differently_changes_no_proposal():
    told = summary.of([one(RETRAIN, ASK)])
    assert (told.changed, dict(told.more), dict(told.fewer)) == (1, {}, {})


def test_what_the_rules_themselves_changed_is_no_doing_of_the_thresholds():
    found = [one(RETRAIN, QUIET, by_rules=True)]
    assert summary.of(found).changed == 0
    assert "1 decision would differ by rules that the product has changed" in words(*found)


def test_decisions_without_a_recorded_policy_are_counted_and_said():
    assert "what the spec said then is taken" in words(one(QUIET, QUIET, same=True, assumed=True))


def test_only_where_something_differs_the_limits_of_a_replay_are_said():
    assert NO_MORE not in words(one(QUIET, QUIET, same=True))
    assert NO_MORE in words(one(QUIET, RETRAIN))
