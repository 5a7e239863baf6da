import threading
from datetime import timedelta

import pytest

from core import jobs
from core.errors import ConflictError, NotFoundError

LEASE = timedelta(seconds=30)


def add(db, kind="train", **more):
    with db.keep() as session:
        return jobs.enqueue(session, kind, {"a": 1}, now=db.clock(), **more)


def state(db, job):
    with db.read() as session:
        return jobs.get(session, job.id).state


def test_jobs_are_claimed_in_the_order_in_which_they_came(db, clock):
    first = add(db)
    clock.forward(seconds=1)
    add(db)
    assert jobs.claim(db, "w1", lease=LEASE).job_id == first.id


def test_a_key_admits_one_job_only(db):
    assert add(db, key="slot-1").id == add(db, key="slot-1").id


def test_two_workers_never_hold_the_same_job(db):
    for _ in range(10):
        add(db)
    held = []

    def work(owner):
        while claim := jobs.claim(db, owner, lease=LEASE):
            held.append(claim.job_id)

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == len(set(held)) == 10


def test_a_silent_workers_job_is_taken_over_and_its_old_claim_is_refused(db, clock):
    add(db)
    old = jobs.claim(db, "w1", lease=LEASE)
    clock.forward(seconds=31)
    new = jobs.claim(db, "w2", lease=LEASE)
    assert (new.job_id, new.fence) == (old.job_id, old.fence + 1)
    with db.keep() as session, pytest.raises(ConflictError, match="taken over"):
        jobs.check_fence(session, old)
    assert not jobs.finish(db, old, "succeeded")
    assert jobs.finish(db, new, "succeeded")


def test_a_heartbeat_keeps_the_claim(db, clock):
    add(db)
    claim = jobs.claim(db, "w1", lease=LEASE)
    clock.forward(seconds=20)
    assert jobs.heartbeat(db, claim, lease=LEASE)
    clock.forward(seconds=20)
    assert jobs.claim(db, "w2", lease=LEASE) is None


def test_a_running_job_hears_of_its_cancellation_at_the_next_heartbeat(db, clock):
    job = add(db)
    claim = jobs.claim(db, "w1", lease=LEASE)
    with db.keep() as session:
        jobs.request_cancel(session, job.id, now=clock())
    assert not jobs.heartbeat(db, claim, lease=LEASE)


def test_a_waiting_job_is_cancelled_at_once_and_a_finished_one_not_at_all(db, clock):
    job = add(db)
    with db.keep() as session:
        jobs.request_cancel(session, job.id, now=clock())
    assert state(db, job) == "cancelled"
    with db.keep() as session, pytest.raises(ConflictError, match="has cancelled already"):
        jobs.request_cancel(session, job.id, now=clock())


def test_a_failing_job_waits_and_is_the_callers_to_end_after_its_last_attempt(db, clock):
    job = add(db, max_attempts=2)
    claim = jobs.claim(db, "w1", lease=LEASE)
    assert jobs.retry(db, claim, error="away", delay=timedelta(seconds=5))
    assert jobs.claim(db, "w1", lease=LEASE) is None
    clock.forward(seconds=6)
    assert not jobs.retry(db, jobs.claim(db, "w1", lease=LEASE), error="away", delay=LEASE)
    assert state(db, job) == "running"


def test_a_job_given_back_loses_no_attempt(db):
    add(db, max_attempts=1)
    jobs.release(db, jobs.claim(db, "w1", lease=LEASE))
    assert jobs.claim(db, "w2", lease=LEASE) is not None


def test_a_job_whose_worker_died_on_the_last_attempt_is_given_up_by_one_other(db, clock):
    job = add(db, max_attempts=1)
    jobs.claim(db, "w1", lease=LEASE)
    clock.forward(seconds=31)
    assert jobs.claim(db, "w2", lease=LEASE) is None
    assert [lost.job_id for lost in jobs.abandoned(db, "w2", lease=LEASE)] == [job.id]
    assert jobs.abandoned(db, "w3", lease=LEASE) == []


def test_progress_and_lines_are_seen_from_outside(db):
    job = add(db)
    claim = jobs.claim(db, "w1", lease=LEASE)
    jobs.progress(db, claim, done=3, total=10, note="fold 3")
    jobs.say(db, job.id, "first")
    with db.read() as session:
        seen = jobs.get(session, job.id)
        assert (seen.done, seen.total, seen.note) == (3, 10, "fold 3")
        assert [line.text for line in jobs.lines(session, job.id)] == ["first"]


def test_an_unknown_job_is_said_to_be_unknown(db):
    with db.read() as session, pytest.raises(NotFoundError, match="no job x"):
        jobs.get(session, "x")
