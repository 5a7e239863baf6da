"""A change of the policy in the browser: tried on the past, proposed, approved by another person."""

import re
from dataclasses import asdict
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from core.access import system
from core.agent.policy import decide
from core.agent.replay.decision import spelled
from core.clock import utc_now
from core.ids import new_id
from core.specs.thresholds import Policy
from core.tables.entities import FactBook
from tests.actions_kit import carry_out
from tests.fakes.facts import drifting

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
POLICY = "/automation?part=Policy&scope=sms_spam"


def decisions(panel, model="sms_spam"):
    """A month of alarms of every size, two a day, as the agent wrote its decisions down."""
    with panel.db.command(system("agent"), "agent.decide") as command:
        for number in range(60):
            at = utc_now() - timedelta(hours=12 * number + 1)
            facts = drifting(score=round(0.05 + 0.55 * (number * 7 % 20) / 20, 4), model=model)
            row = FactBook(
                **{"id": new_id(at), "model": model, "facts": facts.plain(), "at": at},
                **{"verdict": spelled(decide(facts, Policy())), "digest": facts.digest()},
                **{"policy": asdict(Policy()), "policy_name": "built in"},
            )
            command.session.add(row)


def choose(me, name, value):
    me.page.get_by_label("Thresholds to change").fill(name)
    me.page.get_by_role("option", name=name, exact=True).click()
    me.idle()
    me.page.keyboard.press("Escape")  # closes the list of options
    expect(me.page.get_by_role("option")).to_have_count(0)
    given = me.page.get_by_label(re.compile(rf"^{name} \("))
    given.fill(value)
    given.press("Enter")
    me.idle()


def test_a_change_is_tried_on_the_past_proposed_and_approved_by_another(house):
    decisions(house.panel)
    me, other = house("ana"), house("apo")
    me.moves(POLICY)
    choose(me, "drift retrain", "0.3")
    me.click("Replay the last 30 days")
    me.sees(re.compile(r"60 decisions: \d+ would differ"))
    for size in ("wide", "phone"):
        me.resize(size)
        assert me.wide_by() <= 0
        me.shoot_all(f"policy-light-{size}")
    me.resize("wide")
    assert me.axe() == []

    me.page.get_by_label("Why should the policy change?").fill("we would rather retrain early")
    me.click("Propose this change")
    me.sees("Proposed: Change the policy of sms_spam")
    other.approve("Change the policy of sms_spam", "agreed")
    carry_out(house.panel.db, house.panel.settings)
    me.moves(POLICY)
    me.sees("1 by versions that people approved")
    expect(me.page.locator(".st-key-version-1")).to_contain_text("in force since")
    house.check()


def test_the_policy_is_readable_in_the_dark(house):
    me = house("ana", theme="dark")
    me.moves(POLICY)
    for size in ("wide", "phone"):
        me.resize(size)
        assert me.wide_by() <= 0
        me.shoot_all(f"policy-dark-{size}")
    house.check()
