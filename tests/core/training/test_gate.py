import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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


def test_a_certain_gain_that_may_yet_reach_what_is_required_asks_for_more_rows():
    result = judge(**rows(400, only_candidate=4))

    assert result.answer == "not_enough_evidence"
    assert "but more than 1.0% is required" in result.reasons[0]
    assert result.more_rows_needed > 100


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


@pytest.mark.parametrize("judged", ["judge", "first"])
def test_below_the_absolute_floor_nothing_is_promoted_and_the_reason_says_so(judged):
    better = rows(1000, only_champion=100, only_candidate=200)
    ask = {
        "judge": lambda **more: judge(**better, **more),
        "first": lambda **more: first(candidate_right=better["candidate_right"], floor=0.5, **more),
    }[judged]

    assert ask(absolute_floor=0.90).answer == "promote"
    result = ask(absolute_floor=0.91)
    assert result.answer == "refuse"
    assert result.reasons[0] == "accuracy 90.0% is below 91.0%, under which nothing is promoted"


def test_the_result_says_how_many_were_tried_and_how_strictly_it_asked():
    result = judge(**rows(1000, only_champion=20, only_candidate=60), candidates_tried=5)

    assert (result.candidates_tried, result.alpha) == (5, 0.01)
    assert "the best of 5 judged on these rows" in result.reasons[1]


@pytest.mark.parametrize(
    ("only_champion", "only_candidate", "two_sided"),
    [
        (1, 7, 0.039),  # airway hyper-responsiveness of 21 children
        (6, 16, 0.035),  # complete response of 161 patients
    ],
)
def test_the_p_value_is_the_published_one(only_champion, only_candidate, two_sided):
    """Fagerland, Lydersen, Laake (2013), BMC Med Res Methodol 13:91, McNemar mid-p."""
    result = judge(**rows(161, only_champion=only_champion, only_candidate=only_candidate))

    assert 2 * result.p_value == pytest.approx(two_sided, abs=5e-4)


counts = st.integers(0, 60)
RULES = pytest.mark.parametrize("rule", ["superiority", "non_inferiority"])
BETTER = ["refuse", "not_enough_evidence", "promote"]


@given(b=counts, c=counts)
def test_exchanging_the_two_models_mirrors_the_difference_and_the_p_value(b, c):
    one = judge(**rows(400, only_champion=b, only_candidate=c))
    other = judge(**rows(400, only_champion=c, only_candidate=b))

    assert one.p_value + other.p_value == pytest.approx(1)
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert one.difference.low == pytest.approx(-other.difference.high, abs=1e-9)
    assert "promote" not in (one.answer, other.answer) or one.answer != other.answer


@RULES
@given(b=st.integers(1, 60), c=counts)
@example(b=1, c=3)  # certain from one row more, and not yet above what is required
def test_one_more_row_won_never_makes_the_answer_worse(rule, b, c):
    before = judge(**rows(400, only_champion=b, only_candidate=c), rule=rule)
    after = judge(**rows(400, only_champion=b - 1, only_candidate=c + 1), rule=rule)

    assert after.p_value <= before.p_value + 1e-12
    assert BETTER.index(after.answer) >= BETTER.index(before.answer)


@RULES
@given(b=counts, c=counts, tried=st.integers(2, 50))
def test_trying_more_candidates_never_makes_promotion_easier(rule, b, c, tried):
    once = judge(**rows(400, only_champion=b, only_candidate=c), rule=rule)
    often = judge(**rows(400, only_champion=b, only_candidate=c), rule=rule, candidates_tried=tried)

    assert often.answer != "promote" or once.answer == "promote"


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
