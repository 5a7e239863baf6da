import pytest

from core.agent.policy import Policy, decide
from tests.fakes.facts import book

HEALTHY = {
    "running": "bold", "id": "e1", "arm_a": "1.0.0", "arm_b": "2.0.0", "acc_a": 0.94, "acc_b": 0.94,
    "n_a": 1000, "n_b": 1000, "p_seq": 0.8, "p_fixed": 0.6, "srm_p": 0.5, "planned_n": 4000,
    "label_maturity_a": 0.95, "label_maturity_b": 0.95, "error_rate_a": 0.0, "error_rate_b": 0.0,
    "n_requests_b": 900,
}  # fmt: skip
AHEAD = {"acc_b": 0.97, "p_seq": 0.001, "p_fixed": 0.0001}
BEHIND = {"acc_b": 0.9, "p_seq": 0.001, "p_fixed": 0.0001}
FULL = {"n_a": 2100, "n_b": 2100}
YOUNG = {"label_maturity_b": 0.3}


def verdict(*changes, **more):
    seen = dict(HEALTHY)
    for change in changes:
        seen |= change
    return decide(book(experiment=seen, **more), Policy())


def test_a_healthy_experiment_is_left_alone():
    assert verdict().decision == "no_action"


def test_a_treatment_that_fails_is_stopped_before_everything_else():
    found = verdict({"error_rate_b": 0.2}, data_quality={"status": "fail"})
    assert (found.decision, found.severity) == ("stop_experiment", "critical")
    assert found.actions[0].arguments == {"experiment_id": "e1"}


def test_a_few_failed_requests_of_a_treatment_stop_nothing():
    assert verdict({"error_rate_b": 0.2, "n_requests_b": 10}).decision == "log_only"


def test_a_treatment_that_fails_a_little_is_watched():
    found = verdict({"error_rate_b": 0.015})
    assert (found.decision, found.severity, found.actions) == ("log_only", "high", ())


def test_failing_requests_stop_an_experiment_whose_arms_are_not_known():
    failing = {"error_rate": 0.06, "n_requests": 900}
    found = decide(book(experiment={"running": "e1"}, service=failing), Policy())
    assert found.actions[0].arguments == {"experiment_id": "e1"}


def test_a_failing_control_is_no_reason_to_stop_the_treatment():
    failing = {"error_rate": 0.06, "n_requests": 900}
    assert verdict({"error_rate_a": 0.12}, service=failing).decision == "escalate"


@pytest.mark.parametrize("change", [{}, AHEAD, FULL | AHEAD])
def test_a_split_that_is_not_as_asked_voids_whatever_the_arms_show(change):
    found = verdict({"srm_p": 0.0001}, change)
    assert (found.decision, [act.kind for act in found.actions]) == (
        "stop_experiment",
        ["stop_experiment"],
    )


def test_a_treatment_that_is_surely_worse_is_stopped_at_any_look():
    found = verdict(BEHIND)
    assert found.decision == "stop_experiment"
    assert "90.0% against 94.0%" in found.sentences[0]


def test_a_winner_is_released_at_the_planned_size():
    found = verdict(AHEAD, FULL)
    assert (found.decision, found.actions[0].arguments) == ("promote", {"version": "2.0.0"})


def test_a_winner_that_the_gate_holds_back_is_for_people():
    found = verdict(AHEAD, FULL, {"arm_b_releasable": False})
    assert (found.decision, found.actions) == ("escalate", ())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (AHEAD, "runs on to its planned size"),
        (AHEAD | FULL | YOUNG, "most labels are still to come"),
        (BEHIND | YOUNG, "most labels are still to come"),
        ({"p_fixed": 0.01}, "A test that looks once"),
    ],
    ids=["too early", "young labels", "worse, young labels", "peeked at"],
)
def test_an_experiment_that_proves_nothing_yet_goes_on_and_says_why(change, why):
    found = verdict(change)
    assert (found.decision, found.actions) == ("log_only", ())
    assert why in found.sentences[0]


def test_an_experiment_that_found_no_difference_at_its_planned_size_ends():
    found = verdict(FULL)
    assert (found.decision, found.severity) == ("stop_experiment", "low")


def test_broken_data_comes_before_a_winner_but_after_a_danger():
    broken = {"status": "fail"}
    assert verdict(AHEAD, FULL, data_quality=broken).decision == "escalate"
    assert verdict(BEHIND, data_quality=broken).decision == "stop_experiment"
