import json

import pytest


@pytest.fixture
def served(spam, release):
    release("sms_spam", "1.0.0")


def test_another_gate_is_proposed_and_until_then_the_old_one_counts(say, served, as_ana):
    assert json.loads(say("gate", "show", "sms-spam", "--json")[1])["floor"] == "0.93"
    given = ("--set", "floor=.9", "--reason", "rows are rare")
    out = say("gate", "propose", "sms-spam", *given)[1]
    assert "Proposed: Change the gate of sms_spam: floor 0.93 → 0.9." in out
    assert ["floor", "0.93"] in [
        line.split() for line in say("gate", "show", "sms-spam")[1].splitlines()
    ]


def test_a_value_that_is_none_is_one_clear_line(say, served, as_ana):
    told = ("--reason", "why")
    assert (
        "'floor' is not NAME=VALUE"
        in say("gate", "propose", "sms-spam", "--set", "floor", *told)[2]
    )
    code, _, err = say("gate", "propose", "sms-spam", "--set", "flor=1", *told)
    assert (code, "a gate has no flor" in err) == (1, True)
