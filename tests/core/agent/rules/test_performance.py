import pytest

from core.agent.policy import Policy, decide
from tests.fakes.facts import book, losing_accuracy

SLOW = {"latency_p95_ms": 800.0, "n_requests": 900}
CAN = {"possible": True, "replicas": 2}


def verdict(facts):
    return decide(facts, Policy())


def with_accuracy(deployment=None, drift=None, **more):
    facts = losing_accuracy(0.85)
    known = {fact.id.removeprefix("accuracy."): vars(fact) for fact in facts}
    told = {
        name: {key: fact[key] for key in ("value", "n", "interval")} for name, fact in known.items()
    }
    return book(accuracy=told | more, deployment=deployment or {}, drift=drift or {})


@pytest.mark.parametrize(
    "late",
    [
        {"mature": False},
        {"label_lag_hours": 96, "label_coverage": 0.1},
        {"label_lag_hours": 96},
        {"label_lag_hours": 12, "label_coverage": 0.1, "age": 5},
    ],
    ids=str,
)
def test_an_accuracy_on_labels_that_are_still_to_come_decides_nothing(late):
    young = {"hours_since_deploy": late.pop("age", 900)}
    found = verdict(with_accuracy(deployment=young, **late))
    assert (found.decision, found.actions) == ("log_only", ())
    assert "still to come" in found.sentences[0]


@pytest.mark.parametrize(
    "told",
    [
        {"mature": True, "label_lag_hours": 96, "label_coverage": 0.1},
        {"label_lag_hours": 72, "label_coverage": 0.95},
        {"label_lag_hours": 2, "label_coverage": 0.05},
    ],
    ids=str,
)
def test_labels_that_are_in_decide_however_late_or_few_they_are(told):
    assert verdict(with_accuracy(**told)).decision == "retrain"


def test_a_loss_without_drift_is_another_concept_and_people_are_told():
    found = verdict(losing_accuracy(0.85, drift={"alarm": False, "score": 0.0}))
    assert found.rule == "concept drift"
    assert [act.kind for act in found.actions] == ["retrain", "notify"]


def test_an_alarm_that_labels_contradict_the_probabilities_is_critical_by_itself():
    found = verdict(book(concept={"alarm": True, "gap": -0.03}))
    assert (found.decision, found.severity) == ("retrain", "critical")


def test_a_changed_concept_does_not_deny_the_drift_that_is_known_too():
    seen = {"alarm": True, "score": 0.4, "n_current": 300}
    told = verdict(book(concept={"alarm": True, "gap": -0.2}, drift=seen)).sentences
    assert any(one.startswith("The inputs have changed, but") for one in told)


def test_a_loss_of_exactly_five_points_is_a_warning():
    found = verdict(losing_accuracy(0.92, n=5000, half_width=0.008))
    assert (found.decision, found.severity) == ("request_approval", "high")


def test_under_the_floor_is_a_warning_for_a_model_that_once_was_above_it():
    once = verdict(losing_accuracy(0.92, n=9000, baseline=0.935, half_width=0.006))
    assert (once.decision, once.severity) == ("request_approval", "high")
    never = verdict(losing_accuracy(0.87, n=9000, baseline=0.875, half_width=0.006))
    assert never.decision == "no_action"


def test_labels_far_under_the_estimate_are_another_concept():
    found = verdict(with_accuracy(estimated=0.965, baseline=0.89))
    assert (found.rule, found.severity) == ("concept drift", "critical")


def test_under_drift_an_estimate_proves_no_other_concept():
    found = verdict(losing_accuracy(0.85, drift={"alarm": True, "score": 0.4, "n_current": 300}))
    assert found.rule == "critical performance"
    facts = with_accuracy(estimated=0.965, baseline=0.89, drift={"alarm": True, "score": 0.4})
    assert verdict(facts).rule == "accuracy"


def test_an_estimate_that_fell_without_labels_asks_for_these():
    fell = {"estimated": {"value": 0.9, "interval": (0.88, 0.92)}, "baseline": 0.97}
    found = verdict(book(accuracy=fell | {"n_labelled": 3}))
    assert (found.decision, found.severity) == ("log_only", "high")
    assert [act.kind for act in found.actions] == ["collect_labels"]
    assert verdict(book(accuracy=fell | {"n_labelled": 300})).decision == "no_action"


def test_slow_answers_ask_for_one_more_replica_where_there_can_be_one():
    found = verdict(book(service=SLOW, scale=CAN))
    assert (found.decision, found.severity) == ("escalate", "critical")
    assert found.actions[0].arguments == {"replicas": "3"}
    assert verdict(book(service=SLOW, scale=CAN | {"possible": False})).actions == ()


@pytest.mark.parametrize(("windows", "kinds"), [(1, []), (3, ["scale"])])
def test_answers_that_are_a_little_slow_for_long_ask_for_one_more_replica(windows, kinds):
    slow = SLOW | {"latency_p95_ms": 300.0, "windows_in_a_row": windows}
    found = verdict(book(service=slow, scale=CAN))
    assert (found.decision, [act.kind for act in found.actions]) == ("log_only", kinds)


def test_a_few_requests_decide_nothing():
    assert verdict(book(service=SLOW | {"n_requests": 9})).decision == "log_only"


def test_some_errors_are_said_and_watched():
    found = verdict(book(service={"error_rate": 0.014, "n_requests": 900}))
    assert (found.decision, found.severity) == ("log_only", "high")
