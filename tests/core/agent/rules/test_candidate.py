import pytest

from core.agent.policy import Policy, decide
from tests.fakes.facts import book, drifting

BETTER = {
    "version": "2.0.0", "gate": "promote", "accuracy": 0.97, "champion_accuracy": 0.95,
    "n_test": 2000, "only_champion_right": 10, "only_candidate_right": 50,
    "train_test_overlap": 0, "test_set_age_days": 3,
}  # fmt: skip
UNGATED = {name: value for name, value in BETTER.items() if name != "gate"}


def verdict(candidate, **more):
    return decide(book(candidate=candidate, **more), Policy())


def test_a_candidate_that_passed_the_gate_is_released_although_drift_still_shows():
    found = decide(drifting(0.6, candidate=BETTER), Policy())
    assert (found.decision, found.actions[0].arguments) == ("promote", {"version": "2.0.0"})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"train_test_overlap": 3}, "trained on rows that judge it"),
        ({"test_set_age_days": 91}, "91 days old"),
        ({"slice_regressions": ["old"]}, "'old'"),
        ({"gate": "refuse"}, "The gate refuses it"),
    ],
    ids=str,
)
def test_one_thing_that_speaks_against_a_candidate_rejects_it(change, why):
    found = verdict(BETTER | change)
    assert (found.decision, found.actions) == ("reject_candidate", ())
    assert why in " ".join(found.sentences)


@pytest.mark.parametrize(
    "change", [{"gate": "not_enough_evidence"}, {"n_test": 60}], ids=["gate", "few rows"]
)
def test_a_candidate_without_enough_evidence_waits(change):
    found = verdict(BETTER | change)
    assert (found.decision, found.actions) == ("log_only", ())


@pytest.mark.parametrize(
    ("champion", "candidate", "decision"),
    [(10, 50, "promote"), (10, 14, "log_only"), (50, 10, "reject_candidate")],
)
def test_without_a_gate_the_same_rows_decide(champion, candidate, decision):
    counts = {"only_champion_right": champion, "only_candidate_right": candidate}
    assert verdict(UNGATED | counts).decision == decision


@pytest.mark.parametrize("known", ["proposed_before", "refusal_told", "overridden"])
def test_what_people_know_of_a_candidate_already_is_not_said_again(known):
    found = decide(drifting(0.6, candidate=BETTER | {"gate": "refuse", known: True}), Policy())
    assert found.rule == "drift ladder"


def test_while_an_experiment_runs_a_candidate_waits_for_it():
    found = verdict(BETTER, experiment={"running": "bold", "id": "e1"})
    assert (found.decision, found.actions) == ("log_only", ())
