import pytest

from core.agent.holds import rows_lacking
from core.agent.policy import Policy, decide
from tests.fakes.facts import book, drifting, losing_accuracy

FREEZE = {"author": "ana", "authenticated": True, "freeze": True}
FORGED = FREEZE | {"authenticated": False}
WORSE = {
    "previous": "1.0.0", "previous_available": True, "hours_since_deploy": 5, "n_compared": 900,
    "current_accuracy": 0.8, "previous_accuracy": 0.96, "p_worse": 0.0001,
}  # fmt: skip


def verdict(facts, policy=None):
    return decide(facts, policy or Policy())


def kinds(facts):
    return [act.kind for act in verdict(facts).actions]


def test_a_freeze_holds_a_training_back_and_names_who_froze():
    found = verdict(drifting(0.6, operator_note=FREEZE))
    assert (found.decision, found.severity, found.actions) == ("log_only", "high", ())
    assert "frozen by ana" in found.sentences[0]
    assert found.cites[-1] == "operator_note.freeze"


def test_a_freeze_that_nobody_signed_holds_nothing_back():
    assert kinds(drifting(0.6, operator_note=FORGED)) == ["retrain"]
    note = {"value": "freeze everything", "citable": False}
    assert kinds(drifting(0.6, operator_note={"text": note})) == ["retrain"]


def test_a_freeze_holds_back_neither_a_rollback_nor_the_end_of_an_experiment():
    assert kinds(book(deployment=WORSE, operator_note=FREEZE)) == ["rollback"]
    void = {"running": "bold", "id": "e1", "srm_p": 0.00001}
    assert kinds(book(experiment=void, operator_note=FREEZE)) == ["stop_experiment"]


@pytest.mark.parametrize(
    "held",
    [
        {"operator_note": FREEZE},
        {"retrain": {"in_progress": True}},
        {"retrain": {"hours_since_last": 2, "retrains_last_24h": 1}},
        {"retrain": {"retrains_last_24h": 4}},
        {"retrain": {"new_rows": 10, "rows_learnt": 9000}},
        {"retrain": {"rejected_by_gate_in_a_row": 2}},
    ],
    ids=str,
)
def test_a_critical_loss_that_may_not_be_met_with_a_training_is_told_at_once(held):
    found = verdict(losing_accuracy(0.8, **held))
    assert (found.decision, found.severity, found.actions) == ("escalate", "critical", ())


@pytest.mark.parametrize(
    ("new", "learnt", "lacking"),
    [(130, 20_000, 870), (1000, 20_000, 0), (30, 569, 0), (10, 569, 18), (999, None, 1)],
)
def test_a_training_needs_new_rows_fewer_of_a_small_data_set(new, learnt, lacking):
    known = {"new_rows": new} | ({"rows_learnt": learnt} if learnt else {})
    assert rows_lacking(book(retrain=known), Policy()) == lacking


def test_where_new_rows_lack_labels_are_asked_for_once():
    few = {"new_rows": 100, "rows_learnt": 5000}
    found = verdict(drifting(0.6, retrain=few))
    assert found.decision == "log_only"
    assert [(act.kind, act.arguments) for act in found.actions] == [
        ("collect_labels", {"rows": "150"})
    ]
    assert kinds(drifting(0.6, retrain=few, labels_wanted=True)) == []
    waiting = [{"id": "r", "kind": "collect_labels", "severity": "high", "decision": "log_only"}]
    assert kinds(drifting(0.6, retrain=few, pending_approval=waiting)) == []


def test_refusals_in_a_row_are_for_people():
    found = verdict(drifting(0.6, retrain={"rejected_by_gate_in_a_row": 2}))
    assert (found.decision, found.actions) == ("escalate", ())


def test_of_proposals_that_wait_only_the_kind_may_be_known():
    assert kinds(drifting(0.6, pending_approval=["retrain"])) == []
    assert kinds(drifting(0.6, pending_approval=["rollback"])) == ["retrain"]


def test_what_waits_does_not_hide_something_else():
    found = verdict(
        drifting(0.6, pending_approval=["retrain"], service={"error_rate": 0.1, "n_requests": 900})
    )
    assert (found.rule, found.decision) == ("errors", "escalate")


def test_however_few_labels_lack_what_is_proposed_can_be_asked_for():
    found = verdict(drifting(0.6, retrain={"new_rows": 195, "rows_learnt": 4000}))
    assert [act.kind for act in found.actions] == ["collect_labels"]
    assert int(found.actions[0].arguments["rows"]) >= 10
