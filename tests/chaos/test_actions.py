"""`kill -9` of who carries approved actions out, and many who decide at once."""

import multiprocessing
import time
from collections import Counter
from contextlib import suppress

import pytest

from core import audit
from core.clock import utc_now
from core.db import Database
from tests.chaos import approvals, executors

pytestmark = pytest.mark.processes
LONG = [pytest.mark.chaos, pytest.mark.timeout(900)]
AT_ONCE = 2


@pytest.fixture
def settings(database_url, tmp_path):
    return executors.settings_for(tmp_path, database_url)


@pytest.fixture
def real(settings):
    """The database under the machine's own clock, as the processes have it."""
    db = Database(settings, utc_now)
    yield db
    db.engine.dispose()


def killed(db, settings, stream, calls, kills, *, lease=0.4, **how):
    """Kill executors, two at a time, while actions are approved; return how far each had come."""
    db.engine.dispose()  # before the forks, and they before there is a second thread
    context, stories = multiprocessing.get_context("fork"), []
    pipes = [context.Pipe(duplex=False) for _ in range(AT_ONCE)]
    processes = [
        context.Process(
            target=executors.victims,
            args=(writer.send, settings, calls),
            kwargs={"kills": kills // AT_ONCE, "lease": lease, "seed": seed, **how},
        )
        for seed, (_, writer) in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    with stream:
        for (reader, writer), process in zip(pipes, processes, strict=True):
            writer.close()
            stories += heard(reader)
            process.join()
    return stories


def heard(reader):
    """Yield what arrives, until the other end is closed."""
    with reader, suppress(EOFError):
        while True:
            yield reader.recv()


def finish_what_is_left(db, settings, calls):
    """Let an executor that nobody kills carry out the rest."""
    outside, deadline = executors.Outside(calls, slow=0), time.monotonic() + 60
    for _ in executors.carried_out(db, settings, outside, lambda _word: None, lease=5):
        if not approvals.open_ones(db) or time.monotonic() > deadline:
            return


def seen(calls):
    """Return (key, number) of each call as the outside saw it."""
    return [tuple(line.split()) for line in calls.read_text().splitlines()]


def where(stories):
    last = Counter(story[-1:] for story in stories)
    return (
        f"{last['c']} while it carried out, {last['x']} between the effect and the end of its job,"
        f" {last['e']} between two jobs"
    )


@pytest.mark.parametrize(
    "kills", [pytest.param(16, id="short"), pytest.param(1000, id="long", marks=LONG)]
)
def test_each_approved_action_happens_once_however_often_its_executor_is_killed(
    real, settings, tmp_path, kills
):
    calls, began = tmp_path / "calls", time.monotonic()
    calls.touch()
    stream = approvals.Approvals(real, models=min(40, kills))
    stories = killed(real, settings, stream, calls, kills)
    finish_what_is_left(real, settings, calls)
    told, seconds = approvals.tally(real, seen(calls)), time.monotonic() - began
    print(f"\n{name(real)}: {kills} kills in {seconds:.0f} s, {where(stories)}: {told}")
    assert len(stories) == kills
    assert told.duplicated == told.missing == approvals.open_ones(real) == []
    assert told.approved > kills / 10
    assert audit.verify(real).whole


def name(db):
    return db.engine.dialect.name
