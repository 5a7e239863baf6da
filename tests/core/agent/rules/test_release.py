import pytest

from core.agent.policy import Policy, decide
from tests.fakes.facts import book, drifting, losing_accuracy

WORSE = {
    "current": "2.0.0", "previous": "1.0.0", "previous_available": True, "hours_since_deploy": 5,
    "current_accuracy": 0.9, "previous_accuracy": 0.96, "n_compared": 900, "p_worse": 0.0001,
}  # fmt: skip


def verdict(facts):
    return decide(facts, Policy())


def decided(**change):
    return verdict(book(deployment=WORSE | change)).decision


def test_a_release_that_is_surely_worse_than_the_one_before_is_taken_back():
    found = verdict(book(deployment=WORSE))
    assert (found.decision, found.severity) == ("rollback", "critical")
    assert found.actions[0].arguments == {"to": "1.0.0"}


def test_a_few_points_worse_are_taken_back_with_less_alarm():
    found = verdict(book(deployment=WORSE | {"previous_accuracy": 0.93}))
    assert (found.decision, found.severity) == ("rollback", "high")


@pytest.mark.parametrize(
    ("change", "decision"),
    [
        ({"p_worse": 0.2}, "log_only"),
        ({"n_compared": 20}, "log_only"),
        ({"previous_accuracy": 0.91}, "no_action"),
        ({"previous_accuracy": 0.85}, "no_action"),
        ({"previous_available": False}, "no_action"),
        ({"same_period": False}, "rollback"),
        ({"same_period": False, "hours_since_deploy": 500}, "no_action"),
        ({"hours_since_deploy": 500}, "rollback"),
    ],
    ids=str,
)
def test_only_what_is_surely_worse_on_fair_terms_is_taken_back(change, decision):
    assert decided(**change) == decision


def test_labels_that_are_still_to_come_take_nothing_back():
    late = {"label_lag_hours": 96, "label_coverage": 0.05}
    assert verdict(book(deployment=WORSE, accuracy=late)).decision == "log_only"


def test_a_rollback_beats_a_training():
    found = verdict(drifting(0.6, deployment=WORSE))
    assert [act.kind for act in found.actions] == ["rollback"]
    assert ("drift ladder", "passed over") in [one[:2] for one in found.considered]


def test_a_part_of_the_traffic_that_fares_worse_takes_a_young_release_back():
    parts = WORSE | {"previous_accuracy": 0.9, "p_worse": 0.5, "slice_regressions": ["old"]}
    assert verdict(book(deployment=parts)).decision == "rollback"
    assert verdict(book(deployment=parts | {"hours_since_deploy": 500})).decision == "log_only"


@pytest.mark.parametrize(
    "failing", [{"error_rate": 0.06}, {"error_rate": 0, "latency_p95_ms": 900}], ids=str
)
def test_a_young_release_that_fails_is_taken_back_an_old_one_is_not(failing):
    failing = {"n_requests": 900} | failing
    young = {"previous": "1.0.0", "previous_available": True, "hours_since_deploy": 1}
    assert verdict(book(service=failing, deployment=young)).decision == "rollback"
    old = young | {"hours_since_deploy": 200}
    assert verdict(book(service=failing, deployment=old)).decision == "escalate"


def test_a_loop_of_rollbacks_is_broken_by_people():
    looping = losing_accuracy(0.8, deployment=WORSE | {"rollbacks_last_6h": 2})
    assert (verdict(looping).decision, verdict(looping).actions) == ("escalate", ())
