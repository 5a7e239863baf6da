"""What is left when workers, jobs or claims are gone: an end, or a job, and a word about it."""

import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from core import actions, audit, jobs, worker
from core.errors import ConflictError, UnavailableError
from core.panel import Panel
from core.tables.entities import ActionRow
from core.tables.operational import Job
from tests.actions_kit import approved, claimed, served, states, two_versions
from tests.fakes.scaling import FakeScaler

LEASE = timedelta(seconds=30)


@pytest.fixture
def promotion(db, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    with db.read() as session:
        return actions.recent(session)[0].id


def damage(db, words):
    with db.engine.begin() as connection:
        connection.execute(text(words))


def said(db):
    with db.read() as session:
        rows = [row for row in audit.tail(session) if row.action == "action.reconcile"]
    return [(row.detail.get("found"), row.reason) for row in rows]


def executing(db):
    with db.read() as session:
        return session.scalars(select(Job).filter_by(kind="execute")).all()


def test_where_all_is_well_nothing_is_written(db, settings, promotion):
    assert actions.reconcile(db) == 0
    claim, action_id = claimed(db)
    assert actions.reconcile(db) == 0
    actions.execute(db, settings, claim, action_id)
    assert (actions.reconcile(db), said(db)) == (0, [])


def test_an_action_without_a_job_gets_one_and_happens(db, settings, promotion):
    damage(db, "delete from job where kind = 'execute'")
    assert actions.reconcile(db) == 1
    assert said(db) == [("it had no job to carry it out; it has one again", "")]
    claim, action_id = claimed(db)
    actions.execute(db, settings, claim, action_id)
    assert (served(db), states(db)) == ("2.0.0", ("succeeded", "succeeded"))


def test_many_workers_that_look_at_once_give_it_one_job(db, promotion):
    damage(db, "delete from job where kind = 'execute'")
    gate = threading.Barrier(4)

    def look():
        gate.wait()
        with suppress(ConflictError):  # the unique key refuses the second of two at once
            actions.reconcile(db)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [job.state for job in executing(db)] == ["queued"]


@pytest.mark.parametrize("job", ["failed", "cancelled", "succeeded"])
def test_an_action_whose_job_is_over_without_it_fails_with_the_reason(db, promotion, job):
    damage(db, f"update job set state = '{job}', error = 'disk full' where kind = 'execute'")
    assert actions.reconcile(db) == 1
    assert (states(db), said(db)) == (
        ("failed", "failed"),
        [(f"its job was over ({job})", "disk full")],
    )
    assert actions.reconcile(db) == 0


def test_what_was_running_outside_is_said_to_be_unknown(db, promotion):
    damage(db, "update action set state = 'running'")
    damage(db, "update job set state = 'failed' where kind = 'execute'")
    actions.reconcile(db)
    with db.read() as session:
        assert "whether it happened outside is not known" in actions.get(session, promotion).error


@pytest.mark.parametrize(
    ("action", "proposal"),
    [("succeeded", "succeeded"), ("reverted", "succeeded"), ("failed", "failed")],
)
def test_an_approval_follows_its_action(db, promotion, action, proposal):
    damage(db, f"update action set state = '{action}'")
    assert actions.reconcile(db) == 1
    assert states(db) == (action, proposal)


def test_an_approval_without_an_action_does_not_stay_for_ever(db, promotion):
    damage(db, "delete from action")
    assert actions.reconcile(db) == 1
    assert said(db) == [("it had no action", "")]
    assert actions.reconcile(db) == 0


@pytest.fixture
def panel(settings, db, clock):
    return Panel(settings, db, clock)


def test_a_job_lost_on_its_last_attempt_fails_the_action_and_the_proposal(
    db, panel, clock, promotion
):
    for _ in range(3):
        assert jobs.claim(db, "w1", lease=LEASE, only=executing(db)[0].id)
        clock.forward(seconds=31)
    worker.work_once(panel, "w2", worker.never())
    assert states(db) == ("failed", "failed")
    with db.read() as session:
        assert "its worker stopped without a word" in actions.get(session, promotion).error


def test_what_was_away_on_the_last_attempt_is_the_reason_that_is_kept(
    db, panel, promotion, monkeypatch
):
    def away(*_args, **_options):
        raise UnavailableError("the database does not answer")

    monkeypatch.setattr(actions, "execute", away)
    for _ in range(3):
        damage(db, "update job set run_after = created_at")
        worker.carry_out(panel, claimed(db)[0], worker.never())
    assert states(db) == ("failed", "failed")
    with db.read() as session:
        assert actions.get(session, promotion).error == "the database does not answer"


def test_the_worker_looks_for_what_was_left_behind(db, panel, promotion, monkeypatch):
    monkeypatch.setattr(worker, "LOOK_SECONDS", 0)
    damage(db, "update job set state = 'failed', error = 'gone' where kind = 'execute'")
    worker.look_once(panel, worker.never())
    assert states(db) == ("failed", "failed")


def test_the_worker_carries_out_what_happens_outside(db, panel, ana, monkeypatch):
    panel.settings.scale_command = "scale {replicas}"
    outside = FakeScaler()
    monkeypatch.setattr("core.adapters.scaler.scaler", lambda _settings: outside)
    approved(db, ana, "scale", replicas="3")
    worker.carry_out(panel, claimed(db)[0], worker.never())
    assert (states(db), outside.asked[0][1]) == (("succeeded", "succeeded"), 3)


def test_a_worker_killed_between_the_effect_and_the_end_of_its_job_leaves_a_word(
    db, settings, clock, promotion
):
    first, action_id = claimed(db)
    actions.execute(db, settings, first, action_id)
    clock.forward(seconds=31)
    second, _ = claimed(db, "w2")
    actions.execute(db, settings, second, action_id)
    assert said(db) == [("it had happened already", "")]
    with db.read() as session:
        assert session.scalars(select(ActionRow.state)).all() == ["succeeded"]
