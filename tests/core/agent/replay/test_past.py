"""Small pasts, written down row by row."""

import shutil

import pytest

from core import recommendations, specs
from core.access import system
from core.agent.policy import decide
from core.agent.replay import replay
from core.agent.replay.decision import spelled
from core.ids import new_id
from core.policies import remembered
from core.recommendations import Basis
from core.specs.thresholds import Policy
from core.tables.decisions import Outcome
from core.tables.entities import ActionRow, FactBook, Incident
from tests.core.agent.replay.conftest import BOOT, SPEC
from tests.fakes.facts import book, drifting

AGENT = system("agent")


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """The past is read alike from either database; the month is on SQLite too."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture(autouse=True)
def model(db):
    specs.apply(db, BOOT, SPEC)


def decided(db, clock, facts, policy=None, *, incident_id=None, propose=False, model="spam"):
    """Write down a decision, with its proposal where the facts ask for one."""
    verdict = decide(facts, remembered(policy or {}))
    row = FactBook(
        **{"id": new_id(clock.now), "model": model, "incident_id": incident_id},
        **{"facts": facts.plain(), "verdict": spelled(verdict), "digest": facts.digest()},
        **{"at": clock.now, "policy": policy or {}, "release_seq": 0},
    )
    with db.command(AGENT, "recommendation.propose") as command:
        command.session.add(row)
        if not propose:
            return row, None
        basis = Basis(fact_book_id=row.id, severity=verdict.severity)
        made = recommendations.propose_in(
            command,
            model="spam",
            kind="retrain",
            arguments={},
            title="t",
            reasoning="r",
            basis=basis,
        )
        return row, made


def waiting(made):
    return {"id": made.id, "kind": "retrain", "severity": made.severity, "decision": "log_only"}


def opened(db, clock, cause):
    with db.command(system("worker"), "incident.open") as command:
        row = Incident(
            **{"id": new_id(clock.now), "model": "spam", "version": "1.0.0", "state": "open"},
            **{"severity": "high", "cause": cause, "title": "t", "timeline": []},
            opened_at=clock.now,
        )
        command.session.add(row)
    return row


def played(db, since, **policy):
    with db.read() as session:
        return replay(session, model="spam", since=since, policy=policy or None)


RECORDED = {"drift_retrain": 0.5, "drift_approval": 0.7, "drift_escalate": 0.9}


def test_a_decision_without_a_recorded_policy_is_made_by_the_spec_of_its_time(db, ana, apo, clock):
    since, own = clock.now, "accuracy_floor: 0.90, overrides: {drift_retrain: 0.25}"
    decided(db, clock, drifting(0.3))
    clock.forward(hours=1)
    specs.apply(db, apo, SPEC.replace("accuracy_floor: 0.90", own))
    decided(db, clock, drifting(0.3), policy=None)
    first, second = played(db, since).decisions
    assert (first.assumed, first.same, first.replayed.decision) == (True, True, "log_only")
    assert (second.same, second.replayed.decision) == (False, "retrain")
    assert "what the spec said then is taken" in " ".join(played(db, since).summary.sentences)


def test_each_decision_tells_what_became_of_its_proposal_and_what_followed(db, ana, clock):
    since, incident = clock.now, opened(db, clock, "drift")
    clock.forward(minutes=1)
    _, made = decided(db, clock, drifting(0.6), RECORDED, incident_id=incident.id, propose=True)
    row = recommendations.approve(db, ana, made.id, digest=made.digest, solo=False)
    clock.forward(hours=2)
    opened(db, clock, "accuracy")
    finish(db, clock, row)
    clock.forward(days=8)
    opened(db, clock, "errors")
    came = played(db, since).decisions[0].after
    assert (came.state, came.grade, came.executed_at is not None) == ("succeeded", "good", True)
    assert (came.incident_id, came.resolved_at) == (incident.id, None)
    assert came.followed_by == ("accuracy",)


def finish(db, clock, row):
    with db.command(system("executor"), "action.execute") as command:
        recommendations.move(command.session, row.id, ("approved",), "succeeded")
        action = command.session.query(ActionRow).filter_by(recommendation_id=row.id).one()
        action.state, action.finished_at = "succeeded", clock.now
        graded = {"expected": {}, "measured": {}, "sentence": "better", "at": clock.now}
        command.session.add(
            Outcome(recommendation_id=row.id, model="spam", kind="retrain", grade="good", **graded)
        )


def losing(n, *, pending=()):
    seen = {"value": 0.8, "n": n, "interval": (0.7, 0.89)}
    facts = {"current": seen, "n_labelled": n, "baseline": 0.97, "drop": 0.17}
    return book(accuracy=facts, **({"pending_approval": list(pending)} if pending else {}))


FEW = {"min_labels": 30, "accuracy_floor": 0.9}
MANY = {**FEW, "min_labels": 50}


def test_a_proposal_that_the_replay_would_not_have_made_does_not_wait_in_its_inbox(db, clock):
    since = clock.now
    _, made = decided(db, clock, losing(40), FEW, propose=True)
    for n in (45, 80):
        clock.forward(hours=3)
        decided(db, clock, losing(n, pending=[waiting(made)]), FEW)
    found = played(db, since, min_labels=50)
    assert [one.live.kinds for one in found.decisions] == [("retrain",), (), ()]
    assert [one.replayed.kinds for one in found.decisions] == [(), (), ("retrain",)]
    assert [moved.hours for moved in found.summary.moved] == [6]


def test_what_only_the_replay_proposed_waits_in_its_inbox_until_it_lapses(db, clock):
    since = clock.now
    for hours in (1, 5, 25):
        decided(db, clock, losing(40), MANY)
        clock.forward(hours=hours)
    found = played(db, since, min_labels=30)
    assert [one.replayed.kinds for one in found.decisions] == [("retrain",), (), ()]
    assert found.summary.more == {"retrain": 1}
    decided(db, clock, losing(40), MANY)
    assert played(db, since, min_labels=30).summary.more == {"retrain": 2}


def test_other_models_and_earlier_decisions_are_left_out(db, clock):
    decided(db, clock, drifting(0.3), RECORDED)
    clock.forward(hours=1)
    since = clock.now
    decided(db, clock, drifting(0.3), RECORDED, model="other")
    clock.forward(hours=1)
    decided(db, clock, drifting(0.4), RECORDED)
    assert len(played(db, since).decisions) == 1


def test_a_rule_that_the_product_has_changed_is_told_apart(db, clock):
    since = clock.now
    row, _ = decided(db, clock, drifting(0.6), RECORDED)
    with db.command(AGENT, "agent.decide") as command:
        stored = command.session.get(FactBook, row.id)
        stored.verdict = {**stored.verdict, "decision": "escalate"}
    found = played(db, since)
    assert (found.summary.same, found.summary.changed, found.summary.by_rules) == (0, 0, 1)


@pytest.mark.parametrize("name", ["drift_retrain", "min_labels"])
def test_the_policy_of_a_model_is_that_of_its_time(db, clock, name):
    since = clock.now
    decided(db, clock, drifting(0.6), {**RECORDED, name: 0.61})
    assert played(db, since).decisions[0].same
    assert remembered({name: 0.61}) == Policy(**{name: 0.61})
