"""Canaries and shadows at the command line."""

import json

import pytest

from core import recommendations


@pytest.fixture
def two(spam, release):
    """1.0.0 serves and 2.0.0 is a candidate."""
    release("sms_spam", "1.0.0")
    release("sms_spam", "2.0.0", release=False)


def create(say, *more):
    words = ("--control", "1.0.0", "--treatment", "2.0.0", "--hypothesis", "better")
    return say("experiment", "create", "sms-spam", "--name", "e", *words, *more)


def test_a_shadow_and_a_canary_are_drafted_and_their_start_is_proposed(say, db, two, as_ana):
    code, out, _ = create(say, "--mode", "shadow")
    assert (code, "2.0.0 in shadow, for the log only" in out) == (0, True)
    (row,) = json.loads(say("experiment", "status", "sms-spam")[1])
    assert (row["mode"], row["state"]) == ("shadow", "draft")
    assert "/recommendation?id=" in say("experiment", "start", row["id"])[1]
    with db.read() as session:
        assert [one.kind for one in recommendations.waiting(session)] == ["start_experiment"]


def test_another_share_is_proposed_and_an_impossible_one_refused(say, db, two, as_ana):
    create(say, "--share", "0.001")
    (row,) = json.loads(say("experiment", "status", "sms-spam")[1])
    assert row["share"] == 0.001
    assert say("experiment", "widen", row["id"], "--share", "1.5")[0] == 1
    assert say("experiment", "widen", row["id"], "--share", "0.25")[0] == 0
    with db.read() as session:
        (waits,) = recommendations.waiting(session)
    assert waits.title == "Give 2.0.0 25 % of traffic (e)"


def test_an_experiment_is_started_widened_and_stopped_by_its_name_or_id(say, two, as_ana):
    create(say, "--share", "0.1")
    (row,) = json.loads(say("experiment", "status", "sms-spam")[1])
    for called in ("e", row["id"]):
        assert "/recommendation?id=" in say("experiment", "start", called)[1]
        assert say("experiment", "widen", called, "--share", "0.25")[0] == 0
    assert "there is nothing to stop" in say("experiment", "stop", "e", "--reason", "enough")[2]
    assert "no experiment f" in say("experiment", "start", "f")[2]


def test_a_shadow_has_no_share_that_could_be_proposed(say, db, two):
    create(say, "--mode", "shadow")
    code, _, err = say("experiment", "widen", "e", "--share", "0.3")
    assert (code, "there is no share to widen" in err) == (1, True)
    with db.read() as session:
        assert recommendations.waiting(session) == []
