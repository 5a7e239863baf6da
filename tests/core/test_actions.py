import multiprocessing
import os
import signal
import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from core import actions, audit, jobs, releases, specs
from core.access import system
from core.clock import utc_now
from core.db import Database
from core.errors import ConflictError
from core.jobs import Claim
from core.settings import ROOT
from core.tables.entities import ActionRow, Run
from tests.actions_kit import (
    approved,
    carry_out,
    claimed,
    experiment,
    served,
    states,
    two_versions,
    undo,
)

SPEC = (
    (ROOT / "specs" / "breast_cancer.yaml").read_text().replace("name: breast_cancer", "name: spam")
)


def test_an_approved_promotion_serves_and_everything_says_so(db, settings, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    action = carry_out(db, settings)
    assert served(db) == "2.0.0"
    assert states(db) == ("succeeded", "succeeded")
    assert action.before == {"serves": "1.0.0", "release": 1}
    assert action.after == {"serves": "2.0.0", "release": 2}
    assert action.inverse == {"kind": "rollback", "arguments": {"to": "1.0.0"}}
    with db.read() as session:
        assert audit.tail(session)[0].action == "action.execute"


def test_an_action_carried_out_twice_happens_once(db, settings, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    claim, action_id = claimed(db)
    for _ in range(3):
        actions.execute(db, settings, claim, action_id)
    with db.read() as session:
        assert len(releases.history(session, "spam")) == 2


def test_of_twenty_executions_at_once_one_has_an_effect(db, settings, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    claim, action_id = claimed(db)
    gate, outcomes = threading.Barrier(20), []

    def run():
        gate.wait()
        outcomes.append(actions.execute(db, settings, claim, action_id).state)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["succeeded"] * 20
    with db.read() as session:
        assert len(releases.history(session, "spam")) == 2


def test_a_worker_that_was_taken_over_writes_nothing_and_fails_nothing(
    db, settings, apo, release, clock
):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    old, action_id = claimed(db)
    clock.forward(minutes=5)
    new, _ = claimed(db, "w2")
    with pytest.raises(ConflictError, match="taken over"):
        actions.execute(db, settings, old, action_id)
    actions.fail(db, action_id, "the old worker gives up", claim=old)
    assert (served(db), states(db)) == ("1.0.0", ("queued", "approved"))
    actions.execute(db, settings, new, action_id)
    assert served(db) == "2.0.0"


def test_an_approval_whose_target_changed_is_failed_with_the_reason(db, settings, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    release("spam", "3.0.0")
    with pytest.raises(ConflictError, match="what serves has changed"):
        carry_out(db, settings)
    assert (served(db), states(db)) == ("3.0.0", ("failed", "failed"))
    with db.read() as session:
        assert "what serves has changed" in actions.recent(session)[0].error


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ('update recommendation set arguments = \'{"version": "1.0.0"}\'', "not the proposal"),
        ('update action set arguments = \'{"version": "1.0.0"}\'', "not what was approved"),
        ("update action set kind = 'rollback'", "not what was approved"),
        ("update recommendation set state = 'rejected'", "not approved: rejected by apo"),
    ],
)
def test_what_was_changed_after_the_approval_is_not_carried_out(
    db, settings, apo, release, damage, reason
):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    with db.engine.begin() as connection:
        connection.execute(text(damage))
    with pytest.raises(ConflictError, match=reason):
        carry_out(db, settings)
    assert served(db) == "1.0.0"


def test_an_approval_is_not_acted_on_days_later(db, settings, apo, release, clock):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    clock.forward(hours=25)
    with pytest.raises(ConflictError, match="too old"):
        carry_out(db, settings)
    assert served(db) == "1.0.0"


def test_an_approved_retrain_requests_one_run(db, settings, ana, release):
    specs.apply(db, system("bootstrap"), SPEC)
    release("spam", "1.0.0")
    approved(db, ana, "retrain")
    action = carry_out(db, settings)
    with db.read() as session:
        run = session.scalars(select(Run)).one()
    assert (run.kind, run.trigger, run.state) == ("retrain", "recommendation", "queued")
    assert action.after == {"run_id": run.id}
    assert states(db) == ("succeeded", "succeeded")
    assert served(db) == "1.0.0"


def test_an_approved_rollback_serves_what_the_card_named(db, settings, ana, release):
    release("spam", "1.0.0")
    release("spam", "2.0.0")
    approved(db, ana, "rollback", to="1.0.0")
    carry_out(db, settings)
    assert served(db) == "1.0.0"


def test_a_rollback_that_would_serve_something_else_fails(db, settings, ana, release):
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        release("spam", version)
    approved(db, ana, "rollback", to="1.0.0")
    with pytest.raises(ConflictError, match=r"would serve 2.0.0, not 1.0.0"):
        carry_out(db, settings)


def test_an_approved_experiment_splits_the_traffic(db, settings, ana, apo, release):
    two_versions(release)
    row = experiment(db, ana)
    approved(db, apo, "start_experiment", experiment_id=row.id)
    action = carry_out(db, settings)
    assert served(db) == "1.0.0 90% + 2.0.0 10%"
    assert action.inverse["kind"] == "stop_experiment"


def test_an_approved_step_gives_a_canary_more_traffic_and_is_undone_by_the_former_share(
    db, settings, ana, apo, clock, release
):
    two_versions(release)
    row = experiment(db, ana)
    approved(db, apo, "start_experiment", experiment_id=row.id)
    carry_out(db, settings)
    clock.forward(seconds=1)
    approved(db, apo, "widen_experiment", experiment_id=row.id, share="0.500")
    carry_out(db, settings)
    assert served(db) == "1.0.0 50% + 2.0.0 50%"
    assert undo(db, ana) == "experiment e has 10.0% of the traffic again"
    assert served(db) == "1.0.0 90% + 2.0.0 10%"


def test_an_action_whose_job_was_given_up_is_failed_once(db, settings, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    claim, action_id = claimed(db)
    actions.fail(db, action_id, "its worker stopped without a word", claim=claim)
    assert states(db) == ("failed", "failed")
    actions.fail(db, action_id, "again", claim=claim)
    with db.read() as session:
        assert actions.get(session, action_id).error == "its worker stopped without a word"


def test_a_failed_action_is_said_once_in_the_audit_trail(db, settings, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    release("spam", "3.0.0")
    claim, action_id = claimed(db)
    with pytest.raises(ConflictError) as problem:
        actions.execute(db, settings, claim, action_id)
    actions.fail(db, action_id, str(problem.value), claim=claim)
    with db.read() as session:
        said = [(row.action, row.outcome) for row in audit.tail(session)]
    finished = [one for one in said if one[0] == "action.finish"]
    assert finished == [("action.finish", "done")]
    assert ("action.execute", "refused") in said


def test_a_done_action_cannot_be_failed_afterwards(db, settings, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    claim, action_id = claimed(db)
    actions.execute(db, settings, claim, action_id)
    actions.fail(db, action_id, "late news", claim=claim)
    assert states(db) == ("succeeded", "succeeded")


def _work_until_killed(settings):
    """Run in a child process: claim and carry out without end."""
    db = Database(settings, utc_now)
    while True:
        if claim := jobs.claim(db, str(os.getpid()), lease=timedelta(seconds=0.05)):
            try:
                if claim.kind == "execute":  # releases leave other jobs too
                    actions.execute(db, settings, claim, claim.payload["action_id"])
            except ConflictError:
                continue
            jobs.finish(db, claim, "succeeded")
        time.sleep(0.002)


@pytest.mark.processes
def test_over_kills_at_any_moment_each_approval_has_exactly_one_effect(
    db, settings, ana, apo, clock, release
):
    release("spam", "1.0.0")
    clock.now = utc_now()
    context, approvals, kills = multiprocessing.get_context("fork"), 6, 0
    db.engine.dispose()
    for number in range(approvals):
        version = f"{number + 2}.0.0"
        release("spam", version, release=False)
        clock.now = utc_now()
        approved(db, apo, version=version)
        with db.keep() as session:
            for job in session.scalars(select(jobs.Job)):
                job.max_attempts = 1000
        db.engine.dispose()
        deadline, attempt = time.monotonic() + 60, 0
        while pending(db) and time.monotonic() < deadline:
            db.engine.dispose()
            process = context.Process(target=_work_until_killed, args=(settings,))
            process.start()
            time.sleep(0.01 + 0.01 * attempt)  # a little later each time, until it gets through
            attempt += 1
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            kills += 1
    with db.read() as session:
        history = releases.history(session, "spam")
        done = session.scalars(select(ActionRow.state)).all()
    assert [releases.label(r) for r in reversed(history)] == [
        f"{n}.0.0" for n in range(1, approvals + 2)
    ]
    assert done == ["succeeded"] * approvals
    assert audit.verify(db).whole
    assert kills > approvals  # some died before they were done


def pending(db):
    with db.read() as session:
        query = select(ActionRow).filter_by(state="queued")
        return session.scalars(query).first() is not None


def test_a_claim_is_needed(db, settings, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    _, action_id = claimed(db)
    with pytest.raises(ConflictError, match="taken over"):
        actions.execute(db, settings, Claim("none", "execute", {}, 1), action_id)
    assert states(db) == ("queued", "approved")
