import threading

import pytest
from sqlalchemy import text

from core import audit, keys, recommendations
from core.access import Actor, Kind, Role, local, system
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.experiments import lifecycle
from core.recommendations import Basis
from core.tables.access import User
from core.tables.entities import ActionRow, Incident, Recommendation
from core.tables.operational import Delivery, Job
from core.users import set_active
from tests.core.recommendations.decided import (
    approve,
    incident,
    measure,
    promotion,
    propose,
    rows,
    stored,
)


def test_an_approval_hands_one_action_to_the_executor_and_says_so(db, ana):
    row = propose(db)
    approved = approve(db, ana, row)

    assert (approved.state, approved.decided_by) == ("approved", "ana")
    action, job = rows(db, ActionRow)[0], rows(db, Job)[0]
    assert (action.idempotency_key, action.state) == (row.id, "queued")
    assert (job.kind, job.payload) == ("execute", {"action_id": action.id})
    with db.read() as session:
        event = audit.tail(session)[0]
    assert (event.action, event.detail["decision"]) == ("recommendation.decide", "approve")


def test_the_second_of_two_deciders_reads_who_decided_and_when(db, ana, apo):
    row = propose(db)
    approve(db, apo, row)
    with pytest.raises(ConflictError, match=r"decided already: approved by apo at 2030-01-01 12"):
        recommendations.reject(db, ana, row.id, reason="no")
    assert stored(db, row).state == "approved"


def test_of_twenty_deciders_at_once_one_wins_and_one_action_exists(db, ana, apo, adm):
    row, outcomes, gate = propose(db), [], threading.Barrier(20)

    def decide(index):
        actor = (ana, apo, adm)[index % 3]
        gate.wait()
        try:
            if index % 2:
                recommendations.reject(db, actor, row.id, reason="no")
            else:
                approve(db, actor, row)
            outcomes.append("won")
        except ConflictError as error:
            outcomes.append(str(error).split(" by ")[0])

    threads = [threading.Thread(target=decide, args=(index,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    final = stored(db, row).state
    assert sorted(outcomes) == sorted(["won"] + [f"decided already: {final}"] * 19)
    assert len(rows(db, ActionRow)) == len(rows(db, Job)) == (final == "approved")


def test_an_approval_of_something_else_than_was_shown_is_refused(db, ana):
    row = propose(db)
    with pytest.raises(ConflictError, match="not the proposal that was shown"):
        approve(db, ana, row, digest="0" * 64)
    assert stored(db, row).state == "proposed"


@pytest.mark.parametrize(
    "change",
    ["kind = 'promote'", "release_seq = 7", "evidence = '[1]'", 'arguments = \'{"version": "2"}\''],
)
def test_a_proposal_changed_behind_its_seal_cannot_be_approved(db, apo, change):
    row = propose(db)
    with db.engine.begin() as connection:
        connection.execute(text(f"update recommendation set {change}"))
    with pytest.raises(ConflictError, match="not the proposal that was shown"):
        approve(db, apo, row)


def test_a_proposal_about_a_release_that_no_longer_serves_is_refused(db, apo, release):
    release("spam", "1.0.0")
    row = propose(db)
    release("spam", "2.0.0")
    with pytest.raises(ConflictError, match="what serves has changed since this was proposed"):
        approve(db, apo, row)


def test_a_proposal_lapses_after_a_day(db, apo, clock):
    row = propose(db)
    assert recommendations.expire(db) == 0
    clock.forward(hours=24)
    with pytest.raises(ConflictError, match="lapsed at 2030-01-02 12:00:00 UTC"):
        approve(db, apo, row)
    assert recommendations.expire(db) == 1
    assert stored(db, row).state == "expired"
    with pytest.raises(ConflictError, match="decided already: lapsed"):
        approve(db, apo, row)


def test_the_incident_is_told_of_a_proposal_that_nobody_decided(db, clock):
    incident(db, clock)
    propose(db, basis=Basis(incident_id="i1"))
    clock.forward(hours=24)
    recommendations.expire(db)
    told = rows(db, Incident)[0].timeline[-1]["what"]
    assert told == "lapsed: retrain spam (nobody decided in time)"


def test_a_rejection_needs_a_reason(db, ana):
    row = propose(db)
    with pytest.raises(InvalidInputError, match="say why"):
        recommendations.reject(db, ana, row.id, reason="  ")
    rejected = recommendations.reject(db, ana, row.id, reason="campaign is over")
    assert (rejected.state, rejected.decision_reason) == ("rejected", "campaign is over")


@pytest.mark.parametrize(
    "actor",
    [
        Actor("key", Role.ADMIN, Kind.KEY),
        local("ana"),
        system("agent"),
        Actor("vic", Role.VIEWER),
    ],
)
def test_only_a_person_from_operator_upwards_decides(db, actor):
    row = propose(db)
    with pytest.raises(ForbiddenError):
        approve(db, actor, row)
    with pytest.raises(ForbiddenError):
        recommendations.reject(db, actor, row.id, reason="no")


def test_a_promotion_needs_an_approver(db, ana, apo, release):
    release("spam", "1.0.0")
    row = promotion(db)
    with pytest.raises(ForbiddenError, match="needs an approver"):
        approve(db, ana, row)
    with pytest.raises(ForbiddenError, match="needs an approver"):
        recommendations.reject(db, ana, row.id, reason="no")
    assert approve(db, apo, row).state == "approved"


@pytest.mark.parametrize("solo", [True, False])
def test_nobody_approves_their_own_risky_proposal_while_another_could(db, apo, adm, release, solo):
    release("spam", "1.0.0")
    row = promotion(db, apo)
    with pytest.raises(ForbiddenError, match=r"another person decides \(adm\)"):
        approve(db, apo, row, solo=solo)
    assert approve(db, adm, row).state == "approved"


def test_a_single_approver_may_approve_alone_only_where_the_setting_says_so(db, apo, adm, release):
    release("spam", "1.0.0")
    row = promotion(db, apo)
    with db.command(adm, "user.change") as command:
        command.session.get(User, "adm").active = False

    with pytest.raises(ForbiddenError, match="PILOTHOUSE_SOLO=true"):
        approve(db, apo, row)
    approved = approve(db, apo, row, solo=True)

    with db.read() as session:
        assert recommendations.approved_alone(session, approved)
        assert audit.tail(session)[0].detail["alone"] is True


def test_a_proposer_may_approve_their_own_retrain(db, ana):
    approved = approve(db, ana, propose(db, ana))
    with db.read() as session:
        assert not recommendations.approved_alone(session, approved)


def key_of(db, maker, name="ci"):
    keys.create(db, maker, name=name, scopes=["operate"])
    return Actor(f"key:{name}", Role.OPERATOR, Kind.KEY)


def test_who_made_a_key_does_not_approve_what_it_proposed(db, release, apo, adm):
    release("spam", "1.0.0")
    row = promotion(db, key_of(db, adm))
    with pytest.raises(ForbiddenError, match=r"another person decides \(apo\)"):
        approve(db, adm, row, solo=True)
    assert approve(db, apo, row).state == "approved"


def test_what_two_people_decide_is_not_proposed_by_nobody_knows_whom(db, release, shell):
    release("spam", "1.0.0")
    with pytest.raises(ForbiddenError, match="pilothouse login NAME"):
        promotion(db, shell)
    with pytest.raises(ForbiddenError, match="nobody knows whose key:ci is"):
        promotion(db, key_of(db, shell))
    assert propose(db, shell).state == "proposed"  # a retrain needs one person only


def test_a_single_approver_may_propose_at_the_shell_until_another_one_comes(
    db, release, apo, adm, shell
):
    release("spam", "1.0.0")
    set_active(db, adm, "apo", active=False)
    row = promotion(db, shell)
    set_active(db, adm, "apo", active=True)
    with pytest.raises(ForbiddenError, match="it may be you"):
        approve(db, apo, row, solo=True)
    set_active(db, adm, "apo", active=False)
    approved = approve(db, adm, row, solo=True)
    with db.read() as session:
        assert recommendations.approved_alone(session, approved)


def test_a_newer_proposal_of_the_same_kind_takes_the_place_of_the_older(db, apo, release):
    release("spam", "1.0.0")
    old, other, new = propose(db), promotion(db), propose(db)
    with db.read() as session:
        assert {row.id for row in recommendations.waiting(session)} == {other.id, new.id}
        assert [row.id for row in recommendations.decided(session)] == [old.id]
    with pytest.raises(ConflictError, match="replaced by a newer proposal"):
        approve(db, apo, old)


def test_what_waits_is_ordered_by_severity(db, release):
    release("spam", "1.0.0")
    low = propose(db)
    critical = propose(
        db, kind="promote", arguments={"version": "1.0.0"}, basis=Basis(severity="critical")
    )
    with db.read() as session:
        assert [row.id for row in recommendations.waiting(session)] == [critical.id, low.id]


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        ("delete", {}, InvalidInputError),
        ("retrain", {"url": "http://x"}, InvalidInputError),
        ("promote", {}, InvalidInputError),
        ("promote", {"version": 1}, InvalidInputError),
        ("promote", {"version": "9.9.9"}, NotFoundError),
        ("rollback", {"to": "9.9.9"}, NotFoundError),
        ("start_experiment", {"experiment_id": "none"}, NotFoundError),
        ("widen_experiment", {"experiment_id": "none", "share": "0.5"}, NotFoundError),
        ("widen_experiment", {"experiment_id": "none", "share": "all"}, InvalidInputError),
        ("widen_experiment", {"experiment_id": "none", "share": "nan"}, InvalidInputError),
    ],
)
def test_what_cannot_be_carried_out_cannot_be_proposed(db, kind, arguments, error):
    with pytest.raises(error):
        propose(db, kind=kind, arguments=arguments or {})
    assert rows(db, Recommendation) == []


@pytest.mark.parametrize("gate", [{}, {"answer": "refuse"}, {"answer": "not_enough_evidence"}])
def test_what_the_gate_has_not_let_through_is_not_released_by_a_plain_proposal(
    db, ana, release, gate
):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    measure(db, "2.0.0", {}, gate)
    with pytest.raises(ConflictError, match=r"the gate has not let spam 2\.0\.0 through"):
        promotion(db, ana, "2.0.0")


@pytest.mark.parametrize("kind", ["start_experiment", "stop_experiment"])
def test_an_experiment_of_another_model_cannot_be_proposed(db, ana, release, kind):
    release("heart", "1.0.0")
    release("heart", "2.0.0", release=False)
    other = lifecycle.draft(
        db, ana, model="heart", name="e", control="1.0.0", treatment="2.0.0", share=0.1,
        hypothesis="better",
    )  # fmt: skip
    with pytest.raises(NotFoundError, match="spam has no experiment"):
        propose(db, kind=kind, arguments={"experiment_id": other.id})


def test_evidence_that_is_no_number_is_refused(db):
    with pytest.raises(InvalidInputError, match="finite"):
        propose(db, basis=Basis(evidence=[{"fact": "drift.score", "value": float("nan")}]))


def test_a_proposal_leaves_a_message_for_each_channel_with_the_way_to_its_card(db):
    row = propose(db, channels=["slack", "email"])
    messages = rows(db, Delivery)
    assert sorted(message.channel for message in messages) == ["email", "slack"]
    assert messages[0].payload["path"] == f"/recommendation?id={row.id}"


def test_the_difference_of_a_promotion_shows_what_serves_and_the_figures(db, release):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    measure(db, "2.0.0", {"accuracy": 0.98})
    row = promotion(db, version="2.0.0")
    with db.read() as session:
        shown = recommendations.difference(session, row)
    assert shown == [
        ("serves", "1.0.0", "2.0.0"),
        ("accuracy on held-out rows", "unknown", "0.9800"),
    ]
