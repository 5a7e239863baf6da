import threading
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

import pytest

from core import audit, jobs, specs
from core.access import system
from core.automation import schedule
from core.db import Database
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.settings import ROOT
from core.tables.operational import Job, Lease


@dataclass(frozen=True)
class Wired:
    db: Database


@pytest.fixture
def panel(db):
    return Wired(db)


@pytest.fixture
def every_15(db, release):
    release("spam", "1.0.0")
    return schedule.ensure(db, system("bootstrap"), "spam", "monitor", 15)


def run(panel, owner="w1"):
    return [(tick.state, tick.reason) for tick in schedule.run_due(panel, owner)]


def queued(db):
    with db.read() as session:
        scheduled = session.query(Job).filter(Job.kind != "mirror")  # a release leaves that one
        return scheduled.order_by(Job.created_at).all()


def end_jobs(db, state="succeeded", error=None):
    while held := jobs.claim(db, "w", lease=timedelta(minutes=1)):
        jobs.finish(db, held, state, error=error)


def ticks(db):
    with db.read() as session:
        return schedule.ticks(session, 100)


def test_a_due_slot_starts_one_job_with_the_model(panel, every_15, db):
    assert run(panel) == [("started", "")]
    job = queued(db)[0]
    assert (job.kind, job.payload) == ("monitor", {"model": "spam"})
    assert job.key == f"monitor:{every_15.id}:2030-01-01T12:00:00+00:00"
    assert ticks(db)[0].job_id == job.id


def test_a_slot_runs_once_however_often_it_is_looked_at(panel, every_15, db, clock):
    for _ in range(5):
        run(panel)
        clock.forward(minutes=2)
    assert len(queued(db)) == 1


def test_the_next_slot_runs_when_its_time_has_come(panel, every_15, db, clock):
    run(panel)
    end_jobs(db)
    clock.forward(minutes=15)
    assert run(panel) == [("started", "")]
    assert [tick.slot.minute for tick in ticks(db)] == [15, 0]


def test_a_model_that_came_since_the_start_is_checked_as_often_as_the_settings_say(
    panel, db, ana, release, settings
):
    specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text())
    release("sms_spam", "1.0.0")
    assert run(panel) == [("started", "")]
    with db.read() as session:
        made = schedule.find(session, "sms_spam", "monitor")
    assert (made.minutes, made.author) == (settings.monitor_minutes, "schedule")


def test_a_schedule_that_somebody_paused_is_not_made_anew(panel, db, ana, release, clock):
    specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text())
    release("sms_spam", "1.0.0")
    run(panel)
    with db.read() as session:
        made = schedule.find(session, "sms_spam", "monitor")
    schedule.pause(db, ana, made.id, "a holiday")
    clock.forward(minutes=15)
    assert run(panel) == [("skipped", "paused")]


def test_an_archived_model_is_checked_no_more(panel, db, ana, release):
    specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text())
    release("sms_spam", "1.0.0")
    schedule.ensure(db, system("bootstrap"), "sms_spam", "monitor", 15)
    with db.command(ana, "spec.apply") as command:
        specs.active_row(command.session, "sms_spam").state = "archived"
    assert run(panel) == [("skipped", "the model is archived")]


def test_before_a_release_the_slot_is_skipped_and_says_so(panel, db):
    schedule.ensure(db, system("bootstrap"), "spam", "monitor", 15)
    assert run(panel) == [("skipped", "nothing is released")]
    assert queued(db) == []


def test_while_the_previous_check_runs_the_slot_is_skipped(panel, every_15, clock):
    run(panel)
    clock.forward(minutes=15)
    assert run(panel) == [("skipped", "the previous check still runs")]


def test_a_paused_schedule_skips_until_it_is_resumed(panel, every_15, db, clock, ana):
    schedule.pause(db, ana, every_15.id, "maintenance")
    assert run(panel) == [("skipped", "paused")]

    schedule.resume(db, ana, every_15.id, "done")
    clock.forward(minutes=15)
    assert run(panel) == [("started", "")]
    with db.read() as session:
        reasons = [row.reason for row in audit.tail(session, action="schedule.change")]
    assert reasons[:2] == ["done", "maintenance"]


def test_after_a_pause_of_the_workers_only_the_newest_slot_runs(panel, every_15, db, clock):
    run(panel)
    end_jobs(db)
    clock.forward(hours=2)
    assert run(panel) == [
        ("skipped", "missed while no worker ran: 7 slots, only the newest is run"),
        ("started", ""),
    ]
    assert len(queued(db)) == 2


def test_a_clock_that_is_set_back_runs_no_slot_twice_and_goes_on(panel, every_15, db, clock):
    run(panel)
    end_jobs(db)
    clock.forward(days=365)
    run(panel)
    end_jobs(db)
    clock.forward(days=-365)

    assert run(panel) == []
    clock.forward(minutes=15)
    assert run(panel) == [("started", "")]
    slots = Counter(tick.slot for tick in ticks(db))
    assert max(slots.values()) == 1


def test_a_tick_tells_how_its_job_ended(panel, every_15, db, clock):
    run(panel)
    end_jobs(db, "failed", "the reference sample is gone")
    clock.forward(seconds=5)
    run(panel)
    assert [(tick.state, tick.reason) for tick in ticks(db)] == [
        ("failed", "the reference sample is gone")
    ]


def test_only_the_leader_runs_slots(panel, every_15, db, clock):
    run(panel, "w1")
    end_jobs(db)
    clock.forward(minutes=15)
    run(panel, "w1")
    clock.forward(seconds=10)
    assert schedule._lead(db, "w2") is None


def test_another_worker_takes_over_when_the_leader_falls_silent(panel, every_15, db, clock):
    run(panel, "w1")
    end_jobs(db)
    clock.forward(minutes=15)
    assert run(panel, "w2") == [("started", "")]
    with db.read() as session:
        lease = session.get(Lease, "schedule")
    assert (lease.owner, lease.fence) == ("w2", 2)


def test_a_leader_that_wakes_up_late_writes_nothing(panel, every_15, db, clock):
    asleep = schedule._lead(db, "w1")
    clock.forward(minutes=1)
    schedule._lead(db, "w2")
    assert schedule._run_slot(db, asleep, every_15) == []
    assert ticks(db) == []


def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_up(panel, every_15, clock):
    clock.forward(days=1)
    run(panel, "dead")
    clock.forward(days=-1)
    assert run(panel, "w2") == [("started", "")]


def test_a_worker_killed_in_the_middle_of_a_slot_leaves_nothing_and_the_next_runs_it(
    panel, every_15, db, clock, monkeypatch
):
    class KilledError(BaseException):
        pass

    def die(*_given, **_more):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(schedule, "_tick", die)
        with pytest.raises(KilledError):
            schedule.run_due(panel, "w1")
    assert (queued(db), ticks(db)) == ([], [])

    clock.forward(seconds=31)
    assert run(panel, "w2") == [("started", "")]


def test_many_workers_at_once_run_each_slot_once(panel, every_15, db, clock):
    for _ in range(4):
        together = threading.Barrier(3, timeout=60)

        def work(owner, together=together):
            together.wait()
            schedule.run_due(panel, owner)

        threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        end_jobs(db)
        clock.forward(minutes=15)

    assert [tick.state for tick in ticks(db) if tick.state == "skipped"] == []
    assert len(queued(db)) == len({tick.slot for tick in ticks(db)}) == 4


def test_ensuring_what_is_already_so_changes_nothing(db, every_15):
    again = schedule.ensure(db, system("bootstrap"), "Spam", "monitor", 15)
    assert again.id == every_15.id
    with db.read() as session:
        assert len(audit.tail(session, action="schedule.change")) == 1


def test_another_interval_keeps_the_schedule_and_its_pause(db, every_15, ana):
    schedule.pause(db, ana, every_15.id, "maintenance")
    changed = schedule.ensure(db, ana, "spam", "monitor", 30)
    assert (changed.id, changed.minutes, changed.state) == (every_15.id, 30, "paused")


def test_a_shorter_interval_counts_no_slots_as_missed_from_before_it(panel, every_15, db, clock):
    run(panel)
    end_jobs(db)
    clock.forward(minutes=14)
    schedule.ensure(db, system("bootstrap"), "spam", "monitor", 1)
    clock.forward(seconds=5)
    assert run(panel) == [("started", "")]


def test_bad_requests_are_refused_in_words(db, every_15, ana, vic):
    with pytest.raises(InvalidInputError, match="once a week"):
        schedule.ensure(db, ana, "spam", "monitor", 0)
    with pytest.raises(ConflictError, match="active already"):
        schedule.resume(db, ana, every_15.id, "why not")
    with pytest.raises(InvalidInputError, match="why"):
        schedule.pause(db, ana, every_15.id, " ")
    with pytest.raises(ForbiddenError):
        schedule.pause(db, vic, every_15.id, "quiet please")
    with pytest.raises(NotFoundError, match="no schedule x"):
        schedule.pause(db, ana, "x", "gone")


def test_the_background_scheduler_runs_slots_and_gives_the_lease_back(panel, every_15, db, clock):
    stop = schedule.start(panel, "w1")
    for _ in range(200):
        if ticks(db):
            break
        threading.Event().wait(0.05)
    stop()

    assert [tick.state for tick in ticks(db)] == ["started"]
    end_jobs(db)
    clock.forward(minutes=15)
    assert run(panel, "w2") == [("started", "")]


def test_a_schedule_says_when_it_runs_next(every_15, clock):
    assert schedule.next_slot(every_15, clock()) == clock() + timedelta(minutes=15)
