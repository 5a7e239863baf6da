"""After a training: what the gate said becomes a proposal, or a reason."""

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core import recommendations, registry
from core.access import system
from core.errors import ConflictError
from core.recommendations import Basis
from core.tables.entities import ActionRow, Incident, Recommendation
from core.tables.operational import Delivery
from tests.core.recommendations.decided import approve, incident, measure, propose, rows

GATE = {
    "answer": "promote",
    "reasons": ["2.1 points better"],
    "difference": {"value": 0.021, "low": 0.01, "high": 0.03},
    "p_value": 0.01,
    "n": 1000,
    "more_rows_needed": None,
}


def told(settings):
    return settings.model_copy(update={"slack_webhook_url": SecretStr("http://127.0.0.1:9")})


def after_training(db, settings, release, gate, **more):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    measure(db, "2.0.0", {"accuracy": 0.98, "n_test": 1000}, gate)
    return recommendations.propose_promotion(
        db, told(settings), system("agent"), model="spam", version="2.0.0", **more
    )


def test_a_candidate_that_passed_the_gate_is_proposed_with_the_gates_figures(db, settings, release):
    row = after_training(db, settings, release, GATE)
    assert (row.kind, row.arguments, row.reasoner) == ("promote", {"version": "2.0.0"}, "gate")
    assert row.evidence[0]["interval"] == [0.01, 0.03]
    assert row.expected["effect"] == 0.021


def test_a_candidate_that_failed_the_gate_is_not_proposed_and_the_incident_says_why(
    db, settings, ana, release, clock
):
    incident(db, clock)
    cause = propose(db, basis=Basis(incident_id="i1"))
    approve(db, ana, cause)
    with db.command(system("executor"), "action.execute") as command:
        command.session.scalars(select(ActionRow)).one().after = {"run_id": "run-spam-2.0.0"}

    gate = {
        **GATE,
        "answer": "not_enough_evidence",
        "reasons": ["0.4 points"],
        "more_rows_needed": 90,
    }
    assert after_training(db, settings, release, gate) is None

    said = rows(db, Incident)[0].timeline[-1]["what"]
    assert said == (
        "spam 2.0.0 is not proposed for release: 0.4 points; 90 more labelled rows are needed"
    )
    assert rows(db, Delivery)[0].subject == said
    assert len(rows(db, Recommendation)) == 1


def test_what_the_gate_refused_is_proposed_only_after_an_approver_overrode_it(
    db, settings, release, ana, apo
):
    gate = {**GATE, "answer": "refuse", "reasons": ["worse on slice 'short'"]}
    assert after_training(db, settings, release, gate) is None
    asked = {"model": "spam", "version": "2.0.0", "reason": "no short texts come."}
    with pytest.raises(ConflictError, match="an approver may override the gate with a reason"):
        recommendations.propose_promotion(db, settings, ana, **asked)
    registry.override(db, apo, "spam", "2.0.0", reason="the slice is gone")

    row = recommendations.propose_promotion(db, settings, ana, **asked)

    assert row.reasoning == (
        "no short texts come. The gate answers refuse: worse on slice 'short'."
        " Overridden by apo: the slice is gone."
    )
    assert (row.severity, row.reasoner, row.proposed_by) == ("high", "person", "ana")


def test_a_version_that_served_before_may_be_proposed_whatever_the_gate_said(
    db, settings, release, ana
):
    release("spam", "1.0.0")
    release("spam", "2.0.0")
    row = recommendations.propose_promotion(db, settings, ana, model="spam", version="1.0.0")
    assert row.arguments == {"version": "1.0.0"}


def test_an_archived_version_is_not_proposed(db, settings, release, ana):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    measure(db, "2.0.0", {}, GATE)
    registry.archive(db, ana, "spam", "2.0.0")
    with pytest.raises(ConflictError, match="archived"):
        recommendations.propose_promotion(db, settings, ana, model="spam", version="2.0.0")
