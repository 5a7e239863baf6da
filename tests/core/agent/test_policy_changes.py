from dataclasses import asdict

import pytest

from core import audit, policies, recommendations, specs
from core.agent import policy_changes
from core.errors import ConflictError, ForbiddenError, InvalidInputError
from core.policies import ALL
from core.specs.thresholds import Policy
from core.tables.decisions import PolicyVersion
from tests.actions_kit import carry_out
from tests.core.agent.replay.conftest import BOOT, SPEC
from tests.core.agent.replay.test_past import decided
from tests.fakes.facts import drifting


@pytest.fixture(autouse=True)
def drifted(db, clock, release):
    """One alarm of .3 was decided about: a retrain was recommended, not asked for."""
    specs.apply(db, BOOT, SPEC)
    release("spam", "1.0.0")
    decided(db, clock, drifting(0.3), asdict(Policy()))


def proposed(db, actor, scope="spam", **thresholds):
    given = thresholds or {"drift_retrain": 0.25}
    return policy_changes.propose(db, actor, scope=scope, thresholds=given, reason="too patient")


def in_force(db):
    with db.read() as session:
        return policies.in_force(session, "spam").policy


def version(db, number=1, scope="spam"):
    with db.read() as session:
        return policies.get(session, scope, number)


def test_a_change_is_proposed_with_what_its_replay_found(db, ana):
    row = proposed(db, ana)
    assert (row.kind, row.arguments, row.model) == ("change_policy", {"version": "1"}, "spam")
    assert row.title == "Change the policy of spam: drift retrain 0.5 → 0.25"
    assert row.reasoning.startswith(
        "too patient. 1 decision: 1 would differ (1 retrain instead of log only)."
    )
    shown = {one["label"]: (one["value"], one["n"]) for one in row.evidence}
    assert shown["drift retrain (now 0.5)"] == (0.25, None)
    assert shown["decisions of the last 30 days that would differ"] == (1, 1)
    kept = version(db).replay
    assert (kept["changed"], kept["changed_ones"][0]["replayed"]["decision"]) == (1, "retrain")


def test_what_is_proposed_changes_nothing_by_itself(db, ana):
    proposed(db, ana)
    assert (in_force(db).drift_retrain, version(db).state) == (0.5, "proposed")


def test_another_person_approves_it_and_then_it_is_in_force(db, settings, apo, adm, ana):
    row = proposed(db, apo)
    with pytest.raises(ForbiddenError):
        recommendations.approve(db, apo, row.id, digest=row.digest, solo=False)
    with pytest.raises(ForbiddenError):
        recommendations.approve(db, ana, row.id, digest=row.digest, solo=False)
    recommendations.approve(db, adm, row.id, digest=row.digest, solo=False)
    carry_out(db, settings)
    assert (in_force(db).drift_retrain, version(db).state) == (0.25, "active")


def test_a_change_for_all_models_is_about_no_release_of_any(db, settings, ana, apo):
    row = proposed(db, ana, scope=ALL, drift_retrain=0.25)
    assert (row.model, row.release_seq) == (ALL, 0)
    recommendations.approve(db, apo, row.id, digest=row.digest, solo=False)
    carry_out(db, settings)
    assert in_force(db).drift_retrain == 0.25


def test_thresholds_that_were_changed_after_the_proposal_are_not_put_in_force(
    db, settings, ana, apo
):
    row = proposed(db, ana)
    with db.command(BOOT, "spec.apply") as command:
        command.session.get(PolicyVersion, ("spam", 1)).thresholds = {"drift_retrain": 0.01}
    recommendations.approve(db, apo, row.id, digest=row.digest, solo=False)
    with pytest.raises(ConflictError, match="its thresholds changed"):
        carry_out(db, settings)
    assert in_force(db).drift_retrain == 0.5


def test_a_newer_proposal_takes_the_place_of_the_older(db, ana):
    first, _ = proposed(db, ana), proposed(db, ana, drift_retrain=0.2)
    with db.read() as session:
        assert recommendations.get(session, first.id).state == "superseded"
        states = [row.state for row in policies.history(session, "spam")]
    assert states == ["proposed", "retired"]


def test_a_viewer_may_not_propose_and_leaves_one_refused_row(db, vic):
    with pytest.raises(ForbiddenError):
        proposed(db, vic)
    with db.read() as session:
        newest = audit.tail(session, limit=1)[0]
    assert (newest.actor, newest.outcome) == ("vic", "refused")


@pytest.mark.parametrize("days", [0, -1, 400])
def test_a_span_that_cannot_be_replayed_is_refused(db, ana, days):
    with pytest.raises(InvalidInputError, match="replay 1 to 365 days"):
        policy_changes.propose(
            db, ana, scope="spam", thresholds={"drift_retrain": 0.2}, reason="x", days=days
        )


def test_what_would_change_nothing_is_not_proposed(db, ana):
    with pytest.raises(InvalidInputError, match="drift_retrain is 0.5 already"):
        proposed(db, ana, drift_retrain=0.5)
    with db.read() as session:
        assert policies.history(session) == []
