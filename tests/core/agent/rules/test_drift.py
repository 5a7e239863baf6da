import pytest

from core.agent.policy import Policy, decide
from tests.fakes.facts import book

LARGE = {"alarm": True, "score": 0.6, "p_value": 0.001, "n_current": 300, "windows_in_a_row": 2}
FLICKERS = {"history": [0, 0.5, 0, 0.6, 0, 0.55], "windows_in_a_row": 1}


def verdict(*changes, **more):
    seen = dict(LARGE)
    for change in changes:
        seen |= change
    return decide(book(drift=seen, **more), Policy())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"n_current": 26}, "So few rows"),
        ({"seasonal_match": True}, "a week ago"),
        (FLICKERS, "come and gone"),
    ],
    ids=["few rows", "season", "flickers"],
)
def test_an_alarm_that_means_nothing_yet_is_noted_and_asks_for_nothing(change, why):
    found = verdict(change)
    assert (found.decision, found.actions) == ("log_only", ())
    assert why in found.sentences[0]
    assert found.considered[0].state == "held"


@pytest.mark.parametrize(
    "change",
    [
        {"n_current": 60, "fewest": 50},
        FLICKERS | {"windows_in_a_row": 3},
        FLICKERS | {"standing": True},
        {"history": [0, 0, 0.2, 0.4, 0.6]},
    ],
    ids=["windows are small here", "lasts", "stands by all windows", "rises"],
)
def test_an_alarm_that_means_something_does(change):
    assert verdict(change).decision == "retrain"


def test_a_chance_too_small_for_the_digits_of_a_fact_is_not_called_zero():
    assert ", p = 0.001." in verdict().sentences[0]
    assert verdict({"p_value": 0.0}).sentences[0].endswith("score 0.60 on 300 rows.")


def test_an_alarm_is_known_by_its_score_where_nothing_else_says_so():
    seen = {name: value for name, value in LARGE.items() if name != "alarm"}
    assert decide(book(drift=seen), Policy()).decision == "retrain"


def test_drift_without_a_loss_is_evidence_and_no_emergency():
    right = {"current": 0.97, "baseline": 0.97, "n_labelled": 500}
    assert "not an emergency" in " ".join(verdict(accuracy=right).sentences)
