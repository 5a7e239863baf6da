import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from core import jobs, registry, runs, specs, worker
from core.automation import child
from core.clock import utc_now
from core.datasets import versions
from core.db import Database
from core.errors import UnavailableError
from core.panel import Panel

LEASE = timedelta(seconds=30)
SLOW = """
name: slow
title: Slow
task: text
target: {column: label, positive: spam, negative: ham}
input: {text: message}
source: {builtin: messages, rows: 3000, noun: messages}
candidates: [{kind: random_forest, parameters: {n_estimators: 500}}]
folds: 10
"""
pytestmark = [
    pytest.mark.processes,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


@pytest.fixture
def panel(settings, monkeypatch):
    """A panel with the real clock, whose child processes meet the same settings."""
    monkeypatch.setenv("PILOTHOUSE_ENV", "test")
    monkeypatch.setenv("PILOTHOUSE_HOME", str(settings.home))
    monkeypatch.setenv("PILOTHOUSE_TRAINING_PROCESSES", "2")
    monkeypatch.setenv("PILOTHOUSE_SECRET_KEY", settings.secret_key.get_secret_value())
    db = Database(settings, utc_now)
    yield Panel(settings, db, utc_now)
    db.engine.dispose()


def group(leader):
    """The processes of a process group, without the dead ones."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, pgid = file.read_text().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(pgid) == leader and state != "Z":
            found.append(int(file.parent.name))
    return found


def until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def note(panel, claim):
    with panel.db.read() as session:
        return jobs.get(session, claim.job_id).note


def test_a_cancelled_training_ends_within_seconds_with_all_its_processes(panel, ana, monkeypatch):
    started = []
    start = child.start
    monkeypatch.setattr(child, "start", lambda claim: started.append(start(claim)) or started[0])
    specs.apply(panel.db, ana, SLOW)
    run = runs.request(panel.db, ana, "slow", trigger="test")
    claim = jobs.claim(panel.db, "w", lease=LEASE)
    carrying = threading.Thread(target=worker.carry_out, args=(panel, claim, worker.never()))
    carrying.start()
    until(lambda: started and len(group(started[0].pid)) >= 4, 90)  # it, their server, two of them

    before = note(panel, claim)
    until(lambda: note(panel, claim) != before, 60)

    runs.cancel(panel.db, ana, run.id, reason="wrong data")
    carrying.join(15)  # three seconds, where nothing else runs
    assert not carrying.is_alive()
    until(lambda: not group(started[0].pid), 5)
    with panel.db.read() as session:
        assert runs.get(session, run.id).state == "cancelled"
        assert jobs.get(session, claim.job_id).state == "cancelled"
        assert registry.versions(session, "slow") == []
        assert [row.role for row in versions.history(session, "slow")] == ["train"]


def test_what_is_away_stays_the_reason_of_the_waiting_job(panel, ana, monkeypatch):
    specs.apply(panel.db, ana, SLOW)
    run = runs.request(panel.db, ana, "slow", trigger="test")
    claim = jobs.claim(panel.db, "w", lease=LEASE)
    away = UnavailableError("no Ray cluster answers at 127.0.0.1:1")

    def work(_panel, _claim):
        raise away

    monkeypatch.setitem(child.RUNNERS, "train", child.RUNNERS["train"].__class__(work))
    monkeypatch.setattr(child, "build", lambda _settings: panel)
    monkeypatch.setattr(child.lifeline, "end_with_parent", lambda: None)
    monkeypatch.setattr(child.logs, "start", lambda *_: None)
    assert child.main(claim.job_id, str(claim.fence)) == child.RECORDED
    with panel.db.read() as session:
        job = jobs.get(session, claim.job_id)
        assert (job.state, job.error) == ("queued", str(away))
        assert runs.get(session, run.id).state == "queued"
