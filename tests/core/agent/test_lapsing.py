import threading

import pytest
from sqlalchemy import select

from core import incidents, recommendations, specs
from core import worker as workers
from core.access import system
from core.agent import sources
from core.agent.facts import Fact
from core.agent.investigate import investigate
from core.agent.lapsing import Figure, fresh, lapse
from core.panel import Panel
from core.recommendations import Basis
from core.settings import ROOT
from core.tables.entities import Recommendation
from tests.core.agent.test_facts import report

SPEC = (
    (ROOT / "specs" / "breast_cancer.yaml").read_text().replace("name: breast_cancer", "name: spam")
)


@pytest.fixture
def drifted(db, clock, release):
    specs.apply(db, system("bootstrap"), SPEC)
    release("spam", "1.0.0")
    report(db, clock, score=0.3)


@pytest.fixture
def asked(db, settings, drifted):
    finding = incidents.Finding("drift", 0.3, 0.15, "m1", "The texts have changed.")
    opened = incidents.open(
        db, model="spam", version="1.0.0", cause="drift", severity="high",
        title="The data has drifted", finding=finding,
    )  # fmt: skip
    return investigate(db, settings, "spam", incident_id=opened.incident.id)


@pytest.mark.parametrize(("now", "differs"), [(0.288462, False), (0.288463, True)])
def test_a_figure_differs_only_by_digits_that_facts_keep(now, differs):
    fact = Fact("candidate.vs_champion", now, "/models", "")
    assert Figure("", "", {"value": 0.28846153}, fact, "").differs is differs


def stored(db, row):
    with db.read() as session:
        return recommendations.get(session, row.id)


def test_while_the_facts_stay_nothing_lapses_also_for_its_own_traces(db, asked, clock):
    clock.forward(minutes=10)
    assert lapse(db) == 0
    assert stored(db, asked).state == "proposed"


def test_a_proposal_lapses_when_fresh_facts_no_longer_ask_for_it_and_its_incident_says_why(
    db, asked, clock
):
    report(db, clock, state="pass", score=0.02)
    assert lapse(db) == 1
    row = stored(db, asked)
    assert row.state == "expired"
    assert "on fresh facts the policy no longer asks for this" in row.decision_reason
    assert recommendations.outcome(row).startswith("lapsed at 2030-01-01 12:30:00")
    with db.read() as session:
        told = incidents.get(session, asked.incident_id).timeline[-1]["what"]
    assert told == f"lapsed: {row.title} ({row.decision_reason})"
    assert lapse(db) == 0


def test_a_retraining_lapses_when_the_data_turns_out_to_be_broken(db, asked, clock):
    report(db, clock, kind="quality", state="fail")
    assert lapse(db) == 1
    assert "must not be trained" in stored(db, asked).decision_reason


def test_what_the_agent_proposed_lapses_once_something_else_serves(db, asked, release):
    release("spam", "2.0.0")
    assert lapse(db) == 1
    assert "what serves has changed" in stored(db, asked).decision_reason


def test_what_a_person_proposed_or_changed_does_not_lapse_this_way(db, ana, release, clock):
    release("spam", "1.0.0")
    row = recommendations.propose(
        db, ana, model="spam", kind="retrain", arguments={}, title="t", reasoning="r"
    )
    release("spam", "2.0.0")
    assert lapse(db) == 0
    assert stored(db, row).state == "proposed"


def test_what_the_gate_proposed_does_not_wait_for_a_reason_of_the_policy(db, release, drifted):
    release("spam", "2.0.0", release=False)
    row = recommendations.propose(
        db, system("agent"), model="spam", kind="promote", arguments={"version": "2.0.0"},
        title="t", reasoning="r", basis=Basis(reasoner="gate"),
    )  # fmt: skip
    assert lapse(db) == 0
    assert stored(db, row).state == "proposed"


def test_another_amount_does_not_let_a_proposal_lapse_but_another_target_does():
    from core.agent.lapsing import _target
    from core.agent.verdict import Act

    assert _target(Act("scale", {"replicas": "3"})) == _target(Act("scale", {"replicas": "4"}))
    assert _target(Act("promote", {"version": "1"})) != _target(Act("promote", {"version": "2"}))


def test_the_figures_of_now_stand_beside_the_sealed_ones(db, asked, clock):
    report(db, clock, score=0.6)
    with db.read() as session:
        row = session.scalars(select(Recommendation)).one()
        found = {one.fact: one for one in fresh(session, row, clock)}
    score = found["drift.score"]
    assert (score.sealed["value"], score.now.value, score.differs) == (0.3, 0.6, True)
    assert score.link.startswith("/drift?model=spam")
    assert not found["drift.p_value"].differs


def test_no_more_is_read_than_what_was_sealed(db, asked, clock, monkeypatch):
    def more(_scope):
        raise AssertionError("nothing of this was sealed")
        yield

    monkeypatch.setattr(sources, "SOURCES", (sources.drift, more))
    with db.read() as session:
        found = fresh(session, session.scalars(select(Recommendation)).one(), clock)
    assert {one.fact.split(".")[0] for one in found} == {"drift"}


def test_a_worker_looks_after_proposals_by_itself(db, settings, asked, clock):
    report(db, clock, state="pass", score=0.02)
    stop = threading.Event()
    stop.set()
    workers.review_once(Panel(settings, db, clock), stop)
    assert stored(db, asked).state == "expired"
