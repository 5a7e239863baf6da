import json

import pytest

from core import autonomy
from core.access import system
from tests.outcomes_kit import put_outcomes


@pytest.fixture
def granted(db, spam):
    with db.command(system("executor"), "action.execute") as command:
        autonomy.grant_in(command, model="sms_spam", kind="retrain", reason="well", by="apo")


def listed(say):
    rows = json.loads(say("autonomy", "list", "--model", "sms-spam", "--json")[1])
    return {row["kind"]: row for row in rows}


def test_the_ladder_is_listed(say, db, granted):
    put_outcomes(db, *["good"] * 4, model="sms_spam")
    code, out, _ = say("autonomy", "list")
    assert code == 0
    assert "sms_spam  retrain          earning  4" in out
    assert "Ceiling: at most 2 a day" in out
    rows = listed(say)
    assert (rows["retrain"]["state"], rows["retrain"]["more_needed"]) == ("earning", 7)
    assert (rows["rollback"]["state"], rows["rollback"]["since"]) == ("off", None)


def test_a_leave_is_proposed_and_not_given(say, spam, as_ana):
    code, out, _ = say("autonomy", "propose", "sms-spam", "retrain", "--reason", "ten of ten")
    assert (code, "Another person decides in the inbox" in out) == (0, True)
    assert listed(say)["retrain"]["state"] == "off"
    code, _, err = say("autonomy", "propose", "sms-spam", "promote", "--reason", "x")
    assert (code, "never left to the product" in err) == (1, True)


def test_a_leave_is_withdrawn_once(say, granted):
    given = ("autonomy", "withdraw", "sms-spam", "retrain", "--reason", "I look first")
    assert "A person decides again to retrain sms_spam." in say(*given)[1]
    code, _, err = say(*given)
    assert (code, "has no leave to retrain sms_spam" in err) == (1, True)
