from datetime import timedelta

import pytest

from core import jobs, runs
from core.errors import ConflictError, UnavailableError
from core.training import tracking
from core.training.run import carry_out

LEASE = timedelta(minutes=10)
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Scripted:
    """A tracking server that answers, or fails, as told."""

    def __init__(self, answer):
        self.answer, self.seen = answer, []

    def log(self, run):
        self.seen.append(run)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_tracking_servers_id_is_kept_with_the_run(db, train, small):
    tracker = Scripted("there-1")
    version = train("small", tracker)
    with db.read() as session:
        run = runs.get(session, version.run_id)
        job = jobs.get(session, run.job_id)
    assert (run.mlflow_run_id, job.done) == ("there-1", job.total)
    assert (tracker.seen[0].version, tracker.seen[0].dataset_rows) == ("1.0.0", 900)


@pytest.mark.parametrize("error", [UnavailableError("it is away"), RuntimeError("a bug in there")])
def test_a_tracking_server_that_is_away_is_a_note(db, train, small, error):
    version = train("small", Scripted(error))
    with db.read() as session:
        run = runs.get(session, version.run_id)
        lines = [line.text for line in jobs.lines(session, run.job_id)]
    assert (run.state, run.mlflow_run_id) == ("finished", None)
    assert f"not shown on the tracking server: {type(error).__name__}: {error}" in lines


def test_a_training_that_was_not_shown_is_shown_later_from_what_is_stored(
    db, settings, train, small
):
    away, back = Scripted(UnavailableError("it is away")), Scripted("there-2")
    version = train("small", away)
    for _ in range(2):
        assert tracking.once(db, settings, back, version.run_id) == "there-2"
    assert back.seen == away.seen
    with db.read() as session:
        assert runs.get(session, version.run_id).mlflow_run_id == "there-2"


def test_a_process_that_ends_right_after_registering_leaves_the_job_that_shows_the_training(
    db, settings, begun, clock, monkeypatch
):
    class Killed(BaseException):
        pass

    def killed(*_arguments):
        raise Killed

    run, claim = begun
    tracker = Scripted("there")
    tracker.log = killed
    with pytest.raises(Killed):
        carry_out(settings, db, claim, run.id, tracker)
    jobs.finish(db, claim, "succeeded")
    assert jobs.claim(db, "two", lease=LEASE) is None
    clock.forward(minutes=3)
    later = jobs.claim(db, "two", lease=LEASE)
    assert (later.kind, later.payload) == ("track", {"run_id": run.id})


def test_a_failed_training_has_nothing_to_show(db, settings, begun):
    run, _claim = begun
    with pytest.raises(ConflictError, match="yielded no version"):
        tracking.once(db, settings, Scripted("there"), run.id)
