"""Aliases follow what serves, whatever asked for them and when."""

from datetime import UTC, datetime

from sqlalchemy import select

from core import releases
from core.access import system
from core.releases import Arm
from core.tables.entities import ModelVersion, Run
from core.tables.operational import Job
from core.training import aliases

MODEL = "sms_spam"


class Shelf:
    def __init__(self, *known):
        self.known, self.seen = known, []

    def point(self, model, wanted, *, shown):
        self.seen.append((model, dict(wanted)))
        self.shown = shown
        return frozenset(wanted.values()) - set(self.known)


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
    shelf = Shelf("1.0.0", "2.0.0")
    aliases.mirror(db, shelf, "sms-spam")
    assert shelf.seen == [(MODEL, {"champion": "2.0.0", "previous": "1.0.0"})]


def test_a_version_that_was_imported_is_not_waited_for_and_the_job_says_so(db, release, worker):
    release(MODEL, "1.0.0")
    release(MODEL, "2.0.0")
    with db.command(worker, "version.register") as command:
        for version, kind in (("1.0.0", "train"), ("2.0.0", "import")):
            command.session.add(run_row(version, kind, command.now))
    shelf = Shelf("1.0.0")
    told = aliases.mirror(db, shelf, MODEL)
    assert shelf.shown == {"1.0.0"}
    assert told == {"previous": "1.0.0", "skipped": "2.0.0: no training here made it"}


def run_row(version, kind, now):
    return Run(
        id=f"run-{MODEL}-{version}", model=MODEL, kind=kind, state="finished", job_id="",
        spec_version=1, candidates=[], parameters={}, metrics={}, leaderboard=[], trigger="test",
        reason="", author="ana", at=now, version=version,
    )  # fmt: skip
