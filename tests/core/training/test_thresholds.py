import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from core import specs
from core.errors import InvalidInputError
from core.settings import ROOT
from core.specs.candidates import Threshold
from core.training import evaluation, thresholds

SPEC = specs.parse((ROOT / "specs" / "sms_spam.yaml").read_text())
BREAST = specs.parse((ROOT / "specs" / "breast_cancer.yaml").read_text())
HEART = specs.parse((ROOT / "specs" / "heart_disease.yaml").read_text())  # positive comes first

TRUTH = np.array([False, False, False, True, False, True, True])
PROBABILITY = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.6])


def cost(truth, said, wanted):
    return -(
        wanted.false_positive * (said & ~truth).sum()
        + wanted.false_negative * (truth & ~said).sum()
    )


GOALS = {
    "f1": lambda truth, said, _w: f1_score(truth, said, zero_division=0),
    "accuracy": lambda truth, said, _w: accuracy_score(truth, said),
    "balanced_accuracy": lambda truth, said, _w: balanced_accuracy_score(truth, said),
    "cost": cost,
}


def test_even_odds_are_the_default_whatever_the_rows():
    assert thresholds.choose(Threshold(), TRUTH, PROBABILITY, SPEC) == 0.5


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [  # by hand: three positives above .25 with one false alarm; above .425 one is missed
        (Threshold(by="f1"), 0.25),  # 6/7 against 4/5
        (Threshold(by="accuracy"), 0.425),  # one mistake either way: the nearer to even odds
        (Threshold(by="cost", false_negative=3), 0.25),  # 1 against 3
        (Threshold(by="cost", false_positive=3), 0.425),  # 1 against 3
        (Threshold(by="balanced_accuracy"), 0.25),  # (1 + 3/4) / 2 against (2/3 + 1) / 2
    ],
)
def test_the_threshold_lies_in_the_middle_of_the_best_cut(wanted, expected):
    assert thresholds.choose(wanted, TRUTH, PROBABILITY, SPEC) == pytest.approx(expected)


def test_even_odds_stay_where_nothing_is_better():
    probability = np.where(TRUTH, 0.9, 0.2)
    assert thresholds.choose(Threshold(by="f1"), TRUTH, probability, SPEC) == 0.5


@pytest.mark.parametrize("truth", [np.ones(4, bool), np.zeros(4, bool), np.zeros(0, bool)])
def test_rows_of_one_class_choose_nothing(truth):
    probability = np.linspace(0.1, 0.3, len(truth))
    assert thresholds.choose(Threshold(by="f1"), truth, probability, SPEC) == 0.5


@pytest.mark.parametrize("wrong", [np.array([0.1, np.nan]), np.array([0.1, 1.2]), np.array([0.1])])
def test_what_is_no_probability_per_row_is_refused(wrong):
    with pytest.raises(InvalidInputError, match=r"threshold is chosen from"):
        thresholds.choose(Threshold(by="f1"), np.array([True, False]), wrong, SPEC)


def test_at_the_threshold_itself_the_first_label_wins():
    probability = np.array([0.3, 0.31])
    assert evaluation.predicted(probability, SPEC, 0.3).tolist() == [False, True]  # ham first
    assert evaluation.predicted(probability, HEART, 0.3).tolist() == [True, True]  # disease first


@settings(max_examples=60, deadline=None)
@given(
    by=st.sampled_from(sorted(GOALS)),
    spec=st.sampled_from([SPEC, BREAST, HEART]),
    prices=st.tuples(st.floats(0.1, 50), st.floats(0.1, 50)),
    seed=st.integers(0, 2**32 - 1),
    probability=arrays(  # no threshold lies between two neighbouring floats
        float, st.integers(2, 25), elements=st.floats(0, 1).map(lambda one: round(one, 9))
    ),
)
def test_no_other_threshold_serves_the_goal_better(by, spec, prices, seed, probability):
    wanted = Threshold(by=by, false_positive=prices[0], false_negative=prices[1])
    truth = np.random.default_rng(seed).random(len(probability)) < 0.4
    chosen = thresholds.choose(wanted, truth, probability, spec)
    assert 0 < chosen < 1
    if not 0 < truth.sum() < len(truth):
        return
    reached = GOALS[by](truth, evaluation.predicted(probability, spec, chosen), wanted)
    for other in (
        0.5,
        *np.linspace(0.01, 0.99, 23),
        *probability[(probability > 0) & (probability < 1)],
    ):
        value = GOALS[by](truth, evaluation.predicted(probability, spec, other), wanted)
        assert value <= reached + 1e-9 * max(1.0, abs(reached))
