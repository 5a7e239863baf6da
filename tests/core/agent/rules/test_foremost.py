from core.agent.policy import Policy, decide
from tests.fakes.facts import book


def test_a_treatment_that_is_watched_is_stopped_where_it_is_surely_worse():
    running = {
        "running": "e", "id": "e1", "arm_a": "1.0.0", "arm_b": "2.0.0", "acc_a": 0.95,
        "acc_b": 0.85, "n_a": 2000, "n_b": 2000, "planned_n": 4000, "p_seq": 0.0001,
        "error_rate_b": 0.012, "n_requests_b": 4000, "srm_p": 0.5,
        "label_maturity_a": 1.0, "label_maturity_b": 1.0,
    }  # fmt: skip
    verdict = decide(book(experiment=running), Policy())
    assert (verdict.decision, verdict.severity) == ("stop_experiment", "high")
    assert "worse" in verdict.title
