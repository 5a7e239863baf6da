import re

import pytest

from core.cli.demo import Teller
from core.panel import Panel
from core.tables.telemetry import MonitorReport
from tests.core.recommendations import kit


@pytest.fixture
def told(spam, release, capsys):
    """``told(teller)`` is what the demo says about all that is new, as (time, sentence)."""
    release("sms_spam", "1.0.0")

    def look(teller):
        teller.look()
        return re.findall(r"^  (\d:\d\d)  (.*)$", capsys.readouterr().out, re.MULTILINE)

    return look


@pytest.fixture
def story(settings, db, clock, told):
    settings = settings.model_copy(update={"admin_name": "adm"})
    return lambda *, hands_free=False: Teller(Panel(settings, db, clock), hands_free=hands_free)


def judged(db, clock, version, state="pass"):
    row = MonitorReport(
        id=state, model="sms_spam", version=version, kind="performance", state=state,
        window_start=clock(), window_end=clock(), n_reference=0, n_current=300, score=0.98,
        p_value=None, method="m", sentence="accuracy is 98 %", figures={}, assumptions="",
        window_last_id="", follows=state, at=clock(),
    )  # fmt: skip
    with db.append() as session:
        session.add(row)


def test_what_waits_is_said_once_with_its_time(db, told, story):
    teller = story()
    kit.propose(db, "retrain", model="sms_spam")
    assert told(teller) == [("0:00", "Waits for you in the Inbox: retrain sms_spam")]
    assert told(teller) == []


def test_with_free_hands_it_approves_what_waits_as_the_first_admin(db, told, story):
    teller = story(hands_free=True)
    row = kit.propose(db, "retrain", model="sms_spam")
    assert ("0:00", "Approved by the demo.") in told(teller)
    assert kit.stored(db, row).decided_by == "adm"


def test_it_is_over_once_the_accuracy_after_a_release_is_known(db, clock, told, story, release):
    teller = story()
    release("sms_spam", "3.0.0")
    assert told(teller) == [("0:00", "sms_spam now serves 3.0.0.")]
    judged(db, clock, "3.0.0", "inconclusive")
    assert told(teller) == []
    assert not teller.over
    clock.forward(seconds=12)
    judged(db, clock, "3.0.0")
    assert told(teller) == [("0:00", "After the release: accuracy is 98 %")]
    assert teller.over
