import json
from dataclasses import asdict

import pytest

from core import specs
from core.access import system
from core.clock import utc_now
from core.specs.thresholds import Policy
from tests.core.agent.replay.conftest import SPEC
from tests.core.agent.replay.test_past import decided
from tests.fakes.facts import drifting


@pytest.fixture
def spam(db, clock, release):
    clock.now = utc_now()  # the command line reads the real clock
    specs.apply(db, system("bootstrap"), SPEC)
    release("spam", "1.0.0")
    decided(db, clock, drifting(0.3), asdict(Policy()))


def test_the_policy_in_force_is_shown_with_where_each_value_comes_from(say, spam):
    out = say("policy", "show", "spam")[1].splitlines()
    assert ["accuracy_floor", "0.9", "the", "spec"] in [line.split() for line in out]
    everywhere = json.loads(say("policy", "show", "--json")[1])
    assert {"name": "drift_retrain", "value": 0.5, "source": "built in"} in everywhere


def test_the_live_policy_replays_the_live_decisions(say, spam):
    out = say("policy", "replay", "--since", "2h", "--model", "spam")[1]
    assert "1 decision: none would differ." in out
    assert "1 of 1 are the same to the last word." in out


def test_values_are_replayed_before_anybody_proposes_them(say, spam, tmp_path):
    file = tmp_path / "thresholds.yaml"
    file.write_text("drift_retrain: 0.25\n")
    for given in (("--set", "drift_retrain=.25"), ("--file", str(file))):
        code, out, _ = say("policy", "replay", "--model", "spam", *given)
        assert (code, "1 would differ (1 retrain instead of log only)" in out) == (0, True), out
        assert "log only, high: proposes to retrain  retrain, high: proposes to retrain" in out
    told = json.loads(say("policy", "replay", "--set", "drift_retrain=.25", "--json")[1])
    assert (told["scope"], told["changed"], len(told["changed_ones"])) == ("*", 1, 1)


def test_a_change_is_proposed_listed_and_replayed_by_its_number(say, spam, as_ana):
    given = ("--set", "drift_retrain=.25", "--reason", "too patient")
    out = say("policy", "propose", "spam", *given)[1]
    assert "Proposed: Change the policy of spam: drift retrain 0.5 → 0.25" in out
    assert "An approver other than you decides: recommendation" in out
    assert "spam 1" in say("policy", "history", "spam")[1]
    told = json.loads(say("policy", "history", "--json")[1])
    assert [one["thresholds"] for one in told] == [{"drift_retrain": 0.25}]
    assert "1 would differ" in say("policy", "replay", "--model", "spam", "--version", "1")[1]


def test_nothing_yet_is_said_so(say, db):
    assert "Nobody has changed the policy yet" in say("policy", "history")[1]
    assert "No decision was logged in this time." in say("policy", "replay")[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "ghost"), "there is no model ghost"),
        (("replay", "--since", "soon"), "say since when"),
        (("replay", "--set", "drift_retrain"), "NAME=VALUE"),
        (("replay", "--set", "drift_retrain=much"), "give drift_retrain a number"),
        (("replay", "--set", "drfit=1"), "no setting drfit"),
        (("replay", "--file", "/nowhere.yaml"), "cannot be read as YAML"),
        (("replay", "--version", "7"), "no policy version 7 for all models"),
        (("replay", "--version", "7", "--set", "drift_retrain=1"), "not both"),
        (("propose", "spam", "--reason", "x"), "at least one threshold"),
        (("propose", "spam", "--reason", "x", "--set", "drift_retrain=.5"), "nothing would change"),
        (("propose", "spam", "--reason", "x", "--unset", "drift_retrain"), "nothing would change"),
    ],
)
def test_what_cannot_be_is_one_clear_line(say, spam, words, sentence):
    code, out, err = say("policy", *words)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert sentence in err
