from datetime import timedelta

import pytest

from core import heartbeat, jobs
from core.automation import schedule
from core.tables.operational import Job, Tick
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
