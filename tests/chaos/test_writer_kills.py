"""`kill -9` of who writes the log and of who moves it, at random moments, again and again."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.serving import shipper, spool, storing
from core.tables.telemetry import HourlyCount, Prediction, SpoolPosition
from tests.chaos import victims

pytestmark = pytest.mark.processes
ROOT = Path(__file__).parents[2]
LONG = [pytest.mark.chaos, pytest.mark.timeout(900)]


def start(name, **options):
    process = subprocess.Popen(
        [sys.executable, victims.__file__, name, json.dumps(options)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("kills", "power"),
    [
        pytest.param(30, False, id="short"),
        pytest.param(1000, False, id="process", marks=LONG),
        pytest.param(1000, True, id="power", marks=LONG),
    ],
)
def test_what_was_said_to_be_written_is_stored_once_however_often_everybody_is_killed(
    db, settings, kills, power
):
    folder = settings.folder("spool")
    moving = start(
        "shipper", home=str(settings.root), url=settings.database_url, chunk=1 << 14,
        kills=kills * 5, longest=0.15, seed=power,
    )  # fmt: skip
    writing = start(
        "writer", folder=str(folder), power=power, kills=kills, longest=0.02, seed=kills
    )
    said = {kill: steps for kill, steps in lines(writing)}
    moving.terminate()
    killed = sum(1 for _ in lines(moving))
    while shipper.ship(db, settings):
        pass

    answered = {
        victims.answer(kill, number)["row"]["id"]
        for kill, steps in said.items()
        for number in range(steps * victims.ANSWERED)
    }
    stored = ids(db)
    print(
        f"{kills} kills of the writer, {killed} of the shipper: {len(answered)} said, "
        f"{len(stored)} stored, {len(answered - set(stored))} missing, "
        f"{len(stored) - len(set(stored))} twice"
    )
    assert len(said) == kills
    assert answered <= set(stored)
    assert len(stored) == len(set(stored)) <= len(answered) + kills * victims.ANSWERED
    assert counted(db) == recounted(stored)
    assert 0 <= faults(db) - sum(-(-n // victims.FAULT_EVERY) for n in said.values()) <= kills
    assert spool.files(folder) == spool.set_aside(folder) == []
    with db.read() as session:
        assert session.scalars(select(SpoolPosition)).all() == []


def lines(process):
    with process.stdout as said:
        for line in said:
            yield tuple(map(int, line.split()))
    process.wait()


def ids(db):
    with db.read() as session:
        return list(session.scalars(select(Prediction.id)))


def counted(db):
    """The hourly counters of answers as they are."""
    found = Counter()
    with db.read() as session:
        for row in session.scalars(select(HourlyCount).where(HourlyCount.version == "1.0.0")):
            found[row.variant, row.hour, "requests"] = row.requests
            found[row.variant, row.hour, "positives"] = row.positives
            found[row.variant, row.hour, "ms"] = row.latency_ms_sum
            for bucket, n in row.latency_buckets.items():
                found[row.variant, row.hour, bucket] = n
    return +found


def recounted(stored):
    """The same from the rows."""
    found, moments = Counter(), storing.Moments()
    for key in stored:
        record = victims.answer(*map(int, key.split("-")))
        row = record["row"]
        place = row["variant"], moments.read(row["at"])[1]
        found[*place, "requests"] += 1
        found[*place, "positives"] += record["positive"]
        found[*place, "ms"] += row["latency_ms"]
        found[*place, storing.latency_bucket(row["latency_ms"])] += 1
    return +found


def faults(db):
    with db.read() as session:
        return session.scalar(select(func.coalesce(func.sum(HourlyCount.errors), 0)))
