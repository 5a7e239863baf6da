import shutil

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core import actions, audit, autonomy, notes, outbox, policies, recommendations, specs
from core.access import system
from core.agent.investigate import AGENT, investigate
from core.agent.reasoners import RulesReasoner
from core.errors import ConflictError
from core.policies import label
from core.recommendations import deciding
from core.settings import ROOT
from core.tables.entities import ActionRow, Recommendation, Run
from tests.actions_kit import carry_out
from tests.core.agent.test_facts import report
from tests.outcomes_kit import put_outcomes

SPEC = (
    (ROOT / "specs" / "breast_cancer.yaml")
    .read_text()
    .replace("name: breast_cancer", "name: spam")
    .replace("accuracy_floor: 0.90", "accuracy_floor: 0.90, overrides: {min_new_rows: 0}")
)


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """What is asked here is asked alike of either database; test_leaves has both."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def served(db, release):
    specs.apply(db, system("bootstrap"), SPEC)
    release("spam", "1.0.0")


def look(db, settings, clock, score=0.6):
    """A drift of this size is found, and looked into; returns the proposal and its action."""
    report(db, clock, score=score)
    row = investigate(db, settings, "spam", advisor=RulesReasoner())
    assert row.kind == "retrain"
    with db.read() as session:
        found = session.scalars(select(ActionRow).filter_by(recommendation_id=row.id)).first()
        return recommendations.get(session, row.id), found


def approve_policy(db, **thresholds):
    with db.command(system("executor"), "action.execute") as command:
        given = thresholds or {"retrains_a_day": 3}
        row = policies.draft_in(command, scope="spam", thresholds=given, reason="agreed")
        policies.activate_in(command, "spam", row.version)
        return label(row)


def grant(db, kind="retrain", model="spam"):
    with db.command(system("executor"), "action.execute") as command:
        autonomy.grant_in(command, model=model, kind=kind, reason="it did well", by="apo")


def why(db):
    with db.read() as session:
        return audit.tail(session, action="recommendation.propose")[0].detail


def test_with_the_built_in_policy_a_person_decides(db, settings, clock, served):
    row, action = look(db, settings, clock)
    assert (row.decision, row.state, action) == ("retrain", "proposed", None)
    assert why(db)["asks_because"] == "A person decides: nobody gave it leave."


def test_an_approved_policy_version_retrains_by_itself(db, settings, clock, served):
    name = approve_policy(db)
    row, action = look(db, settings, clock)
    assert (row.state, row.decided_by) == ("approved", f"policy {name}")
    assert (action.origin, action.state) == ("policy", "queued")
    assert row.decision_reason == f"Policy {name} allows this by itself: drift score 0.60."
    assert why(db)["acts_alone"] == f"policy {name}"
    carry_out(db, settings)
    with db.read() as session:
        assert session.scalars(select(Run.trigger)).one() == "recommendation"
        assert recommendations.get(session, row.id).state == "succeeded"


@pytest.mark.parametrize("score", [0.3, 0.75, 0.95])
def test_it_does_so_in_the_middle_of_the_ladder_only(db, settings, clock, served, score):
    approve_policy(db)
    row, action = look(db, settings, clock, score=score)
    assert (row.state, action) == ("proposed", None)


def test_a_freeze_holds_the_policy_back_too(db, settings, clock, ana, served):
    approve_policy(db)
    notes.write(db, ana, model="spam", text="an audit", freeze=True, hours=2)
    report(db, clock, score=0.6)
    investigate(db, settings, "spam", advisor=RulesReasoner())
    with db.read() as session:
        assert session.scalars(select(ActionRow)).all() == []


def test_a_leave_with_a_good_record_acts_alone(db, settings, clock, served):
    grant(db)
    put_outcomes(db, *["good"] * 11)
    row, action = look(db, settings, clock)
    assert (row.state, row.decided_by, action.origin) == ("approved", "autonomy", "autonomy")
    assert row.decision_reason == "It acts alone: its record is good enough."
    carry_out(db, settings)
    with db.read() as session:
        assert recommendations.get(session, row.id).state == "succeeded"
        assert [one.id for one in recommendations.acted_alone(session, since=row.proposed_at)] == []


def test_one_good_outcome_less_and_a_person_decides(db, settings, clock, served):
    grant(db)
    put_outcomes(db, *["good"] * 10)
    row, action = look(db, settings, clock)
    assert (row.state, action) == ("proposed", None)
    assert "1 more good outcome is needed" in why(db)["asks_because"]


def test_the_first_bad_outcome_ends_it(db, settings, clock, served):
    grant(db)
    put_outcomes(db, *["good"] * 30, "bad")
    row, action = look(db, settings, clock)
    assert (row.state, action) == ("proposed", None)
    assert "after a bad outcome, 11 more" in why(db)["asks_because"]


def test_what_the_policy_asks_a_person_for_is_never_done_alone(db, settings, clock, served):
    grant(db)
    put_outcomes(db, *["good"] * 20)
    row, action = look(db, settings, clock, score=0.8)
    assert (row.decision, row.state, action) == ("request_approval", "proposed", None)
    assert why(db)["asks_because"] == "A person decides: the policy asks for one."


def test_it_acts_at_most_twice_a_day(db, settings, clock, served):
    grant(db)
    put_outcomes(db, *["good"] * 20)
    with db.command(system("executor"), "action.execute") as command:
        for number in range(2):
            command.session.add(own_action(number, command.now))
    row, action = look(db, settings, clock)
    assert (row.state, action) == ("proposed", None)
    assert "did this 2 times in 24 hours already" in why(db)["asks_because"]


def own_action(number, at):
    return ActionRow(
        id=f"own{number}", model="spam", recommendation_id=None, kind="retrain", arguments={},
        state="failed", before={}, after={}, inverse={}, idempotency_key=f"own{number}",
        origin="autonomy", at=at,
    )  # fmt: skip


def test_channels_are_told_what_is_done_and_not_asked(db, settings, clock, served):
    told = settings.model_copy(update={"slack_webhook_url": SecretStr("http://127.0.0.1:9")})
    grant(db)
    put_outcomes(db, *["good"] * 11)
    row, _ = look(db, told, clock)
    with db.read() as session:
        (message,) = outbox.recent(session)
    assert message.subject == f"Done without asking: {row.title}"
    assert message.payload["path"] == f"/recommendation?id={row.id}"


def test_a_release_meanwhile_leaves_it_to_a_person(db, settings, clock, served, release):
    class Slow(RulesReasoner):
        def propose(self, book, verdict):
            release("spam", "2.0.0")
            return super().propose(book, verdict)

    grant(db)
    put_outcomes(db, *["good"] * 11)
    report(db, clock, score=0.6)
    row = investigate(db, settings, "spam", advisor=Slow())
    assert row.state == "proposed"
    assert "what serves has changed" in why(db)["asks_because"]


def test_what_a_person_proposes_is_never_done_by_a_leave(db, settings, ana, served):
    grant(db)
    put_outcomes(db, *["good"] * 11)
    with db.command(ana, "recommendation.propose") as command:
        row = recommendations.propose_in(
            command, model="spam", kind="retrain", arguments={}, title="t", reasoning="r"
        )
        assert not autonomy.consider(command, row, settings=settings)
    assert row.state == "proposed"


def test_a_tampered_proposal_is_not_done(db, settings, clock, served, monkeypatch):
    grant(db)
    put_outcomes(db, *["good"] * 11)
    monkeypatch.setattr(deciding, "is_sealed", lambda row: False)
    report(db, clock, score=0.6)
    row = investigate(db, settings, "spam", advisor=RulesReasoner())
    assert row.state == "proposed"
    assert "not the proposal that was shown" in why(db)["asks_because"]


def test_what_was_done_alone_is_undone_like_anything_else(db, settings, clock, ana, served):
    from core.errors import ConflictError

    grant(db)
    put_outcomes(db, *["good"] * 11)
    _, action = look(db, settings, clock)
    carry_out(db, settings)
    with pytest.raises(ConflictError, match="a training changes nothing that serves"):
        actions.undo(db, ana, action.id, reason="no")


def test_the_agent_itself_cannot_give_leave(db, served):
    from core.errors import ForbiddenError

    row = autonomy.propose(db, system("agent"), model="spam", kind="retrain", reason="please")
    with pytest.raises(ForbiddenError):
        recommendations.approve(db, AGENT, row.id, digest=row.digest, solo=True)
    with db.read() as session:
        assert session.get(Recommendation, row.id).state == "proposed"


def test_what_holds_it_back_after_it_was_queued_still_does(db, settings, clock, ana, served):
    approve_policy(db)
    look(db, settings, clock)
    notes.write(db, ana, model="spam", text="audit week", freeze=True, hours=4)
    with pytest.raises(ConflictError, match="changes are frozen by ana"):
        carry_out(db, settings)


def test_a_policy_that_was_taken_back_lets_nothing_queued_happen(db, settings, clock, served):
    approve_policy(db)
    look(db, settings, clock)
    with db.command(system("executor"), "action.execute") as command:
        policies.retire_in(command, "spam")
    with pytest.raises(ConflictError, match="not in force any more"):
        carry_out(db, settings)


def test_a_bad_outcome_ends_what_a_leave_has_queued(db, settings, clock, served):
    grant(db)
    put_outcomes(db, *["good"] * 11)
    look(db, settings, clock)
    put_outcomes(db, "bad")
    with pytest.raises(ConflictError, match="not left to the product any more"):
        carry_out(db, settings)
