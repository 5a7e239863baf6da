import numpy as np
import pytest
from sqlalchemy import select

from core import audit, jobs, registry
from core.datasets import generator
from core.errors import ConflictError, InvalidInputError
from core.registry import again
from core.tables.operational import Job
from core.training import gate, rejudge
from tests.core.training.test_run import LEASE, release, serve

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def drifted(n, seed):
    return generator.drifted(n, seed=seed, campaign="crypto", share=0.5)


@pytest.fixture
def undecided(db, worker, clock, train, first, once):
    """A retrain on few labelled rows of a new campaign, which lacks evidence."""

    def retrained():
        release(db, worker, first)
        serve(db, clock, first, drifted(300, seed=5))
        second = train("small", kind="retrain")
        with db.command(worker, "version.register") as command:
            row = command.session.merge(second)
            # as if fewer labels had arrived until then: what decides is what arrives from now on
            row.gate = {**row.gate, "answer": "not_enough_evidence", "more_rows_needed": 400}
            return row

    return once("undecided", retrained)


@pytest.fixture
def labels(db, clock, undecided):
    def arrive(n, seed=77):
        serve(db, clock, undecided, drifted(n, seed))

    return arrive


def claimed(db, version):
    with db.read() as session:
        row = registry.get(session, version.model, version.version)
    return jobs.claim(db, "one", lease=LEASE, only=again.ask(db, row).id)


def judged(db, settings, version, look=2):
    claim = claimed(db, version)
    return rejudge.judge(db, settings, claim, version.model, version.version, look=look)


@sqlite_only
def test_a_version_that_lacked_evidence_is_promoted_when_labels_have_arrived(
    db, settings, undecided, labels
):
    labels(300)
    found = judged(db, settings, undecided)
    assert (found["answer"], found["look"], found["champion"]) == ("promote", 2, "1.0.0")
    assert found["recent"]["n"] > undecided.gate["recent"]["n"]
    assert found["old"]["n"] == undecided.gate["old"]["n"]
    (former,) = found["earlier"]
    assert (former["answer"], former["n"]) == ("not_enough_evidence", undecided.gate["n"])
    with db.read() as session:
        (row,) = audit.tail(session, action="version.judge")
        kinds = session.scalars(select(Job.kind).filter_by(state="queued")).all()
    assert row.detail["before"] == "not_enough_evidence"
    assert "propose_promotion" in kinds


@sqlite_only
def test_rows_that_the_version_or_what_serves_has_learnt_do_not_judge_it(
    db, settings, undecided, clock
):
    serve(db, clock, undecided, drifted(300, seed=5))  # the same messages as before its training
    found = judged(db, settings, undecided)
    assert found["recent"]["n"] == undecided.gate["recent"]["n"]


@sqlite_only
def test_a_look_is_taken_once(db, settings, undecided, labels):
    labels(60)
    with pytest.raises(ConflictError, match="judged again already"):
        judged(db, settings, undecided, look=1)


def promoted(rng, look_of):
    """Judge two equal models at five looks while rows arrive; say if one was promoted at any."""
    right = [rng.random(700) < 0.9 for _ in range(2)]
    for look in range(1, 6):
        champion, candidate = (one[: 200 + 100 * look].tolist() for one in right)
        found = gate.judge(
            champion_right=champion, candidate_right=candidate,
            required_improvement=0.0, look=look_of(look),
        )  # fmt: skip
        if found.answer != "not_enough_evidence":
            return found.answer == "promote"
    return False


def share_promoted(look_of):
    rng = np.random.default_rng(3)
    return np.mean([promoted(rng, look_of) for _ in range(400)])


def test_five_looks_at_equal_models_promote_at_most_one_in_twenty():
    assert share_promoted(lambda look: look) <= 0.05
    assert share_promoted(lambda _look: 0) > 0.08  # what the correction is for


def test_each_look_spends_half_as_much_and_says_so():
    right = [True] * 100
    first, second = (
        gate.judge(champion_right=right, candidate_right=right, look=n) for n in (1, 2)
    )
    assert (first.alpha, second.alpha) == (0.025, 0.0125)
    assert "look 2 at this question, so more evidence was asked for" in second.reasons
    with pytest.raises(InvalidInputError, match="counted from 1"):
        gate.judge(champion_right=right, candidate_right=right, look=-1)
