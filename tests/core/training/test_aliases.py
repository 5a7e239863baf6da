"""Aliases follow what serves, whatever asked for them and when."""

from datetime import UTC, datetime

from sqlalchemy import select

from core import releases
from core.access import system
from core.releases import Arm
from core.tables.entities import ModelVersion
from core.tables.operational import Job
from core.training import aliases

MODEL = "sms_spam"


class Shelf:
    def __init__(self):
        self.seen = []

    def point(self, model, wanted):
        self.seen.append((model, dict(wanted)))


def told(db):
    with db.read() as session:
        return aliases.wanted(session, MODEL)


def split(db, first, second):
    with db.command(system("executor"), "release.experiment") as command:
        newest = releases.current(command.session, MODEL)
        arms = [Arm(first, "control", 800), Arm(second, "treatment", 200)]
        releases.append(command, MODEL, arms, replaces=newest.seq)


def test_nothing_is_named_before_the_first_release(db):
    assert told(db) == {}


def test_the_champion_serves_and_the_previous_one_served_before(db, release):
    release(MODEL, "1.0.0")
    assert told(db) == {"champion": "1.0.0"}
    release(MODEL, "2.0.0")
    assert told(db) == {"champion": "2.0.0", "previous": "1.0.0"}


def test_the_version_that_is_compared_is_the_challenger(db, release):
    release(MODEL, "1.0.0")
    release(MODEL, "2.0.0", release=False)
    split(db, "1.0.0", "2.0.0")
    assert told(db) == {"champion": "1.0.0", "challenger": "2.0.0"}


def test_without_a_comparison_the_staged_version_is_the_challenger(db, release, worker):
    release(MODEL, "1.0.0")
    release(MODEL, "2.0.0", release=False)
    with db.command(worker, "version.register") as command:
        staged = command.session.get_one(ModelVersion, (MODEL, "2.0.0"))
        staged.staged_at = datetime(2026, 1, 1, tzinfo=UTC)
    assert told(db)["challenger"] == "2.0.0"


def test_after_a_rollback_the_bad_version_has_no_name(db, release, ana):
    release(MODEL, "1.0.0")
    release(MODEL, "2.0.0")
    releases.roll_back(db, ana, MODEL, reason="nerves")
    assert told(db) == {"champion": "1.0.0"}


def test_each_release_leaves_one_job_and_any_job_shows_the_present(db, release):
    release(MODEL, "1.0.0")
    release(MODEL, "2.0.0")
    with db.read() as session:
        keys = set(session.scalars(select(Job.key).filter_by(kind="mirror")))
    assert keys == {f"mirror:{MODEL}:release 1", f"mirror:{MODEL}:release 2"}
    shelf = Shelf()
    aliases.mirror(db, shelf, "sms-spam")
    assert shelf.seen == [(MODEL, {"champion": "2.0.0", "previous": "1.0.0"})]
