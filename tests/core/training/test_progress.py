import time
from datetime import timedelta

import pytest

from core import jobs
from core.errors import UnavailableError
from core.training import progress
from core.training.progress import Progress

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def claim(db, clock):
    with db.keep() as session:
        jobs.enqueue(session, "train", {}, now=clock())
    return jobs.claim(db, "w", lease=timedelta(minutes=1))


def notes(monkeypatch):
    """What was told since now."""
    told, tell = [], jobs.progress
    monkeypatch.setattr(jobs, "progress", lambda *of, **how: (told.append(how), tell(*of, **how)))
    return told


def test_a_long_step_keeps_telling_how_long_it_lasts(db, claim, monkeypatch):
    assert progress.TICK_SECONDS < 2  # how long a person sees nothing move, at most
    monkeypatch.setattr(progress, "TICK_SECONDS", 0.05)
    told = notes(monkeypatch)
    with Progress(db, claim, 10).during("fold 1"):
        time.sleep(0.4)
    assert told[0]["note"] == "fold 1"
    assert len(told) >= 4
    assert told[-1] == {"done": 0, "total": 10, "note": "fold 1, 0 s"}


def test_steps_are_counted_and_the_last_one_is_always_told(db, claim):
    steps = Progress(db, claim, 2)
    for name in ("fold 1", "fold 2"):
        with steps.step(name):
            pass
    with db.read() as session:
        job = jobs.get(session, claim.job_id)
    assert (job.done, job.total, job.note) == (2, 2, "fold 2")


def test_a_training_goes_on_while_nobody_can_be_told(db, claim, monkeypatch):
    def away(*_of, **_how):
        raise UnavailableError("the database does not answer")

    for name in ("progress", "say", "show"):
        monkeypatch.setattr(jobs, name, away)
    steps = Progress(db, claim, 1)
    with steps.step("fold 1"):
        steps.say("a line")
        steps.board(dict, last=True)
