import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from core import jobs, worker
from core.errors import ConflictError, UnavailableError
from core.panel import Panel

LEASE = timedelta(seconds=30)


@pytest.fixture
def panel(settings, db, clock):
    return Panel(settings, db, clock)


@pytest.fixture
def runner(monkeypatch):
    """Let jobs of the kind "test" run a given function; notes what is left behind."""
    from core.automation.runners import RUNNERS, Runner

    left = []

    def put(work, *, in_child=False):
        monkeypatch.setitem(
            RUNNERS,
            "test",
            Runner(
                work,
                in_child=in_child,
                on_failure=lambda _panel, _claim, why: left.append(("failed", why)),
                on_cancel=lambda _panel, _claim, why: left.append(("cancelled", why)),
            ),
        )
        return left

    return put


@pytest.fixture
def child(monkeypatch):
    """Let the child process of a job be a given line of Python."""

    def put(code):
        monkeypatch.setattr(
            "core.automation.child.start",
            lambda _claim: subprocess.Popen([sys.executable, "-c", code], start_new_session=True),
        )

    return put


def claimed(panel, **more):
    with panel.db.keep() as session:
        jobs.enqueue(session, "test", {}, now=panel.clock(), **more)
    return jobs.claim(panel.db, "w1", lease=LEASE)


def job(panel, claim):
    with panel.db.read() as session:
        return jobs.get(session, claim.job_id)


def carry_out(panel, claim, stop=None):
    worker.carry_out(panel, claim, stop or threading.Event())
    return job(panel, claim)


def test_a_job_that_ends_well_keeps_its_result(panel, runner):
    runner(lambda _panel, _claim: {"answer": 42})
    done = carry_out(panel, claimed(panel))
    assert (done.state, done.result) == ("succeeded", {"answer": 42})


def test_an_expected_error_fails_the_job_with_its_sentence_and_tells_the_feature(panel, runner):
    def refuse(_panel, _claim):
        raise ConflictError("the run was cancelled")

    left = runner(refuse)
    done = carry_out(panel, claimed(panel))
    assert (done.state, done.error) == ("failed", "the run was cancelled")
    assert left == [("failed", "the run was cancelled")]


def test_a_job_waits_while_something_it_needs_is_away(panel, runner):
    def away(_panel, _claim):
        raise UnavailableError("the store is away")

    left = runner(away)
    assert carry_out(panel, claimed(panel)).state == "queued"
    assert left == []


def test_a_fault_of_ours_is_tried_again_and_its_words_stay_in_the_log(panel, runner):
    def broken(_panel, _claim):
        raise KeyError("secret-detail")

    left = runner(broken)
    assert carry_out(panel, claimed(panel)).state == "queued"
    done = carry_out(panel, claimed(panel, max_attempts=1))
    assert (done.state, done.error) == ("failed", "an unexpected fault: KeyError")
    assert left == [("failed", "an unexpected fault: KeyError")]


def test_a_cancelled_child_is_killed_within_seconds(panel, runner, child):
    left = runner(None, in_child=True)
    child("import time; time.sleep(60)")
    claim = claimed(panel)
    threading.Timer(0.5, lambda: cancel(panel, claim)).start()

    started = time.monotonic()
    done = carry_out(panel, claim)
    assert time.monotonic() - started < 5
    assert (done.state, left) == ("cancelled", [("cancelled", "cancelled")])


def cancel(panel, claim):
    with panel.db.keep() as session:
        jobs.request_cancel(session, claim.job_id, now=panel.clock())


def test_a_child_that_dies_is_tried_again_and_then_given_up(panel, runner, child):
    left = runner(None, in_child=True)
    child("import os; os.kill(os.getpid(), 9)")
    assert carry_out(panel, claimed(panel)).state == "queued"
    done = carry_out(panel, claimed(panel, max_attempts=1))
    assert (done.state, left) == ("failed", [("failed", "its process ended with code -9")])


def test_a_worker_that_has_to_go_gives_the_job_back(panel, runner, child):
    runner(None, in_child=True)
    child("import time; time.sleep(60)")
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    done = carry_out(panel, claimed(panel, max_attempts=1), stop)
    assert (done.state, done.attempts) == ("queued", 0)


def test_a_child_whose_job_was_taken_over_is_killed_and_writes_nothing(panel, runner, child, clock):
    left = runner(None, in_child=True)
    child("import time; time.sleep(60)")
    claim = claimed(panel)
    clock.forward(seconds=31)
    taken = jobs.claim(panel.db, "w2", lease=LEASE)
    done = carry_out(panel, claim)
    assert (done.state, done.fence, left) == ("running", taken.fence, [])


def test_an_abandoned_job_is_failed_by_whichever_worker_comes_next(panel, runner, clock):
    left = runner(lambda _panel, _claim: {})
    claimed(panel, max_attempts=1)
    clock.forward(seconds=31)
    worker.work_once(panel, "w2", threading.Event())
    assert left[0][0] == "failed"


def test_a_feature_hears_of_a_failure_before_the_job_is_over(panel, runner, monkeypatch):
    """In the other order, a crash in between would leave a run that waits for ever."""
    from core.automation.runners import RUNNERS, Runner

    seen = []

    def note(panel, claim, _why):
        seen.append(job(panel, claim).state)

    monkeypatch.setitem(RUNNERS, "test", Runner(lambda *_: 1 / 0, on_failure=note))
    done = carry_out(panel, claimed(panel, max_attempts=1))
    assert (seen, done.state) == (["running"], "failed")


def test_a_crash_while_giving_up_leaves_the_job_to_the_next_worker(
    panel, runner, clock, monkeypatch
):
    from core.automation.runners import RUNNERS, Runner

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(RUNNERS, "test", Runner(lambda *_: 1 / 0, on_failure=crash))
    claim = claimed(panel, max_attempts=1)
    with pytest.raises(KeyboardInterrupt):
        carry_out(panel, claim)
    clock.forward(seconds=31)
    left = runner(lambda *_: {})
    worker.work_once(panel, "w2", threading.Event())
    assert left[0][0] == "failed"
    assert job(panel, claim).state == "failed"


def test_a_job_of_a_kind_that_this_version_does_not_know_fails_alone(panel):
    with panel.db.keep() as session:
        jobs.enqueue(session, "from the future", {}, now=panel.clock())
    done = carry_out(panel, jobs.claim(panel.db, "w1", lease=LEASE))
    assert (done.state, "knows no job" in done.error) == ("failed", True)


def test_a_broken_step_does_not_end_the_thread():
    stop, steps = threading.Event(), []

    def step():
        steps.append(1)
        if len(steps) > 1:
            stop.set()
        raise KeyError("broken")

    worker._repeat(step, stop)
    assert len(steps) == 2
