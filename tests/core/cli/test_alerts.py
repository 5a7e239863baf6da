import json

import pytest

from core import incidents
from core.incidents import Finding


@pytest.fixture
def drifted(db, spam):
    return incidents.open(
        db,
        model="sms_spam",
        version="1.0.0",
        cause="drift",
        severity="high",
        title="The data has drifted: SMS spam 1.0.0",
        finding=Finding("drift", 0.31, 0.15, "r1", "the word crypto is new"),
    ).incident


def test_alerts_are_listed_with_their_figures(say, drifted):
    code, out, _ = say("alerts", "list", "--model", "sms-spam")
    assert code == 0
    assert "sms_spam" in out
    assert "0.31" in out
    _, out, _ = say("alerts", "list", "--state", "pending", "--json")
    assert json.loads(out) == {"alerts": [], "silences": []}


def test_an_unknown_state_is_one_clear_line(say, spam):
    code, _, err = say("alerts", "list", "--state", "loud")
    assert (code, "there is no state loud" in err) == (1, True)


def test_a_silence_is_previewed_made_listed_and_ended(say, drifted):
    given = ("alerts", "silence", "--model", "sms_spam", "--hours", "4", "--comment", "campaign")
    _, out, _ = say(*given, "--preview")
    assert "this covers 1 alert now" in out
    assert json.loads(say("alerts", "list", "--json")[1])["silences"] == []

    made = json.loads(say(*given, "--json")[1])
    assert made["state"] == "active"
    assert f"Silence {made['id']} (active): Alerts of sms_spam" in say("alerts", "list")[1]

    code, out, _ = say("alerts", "unsilence", made["id"], "--reason", "done")
    assert (code, "The silence is over" in out) == (0, True)
    assert say("alerts", "unsilence", made["id"], "--reason", "done")[0] == 1


def test_a_silence_of_nothing_is_refused(say, spam):
    code, _, err = say("alerts", "silence", "--hours", "1", "--comment", "x")
    assert (code, "must say what it covers" in err) == (1, True)


def test_an_incident_is_taken_and_resolved_with_a_reason(say, drifted):
    assert drifted.id in say("incidents", "list")[1]
    _, out, _ = say("incidents", "acknowledge", drifted.id, "--json")
    assert json.loads(out)["state"] == "acknowledged"

    code, out, _ = say("incidents", "resolve", drifted.id, "--reason", "known campaign")
    assert (code, out) == (0, "Resolved: The data has drifted: SMS spam 1.0.0\n")
    assert say("incidents", "list")[1] == "No incident is open.\n"
    _, out, _ = say("incidents", "list", "--all", "--json")
    assert [row["state"] for row in json.loads(out)] == ["resolved"]
    assert say("incidents", "resolve", drifted.id, "--reason", "again")[0] == 1


def test_an_empty_list_says_of_which_alerts_there_are_none(say):
    assert "No alert is live." in say("alerts", "list")[1]
    assert "No alert is resolved." in say("alerts", "list", "--state", "resolved")[1]
