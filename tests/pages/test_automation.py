from dataclasses import asdict
from datetime import timedelta

import pytest

from core import heartbeat, jobs, recommendations
from core.access import system
from core.agent import policy_changes
from core.agent.policy import decide
from core.agent.replay.decision import spelled
from core.automation import schedule
from core.ids import new_id
from core.specs.thresholds import Policy
from core.tables.entities import FactBook
from core.tables.operational import Job, Tick
from tests.actions_kit import carry_out
from tests.fakes.facts import drifting
from tests.pages.looking import button, field, text_of


@pytest.fixture
def scheduled(panel, served, ana, clock):
    row = schedule.ensure(panel.db, ana, served, "monitor", 15)
    with panel.db.keep() as db:
        tick = Tick(
            id="t1",
            schedule_id=row.id,
            slot=clock.now,
            state="skipped",
            reason="the previous check still runs",
            at=clock.now,
        )
        db.add(tick)
    return row


def test_a_schedule_tells_its_next_slot_and_why_nothing_happened(open_page, scheduled, ana):
    shown = text_of(open_page("automation", ana))

    assert "monitor every 15 minutes" in shown
    assert "next in 15 min (2030-01-01 12:15:00 UTC)" in shown
    assert "skipped, the previous check still runs" in shown


def test_a_schedule_is_paused_and_resumed_with_a_reason(open_page, panel, scheduled, ana):
    page = open_page("automation", ana)
    field(page, "Why?").input("maintenance")
    button(page, "Pause").click().run()
    with panel.db.read() as db:
        assert schedule.all(db)[0].state == "paused"

    field(page, "Why?").input("done")
    button(page, "Resume").click().run()
    with panel.db.read() as db:
        assert schedule.all(db)[0].state == "active"


def test_without_a_worker_the_first_sentence_says_so(open_page, panel, scheduled, ana, clock):
    with panel.db.keep() as db:
        jobs.enqueue(db, "monitor", {"model": "sms_spam"}, now=clock.now)
        waiting = db.query(Job).filter_by(state="queued").count()  # its releases left some too
    shown = text_of(open_page("automation", ana))
    assert f"No worker is heard of: nothing runs by itself; {waiting} jobs waiting." in shown


def test_a_living_worker_is_shown(open_page, panel, scheduled, ana):
    heartbeat.beat(panel.db, "worker")
    while claim := jobs.claim(panel.db, "w", lease=timedelta(minutes=1)):
        jobs.finish(panel.db, claim, "succeeded")
    shown = text_of(open_page("automation", ana))
    assert "1 of 1 schedules run; 0 jobs waiting, 0 failed lately." in shown
    assert "worker, heard just now" in shown


def test_a_viewer_cannot_pause(open_page, scheduled, vic):
    page = open_page("automation", vic)
    assert not [one for one in page.button if one.label == "Pause"]


def decided(panel, clock, facts):
    """A decision as the agent writes it down."""
    verdict = decide(facts, Policy())
    with panel.db.command(system("agent"), "agent.decide") as command:
        row = FactBook(
            **{"id": new_id(clock.now), "model": "sms_spam", "facts": facts.plain()},
            **{"verdict": spelled(verdict), "digest": facts.digest(), "at": clock.now},
            **{"policy": asdict(Policy()), "policy_name": "built in"},
        )
        command.session.add(row)


@pytest.fixture
def policy_page(open_page, panel, served, clock):
    """The policy of the model, with one alarm of .3 decided about: ``policy_page(ana)``."""
    decided(panel, clock, drifting(0.3, model="sms_spam"))
    return lambda actor: open_page("automation", actor, part="Policy", scope="sms_spam")


def try_value(page, name, value):
    page.multiselect(key="names-sms_spam").select(name).run()
    page.number_input(key=f"value-sms_spam-{name}").set_value(value).run()
    return button(page, "Replay the last").click().run()


def test_the_policy_in_force_is_told_with_where_it_comes_from(policy_page, vic):
    page = policy_page(vic)
    assert "thresholds are in force: all of them built in." in text_of(page)
    assert "score from which a person is asked" not in text_of(page)
    assert not [one for one in page.button if one.label.startswith("Replay")]


def test_every_threshold_is_explained_once_it_is_opened(open_page, served, vic):
    page = open_page("automation", vic, part="Policy", every="true")
    assert "score from which a person is asked" in text_of(page)


def test_a_change_is_replayed_before_it_can_be_proposed(policy_page, ana):
    page = policy_page(ana)
    assert not [one for one in page.button if one.label.startswith("Propose")]
    page = try_value(page, "drift_retrain", 0.25)
    shown = text_of(page)
    assert "1 decision: 1 would differ (1 retrain instead of log only)." in shown
    assert "retrain, high: proposes to retrain" in shown
    assert button(page, "Propose this change")


def test_other_values_than_those_replayed_cannot_be_proposed(policy_page, ana):
    page = try_value(policy_page(ana), "drift_retrain", 0.25)
    page.number_input(key="value-sms_spam-drift_retrain").set_value(0.2).run()
    assert "These are other values than those that were replayed" in text_of(page)
    assert not [one for one in page.button if one.label.startswith("Propose")]


def test_values_that_do_not_fit_are_said_so_and_not_replayed(policy_page, ana):
    page = try_value(policy_page(ana), "drift_retrain", 0.1)
    assert "drift_urgent (0.15) must not be over drift_retrain (0.1)" in text_of(page)
    assert not [one for one in page.button if one.label.startswith("Propose")]


def test_a_change_is_proposed_with_a_reason_and_approved_by_another(
    policy_page, panel, settings, ana, apo
):
    page = try_value(policy_page(ana), "drift_retrain", 0.25)
    field(page, "Why should the policy change").input("too patient")
    button(page, "Propose this change").click().run()
    assert "drift retrain 0.25" in text_of(page)
    with panel.db.read() as db:
        row = next(one for one in recommendations.waiting(db) if one.kind == "change_policy")
    recommendations.approve(panel.db, apo, row.id, digest=row.digest, solo=False)
    carry_out(panel.db, settings)

    shown = text_of(policy_page(ana))
    assert "1 by versions that people approved" in shown
    assert "in force since just now" in shown


def test_undoing_a_policy_proposes_the_one_before(policy_page, panel, settings, ana, apo):
    row = policy_changes.propose(
        panel.db, ana, scope="sms_spam", thresholds={"drift_retrain": 0.25}, reason="too patient"
    )
    recommendations.approve(panel.db, apo, row.id, digest=row.digest, solo=False)
    carry_out(panel.db, settings)
    page = policy_page(ana)
    field(page, "Why?").input("too many alarms")
    button(page, "Undo").click().run()
    with panel.db.read() as db:
        titles = [one.title for one in recommendations.waiting(db)]
    assert "Let the policy of sms_spam be what it lies over again" in titles


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("Autonomy", "What it may do without asking"),
        ("Notes", "Notes and freezes"),
        ("Evaluation", "How well it decides"),
    ],
)
def test_only_the_part_that_is_open_is_drawn(open_page, scheduled, ana, part, words):
    shown = text_of(open_page("automation", ana, part=part))
    assert words in shown
    assert "every 15 minutes" not in shown
