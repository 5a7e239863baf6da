"""`kill -9` of who carries approved actions out, and many who decide at once."""

import multiprocessing
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import select

from core import audit, recommendations
from core.adapters.scaler import WebhookScaler
from core.clock import utc_now
from core.db import Database
from core.tables.entities import ActionRow
from tests.chaos import approvals, clicking, executors, workers
from tests.fakes.http import Receiver

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


def finish_what_is_left(db, settings, outside):
    """Let an executor that nobody kills carry out the rest."""
    deadline = time.monotonic() + 60
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
    finish_what_is_left(real, settings, executors.Outside(calls))
    told, seconds = approvals.tally(real, seen(calls)), time.monotonic() - began
    print(f"\n{name(real)}: {kills} kills in {seconds:.0f} s, {where(stories)}: {told}")
    assert len(stories) == kills
    assert told.duplicated == told.missing == approvals.open_ones(real) == []
    assert told.approved > kills / 10
    assert audit.verify(real).whole


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_the_checks_the_same_kills_do_things_twice(real, settings, tmp_path):
    """Else the count above could not see a second effect."""
    calls = tmp_path / "calls"
    calls.touch()
    stream = approvals.Approvals(real, models=12, kinds=("notify", "scale"))
    killed(real, settings, stream, calls, 16, lease=0.1, unchecked=True)
    finish_what_is_left(real, settings, executors.Outside(calls))
    told = approvals.tally(real, seen(calls))
    print(f"\n{name(real)}, unchecked: 16 kills: {told}")
    assert len(told.duplicated) >= 2


@pytest.mark.parametrize(
    ("clicks", "rounds"),
    [pytest.param(12, 1, id="short"), pytest.param(100, 10, id="long", marks=LONG)],
)
def test_of_many_who_decide_at_once_one_decides(real, settings, tmp_path, clicks, rounds):
    stream = approvals.Approvals(real, models=rounds, kinds=("notify",))
    began, busy = time.monotonic(), 0
    for number in range(rounds):
        row = stream.propose(f"m{number}")
        answers = clicking.at_once(real, settings, row, clicks)
        busy += sum(answer.tries - 1 for answer in answers)
        won = [answer.verb for answer in answers if answer.won]
        with real.read() as session:
            decided = recommendations.get(session, row.id)
            queued = list(session.scalars(select(ActionRow.id).filter_by(recommendation_id=row.id)))
        assert won == [{"approved": "approve", "rejected": "reject"}[decided.state]]
        assert len(queued) == (won == ["approve"])
        assert Counter(clicking.recorded(real, row)) == {"done": 1, "refused": clicks - 1}
        lost = {answer.sentence for answer in answers if not answer.won}
        assert all(sentence.startswith("decided already") for sentence in lost), lost
    finish_what_is_left(real, settings, executors.Outside(tmp_path / "calls"))
    seconds = time.monotonic() - began
    print(
        f"\n{name(real)}: {rounds} times {clicks} processes that decide at once in {seconds:.0f} s:"
        f" one winner each; {busy} had to ask the database again"
    )
    assert approvals.open_ones(real) == []


@pytest.mark.parametrize(
    ("database_url", "kills"),
    [
        pytest.param("postgresql", 2, id="short"),
        pytest.param("postgresql", 50, id="long-postgresql", marks=LONG),
        pytest.param("sqlite", 50, id="long-sqlite", marks=LONG),
    ],
    indirect=["database_url"],
)
def test_each_approved_action_happens_once_however_often_workers_are_killed(
    real, settings, tmp_path, kills
):
    began, chance = time.monotonic(), random.Random(1)
    stream = approvals.Approvals(real, models=12, kinds=("promote", "notify", "scale"))
    with Receiver(slowly) as outside:
        place = workers.Place(settings, outside.url)

        def one(_number):
            with workers.Worker(place, turns=chance.randint(1, 8)) as worker:
                time.sleep(chance.uniform(0, 0.3))
                worker.kill()

        with stream, ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, range(kills)))
        finish_what_is_left(real, settings, WebhookScaler(place.called))
        wishes = [(got.headers["idempotency-key"], got.json) for got in scalings(outside)]
    told = approvals.tally(real, [(key, str(told["replicas"])) for key, told in wishes])
    seconds = time.monotonic() - began
    print(f"\n{name(real)}: {kills} kills of workers in {seconds:.0f} s: {told}")
    assert told.duplicated == told.missing == approvals.open_ones(real) == []
    assert told.approved > kills / 2
    assert audit.verify(real).whole


def slowly(received):
    time.sleep(0.2 if received.path == "/scale" else 0)
    return 200, {}, b"ok"


def scalings(outside):
    return [got for got in outside.received if got.path == "/scale"]


def name(db):
    return db.engine.dialect.name
