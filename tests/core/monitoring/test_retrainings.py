from datetime import timedelta

from core.monitoring import retrainings
from core.tables.entities import ModelVersion, Run
from tests.conftest import NOON


def run(number, state, **more):
    return Run(
        **{"id": f"r{number}", "model": "spam", "kind": "retrain", "state": state},
        **{"job_id": f"j{number}", "spec_version": 1, "candidates": [], "parameters": {}},
        **{"metrics": {}, "leaderboard": [], "trigger": "recommendation", "reason": "drift"},
        **{"author": "agent", "at": NOON + timedelta(hours=number), "started_at": NOON},
        **more,
    )


def put(db, worker, release, *runs, refused=()):
    for name in refused:
        release("spam", name, release=False)
    with db.command(worker, "run.finish") as command:
        command.session.add_all(runs)
        for name in refused:
            version = command.session.get(ModelVersion, ("spam", name))
            version.run_id, version.gate = f"r{name[0]}", {"answer": "refuse"}


def test_a_version_that_the_gate_refused_is_no_success(db, worker, release):
    ended = {"finished_at": NOON + timedelta(seconds=40)}
    put(
        db,
        worker,
        release,
        *(run(1, "finished", version="1.0.0", **ended), run(2, "finished", **ended)),
        *(run(3, "failed", error="no data", **ended), run(4, "cancelled"), run(5, "queued")),
        refused=["1.0.0"],
    )

    with db.read() as session:
        found = retrainings.recent(session, "spam")
    counted = retrainings.success(found)

    words = ["under way", "cancelled", "failed", "succeeded", "refused"]
    assert [one.outcome for one in found] == words
    assert (counted.n, counted.rate) == (4, 0.25)
    assert (found[2].why, found[3].seconds) == ("no data", 40.0)


def test_before_any_training_ended_there_is_no_rate(db, worker, release):
    put(db, worker, release, run(1, "running"))
    with db.read() as session:
        assert retrainings.success(retrainings.recent(session, "spam")).rate is None
