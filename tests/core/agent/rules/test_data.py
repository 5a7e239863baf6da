import pytest

from core.agent.policy import Policy, decide
from tests.fakes.facts import book, drifting, losing_accuracy


def verdict(facts):
    return decide(facts, Policy())


@pytest.mark.parametrize(
    "quality",
    [
        {"status": "fail"},
        {"mostly_missing": ["age"]},
        {"schema_ok": False},
        {"raw_feed_ok": False},
        {"unit_change": "weight: g to kg"},
        {"status": "pass", "unit_change": "weight: g to kg"},
        {"missing_rate_max": 0.4},
        {"new_category_share": 0.5},
        {"duplicate_share": 0.7},
        {"freshness_min": 2900},
    ],
    ids=str,
)
def test_nothing_is_trained_on_broken_data(quality):
    found = verdict(drifting(0.8, data_quality=quality))
    assert (found.decision, found.actions) == ("escalate", ())
    assert found.rule == "data quality"


@pytest.mark.parametrize(
    "quality",
    [
        {"status": "pass", "missing_rate_max": 0.6, "duplicate_share": 0.8, "freshness_min": 5000},
        {"status": "warn", "missing_rate_max": 0.66, "missing_more": 0.01},
        {"status": "warn", "schema_ok": False},
    ],
    ids=["checked and sound", "never was full", "a column too many"],
)
def test_what_the_checks_know_better_is_not_broken(quality):
    assert [act.kind for act in verdict(drifting(0.6, data_quality=quality)).actions] == ["retrain"]


def test_broken_data_beside_a_critical_loss_is_critical():
    assert verdict(book(data_quality={"status": "fail"})).severity == "medium"
    found = verdict(losing_accuracy(0.8, data_quality={"status": "fail"}))
    assert (found.decision, found.severity, found.actions) == ("escalate", "critical", ())


def test_a_warning_of_the_data_is_told_and_changes_nothing():
    found = verdict(book(data_quality={"status": "warn"}))
    assert (found.decision, found.severity, found.rule) == ("log_only", "medium", "data warning")


def labels(top, top_before=None, rate=None, rate_before=None):
    given = {
        "label_concentration_top_source": top,
        "label_concentration_top_source_before": top_before,
        "label_positive_rate": rate,
        "label_positive_rate_before": rate_before,
    }
    return {name: value for name, value in given.items() if value is not None}


@pytest.mark.parametrize(
    "bent",
    [labels(0.9), labels(0.9, 0.3), labels(0.95, 0.3, 0.9, 0.1), labels(0.6, 0.3, 0.9, 0.1)],
    ids=str,
)
def test_bent_labels_lead_neither_to_a_training_nor_to_a_rollback(bent):
    worse = {"previous": "1.0.0", "previous_available": True, "hours_since_deploy": 5}
    worse |= {"current_accuracy": 0.5, "previous_accuracy": 0.9, "n_compared": 900, "p_worse": 0.0}
    found = verdict(losing_accuracy(0.5, data_quality=bent, deployment=worse))
    assert (found.decision, found.actions) == ("escalate", ())
    assert "may have been bent" in found.title


@pytest.mark.parametrize(
    "usual",
    [labels(0.12), labels(1.0, 1.0), labels(0.9, 0.85), labels(0.3, 0.3, 0.5, 0.1)],
    ids=str,
)
def test_labels_from_where_they_always_came_count(usual):
    assert verdict(losing_accuracy(0.8, data_quality=usual)).decision == "retrain"


def test_more_positives_while_the_inputs_drift_are_no_bent_labels():
    shifted = labels(0.6, 0.3, 0.5, 0.1)
    assert verdict(drifting(0.6, data_quality=shifted)).decision == "retrain"
