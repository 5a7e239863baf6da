from datetime import timedelta

import pytest
from pydantic import SecretStr

from core import jobs, predictions, recommendations
from core.adapters.mlflow_store import MlflowStore
from core.automation import watch
from core.automation.runners import RUNNERS, warm
from core.errors import UnavailableError
from core.panel import Panel
from core.tables.entities import ModelVersion
from core.training import tracking

LEASE = timedelta(minutes=5)


@pytest.fixture
def panel(settings, db, clock):
    return Panel(settings, db, clock)


@pytest.fixture
def claim(db, worker):
    with db.command(worker, "version.register") as command:
        job = tracking.make_sure(command, "r1")
        job.run_after = command.now
    return lambda: jobs.claim(db, "one", lease=LEASE)


def scripted(monkeypatch, answer):
    def once(_db, _settings, tracker, run_id):
        assert isinstance(tracker, MlflowStore)
        if isinstance(answer, Exception):
            raise answer
        return f"{answer} {run_id}"

    monkeypatch.setattr(tracking, "once", once)


def test_a_training_is_shown_by_its_job(panel, claim, monkeypatch):
    scripted(monkeypatch, "shown")
    assert RUNNERS["track"].work(panel, claim()) == {"mlflow_run_id": "shown r1"}


def test_while_the_tracking_server_is_away_its_job_waits_ever_longer(
    panel, db, clock, claim, monkeypatch
):
    scripted(monkeypatch, UnavailableError("it is away"))
    for minutes in (1, 2, 4, 8):
        held = claim()
        result = RUNNERS["track"].work(panel, held)
        assert not jobs.finish(db, held, "succeeded", result=result)
        clock.forward(minutes=minutes, seconds=-1)
        assert claim() is None
        clock.forward(seconds=1)
    with db.read() as session:
        job = jobs.newest(session, "track:")
    assert (job.state, job.error) == ("queued", "it is away")


def test_after_its_last_attempt_the_worker_gives_it_up(panel, db, claim, monkeypatch):
    scripted(monkeypatch, UnavailableError("it is away"))
    held = claim()
    with db.keep() as session:
        jobs.get(session, held.job_id).attempts = tracking.MOST_ATTEMPTS
    with pytest.raises(UnavailableError):
        RUNNERS["track"].work(panel, held)


@pytest.mark.parametrize(("labels", "queued"), [(99, False), (100, True)])
def test_watching_a_model_asks_to_judge_again_what_lacked_evidence(
    panel, db, worker, release, monkeypatch, labels, queued
):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    with db.command(worker, "version.register") as command:
        row = command.session.get_one(ModelVersion, ("spam", "2.0.0"))
        row.gate = {"answer": "not_enough_evidence", "more_rows_needed": 400}
    quiet = watch.Checked((), None, opened=False, resolved=(), needs_answer=False)
    monkeypatch.setattr(watch, "check", lambda *_: quiet)
    monkeypatch.setattr(predictions, "labels_since", lambda *_: labels)
    for _ in range(2):
        RUNNERS["monitor"].work(panel, jobs.Claim("j", "monitor", {"model": "spam"}, 1))
    with db.read() as session:
        found = [job for job in jobs.recent(session) if job.kind == "judge_again"]
    assert [job.payload["look"] for job in found] == ([2] if queued else [])


def test_a_question_is_answered_by_its_job(panel, db, ana):
    row = recommendations.propose(
        db,
        ana,
        model="*",
        kind="notify",
        arguments={},
        title="Tell everybody",
        reasoning="because",
    )
    asked = recommendations.ask(db, ana, row.id, text="Why?")
    claim = jobs.claim(db, "one", lease=LEASE)
    result = RUNNERS[claim.kind].work(panel, claim)
    with db.read() as session:
        given = recommendations.conversation(session, row.id)[1]
    assert (given.id, given.author, given.answers) == (result["message"], "rules", asked.id)


def test_a_worker_without_a_model_loads_nothing_ahead(settings, monkeypatch):
    loaded = []
    monkeypatch.setattr("core.adapters.langchain_advisor.load", lambda: loaded.append(1))
    warm(settings)
    assert loaded == []
    warm(settings.model_copy(update={"openai_api_key": SecretStr("k")}))
    assert loaded == [1]
