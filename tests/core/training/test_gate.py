import json

import numpy as np
import pytest

from core.errors import InvalidInputError
from core.training.gate import first, judge


def rows(n, *, only_champion=0, only_candidate=0):
    """Right/wrong of both models on `n` rows, apart from the disagreements all right."""
    champion, candidate = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    candidate[:only_champion] = False
    champion[only_champion : only_champion + only_candidate] = False
    return {"champion_right": champion.tolist(), "candidate_right": candidate.tolist()}


def test_a_clearly_better_candidate_is_promoted():
    result = judge(**rows(1000, only_champion=20, only_candidate=60))

    assert result.answer == "promote"
    assert result.difference.value == pytest.approx(0.04)
    assert result.difference.low > 0


def test_a_lucky_difference_asks_for_more_rows():
    result = judge(**rows(300, only_champion=9, only_candidate=15))

    assert result.answer == "not_enough_evidence"
    assert result.more_rows_needed == pytest.approx(900, abs=300)
    assert f"{result.more_rows_needed:,} more labelled rows" in result.reasons[0]


def test_a_certain_but_too_small_gain_is_refused():
    result = judge(**rows(20_000, only_champion=20, only_candidate=90))

    assert result.answer == "refuse"
    assert "required" in result.reasons[0]


def test_a_worse_candidate_is_refused():
    assert judge(**rows(1000, only_champion=60, only_candidate=20)).answer == "refuse"


def test_identical_models_are_not_better():
    assert judge(**rows(1000)).answer == "refuse"


def test_an_equal_candidate_may_replace_the_champion_when_that_is_the_question():
    equal = rows(3000, only_champion=20, only_candidate=20)

    assert judge(**equal, rule="non_inferiority").answer == "promote"
    assert judge(**equal, rule="superiority").answer == "refuse"


def test_a_point_worse_is_not_non_inferior():
    assert (
        judge(**rows(3000, only_champion=60, only_candidate=20), rule="non_inferiority").answer
        == "refuse"
    )


def test_few_rows_cannot_rule_out_a_loss():
    result = judge(**rows(300, only_champion=10, only_candidate=10), rule="non_inferiority")

    assert result.answer == "not_enough_evidence"
    assert result.more_rows_needed > 1000


def test_equal_models_are_promoted_in_five_percent_at_most():
    rng, promoted = np.random.default_rng(0), 0
    for b, c, _ in rng.multinomial(300, [0.04, 0.04, 0.92], size=400):
        promoted += judge(**rows(300, only_champion=b, only_candidate=c)).answer == "promote"

    assert promoted / 400 <= 0.075


def test_the_best_of_many_candidates_needs_stronger_evidence():
    data = rows(1000, only_champion=20, only_candidate=36)

    assert judge(**data).answer == "promote"
    assert judge(**data, candidates_tried=20).answer == "not_enough_evidence"


def test_harm_to_one_slice_refuses_an_overall_better_candidate():
    data = rows(2000, only_champion=60, only_candidate=200)
    result = judge(**data, slices={"short": range(400), "long": range(400, 2000)})

    assert judge(**data).answer == "promote"
    assert result.answer == "promote"
    harmed = judge(**data, slices={"de": range(60), "rest": range(60, 2000)})
    assert harmed.answer == "refuse"
    assert "worse on slice 'de'" in harmed.reasons[0]


def test_a_small_slice_says_so_and_does_not_pass():
    data = rows(1000, only_champion=20, only_candidate=60)
    result = judge(**data, slices={"rare": range(500, 600), "none": []})

    assert [part.answer for part in result.slices] == ["not_enough_evidence"] * 2
    assert result.answer == "promote"
    assert "'rare', 'none' (under 300 rows)" in result.reasons[-1]


@pytest.mark.parametrize(
    ("fault", "words"),
    [({"train_test_overlap": 3}, "occur in training"), ({"test_age_days": 120}, "120 days old")],
)
def test_test_rows_that_cannot_judge_refuse_everything(fault, words):
    result = judge(**rows(1000, only_champion=20, only_candidate=60), **fault)

    assert result.answer == "refuse"
    assert words in result.reasons[0]
    assert first(candidate_right=[True] * 500, floor=0.5, **fault).answer == "refuse"


@pytest.mark.parametrize(
    ("right", "n", "answer"),
    [(960, 1000, "promote"), (850, 1000, "refuse"), (46, 50, "not_enough_evidence")],
)
def test_a_first_model_must_reach_the_floor(right, n, answer):
    result = first(candidate_right=[True] * right + [False] * (n - right), floor=0.9)

    assert result.answer == answer
    assert (result.more_rows_needed is None) == (answer != "not_enough_evidence")


def test_a_result_is_plain_json():
    result = judge(**rows(400, only_candidate=30), slices={"all": range(400)})

    assert json.loads(json.dumps(result.to_dict()))["slices"][0]["name"] == "all"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"champion_right": [], "candidate_right": []}, "at least one labelled row"),
        ({"champion_right": [True], "candidate_right": [True, False]}, "same rows"),
        ({**rows(9), "rule": "luck"}, "no rule"),
        ({**rows(9), "slices": {"x": [9]}}, "do not exist"),
        ({**rows(9), "candidates_tried": 0}, "at least one candidate"),
    ],
)
def test_input_that_cannot_be_judged_is_refused_with_a_reason(arguments, words):
    with pytest.raises(InvalidInputError, match=words):
        judge(**arguments)


def test_a_floor_outside_zero_to_one_is_refused():
    with pytest.raises(InvalidInputError, match="floor"):
        first(candidate_right=[True], floor=1.0)
