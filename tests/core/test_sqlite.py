"""A SQLite file that is moved or replaced under a running product is noticed, and written no more."""

import shutil
import threading
import time

import pytest
from sqlalchemy import select

from core import jobs, worker
from core.automation.runners import RUNNERS, Runner
from core.db import Database
from core.errors import MissingDatabaseError, UnavailableError
from core.panel import Panel
from core.serving import shipper
from core.serving.spool import Spool
from core.sqlite import file_of
from core.tables.telemetry import Prediction, SpoolPosition
from tests.core.serving.test_shipper import answer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def note(db, name):
    with db.append() as session:
        session.add(SpoolPosition(spool=name, offset=1, at=db.clock()))


def noted(db):
    with db.read() as session:
        return sorted(session.scalars(select(SpoolPosition.spool)))


@pytest.fixture
def moved(db):
    """Move the file away under an open connection; returns (where it was, where it is)."""
    note(db, "before")
    place = file_of(db.engine)
    away = place.with_name("away.db")
    place.rename(away)
    return place, away


def test_a_file_that_was_moved_away_is_missed_and_nothing_is_written_to_it(db, moved):
    place, away = moved
    for look in (noted, lambda db: note(db, "lost")):
        with pytest.raises(MissingDatabaseError, match="if it was moved, put it back"):
            look(db)
    assert not place.exists()
    away.rename(place)
    assert noted(db) == ["before"]


def test_while_another_file_lies_in_its_place_neither_is_written(db, moved):
    place, away = moved
    shutil.copy(away, place)
    before = place.read_bytes(), away.read_bytes()
    for look in (noted, lambda db: note(db, "lost")):
        with pytest.raises(UnavailableError, match="another file took the place of pilothouse.db"):
            look(db)
    assert (place.read_bytes(), away.read_bytes()) == before
    away.rename(place)
    assert noted(db) == ["before"]


def test_a_process_that_starts_anew_takes_what_lies_there(db, settings, clock, moved):
    place, away = moved
    db.engine.dispose()
    shutil.copy(away, place)
    anew = Database(settings, clock)
    note(anew, "after")
    assert noted(anew) == ["after", "before"]
    anew.engine.dispose()


def test_the_shipper_keeps_the_log_until_the_file_is_back(db, settings, clock, moved):
    place, away = moved
    log = Spool(settings.folder("spool"), max_bytes=1 << 26)
    log.append([answer(1, clock())])
    with pytest.raises(MissingDatabaseError):
        shipper.ship(db, settings)
    away.rename(place)
    assert shipper.ship(db, settings) == 1
    with db.read() as session:
        assert session.scalars(select(Prediction.id)).all() == ["id-00001"]
    log.close()


def test_a_worker_does_its_jobs_when_the_file_is_back_and_touches_no_other(
    db, settings, clock, moved, monkeypatch
):
    place, away = moved
    panel, done, stop = Panel(settings, db, clock), [], threading.Event()
    monkeypatch.setitem(RUNNERS, "test", Runner(lambda _panel, claim: done.append(claim.kind)))
    away.rename(place)
    with db.keep() as session:
        jobs.enqueue(session, "test", {}, now=clock())
    place.rename(away)
    shutil.copy(away, place)
    before = place.read_bytes(), away.read_bytes()
    working = threading.Thread(
        target=worker._repeat, args=(lambda: worker.work_once(panel, "w1", stop), stop)
    )
    working.start()
    time.sleep(0.3)
    assert (done, (place.read_bytes(), away.read_bytes())) == ([], before)
    away.rename(place)
    end = time.monotonic() + 30
    while not done and time.monotonic() < end:
        time.sleep(0.05)
    stop.set()
    working.join()
    assert done == ["test"]
