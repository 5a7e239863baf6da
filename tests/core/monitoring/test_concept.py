import numpy as np
import pytest

from core.errors import InvalidInputError
from core.monitoring import checks, concept
from core.monitoring.performance import Answers
from core.statistics import isotonic
from tests.fakes.answered import answer, keep_isotonic, watched


def answers(n, *, seed=1, shift=0.0, flip=0.0):
    """Scores of a logistic model on inputs moved by `shift`; `flip` of the truths are turned."""
    rng = np.random.default_rng(seed)
    score = 1 / (1 + np.exp(-2 * (rng.normal(size=n) + shift)))
    truth = (rng.random(n) < score) ^ (rng.random(n) < flip)
    return Answers(score > 0.5, truth, score)


def learnt(n=1000, seed=0):
    rows = answers(n, seed=seed)
    return isotonic.fit(rows.probability, rows.truth)


def alarms(times, **how):
    found = 0
    for seed in range(times):
        seen, by = answers(2000, seed=100 + seed, **how), learnt(seed=seed)
        found += any(
            concept.judge(Answers(*(x[:at] for x in vars(seen).values())), by, alarm_at=1e5).state
            == "fail"
            for at in range(100, 2001, 190)
        )
    return found


@pytest.mark.parametrize("shift", [0.0, 0.7, -1.2])
def test_other_inputs_alone_are_no_other_concept_however_often_one_looks(shift):
    assert alarms(12, shift=shift) == 0


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_another_concept_is_found_among_any_inputs(shift):
    assert alarms(6, shift=shift, flip=0.25) == 6


def test_a_change_in_one_kind_of_answer_is_found_and_named():
    seen = answers(3000, seed=5)
    turned = seen.truth ^ (~seen.said & (np.random.default_rng(6).random(3000) < 0.3))
    found = concept.judge(Answers(seen.said, turned, seen.probability), learnt(), alarm_at=1e5)
    assert found.state == "fail"
    assert "Of the answers that said negative" in found.sentence


def test_the_finding_holds_what_was_realised_and_what_was_expected():
    found = concept.judge(answers(2000, flip=0.25), learnt(), alarm_at=1e5)
    assert found.gap == pytest.approx(found.realised - found.estimated)
    assert found.gap_interval[0] < found.gap < found.gap_interval[1] < 0
    assert sum(one["n"] for one in found.bins) == found.n
    assert (found.signal.rule, found.signal.state, found.signal.severity) == (
        "concept_drift",
        "firing",
        "critical",
    )


def test_answers_that_are_right_more_often_raise_no_alarm():
    seen = answers(2000)
    better = Answers(seen.said, seen.said, seen.probability)
    assert concept.judge(better, learnt(), alarm_at=1e5).state == "pass"


def test_probabilities_that_were_never_seen_say_nothing():
    by = isotonic.fit(np.linspace(0.4, 0.6, 100), np.arange(100) % 2 == 0)
    with pytest.raises(InvalidInputError, match="no labelled answer has a probability"):
        concept.judge(answers(5, shift=9.0), by, alarm_at=1e5)


@pytest.fixture
def model(db, settings, clock):
    found = watched(db, settings, clock)
    rows = answers(1000, seed=0)
    keep_isotonic(found, rows.probability, rows.truth, accuracy=0.8)
    return found


def check(model):
    return checks.check_concept(model.db, model.settings, "spam")


@pytest.mark.parametrize(("flip", "state"), [(0.0, "pass"), (0.4, "fail")])
def test_a_check_judges_the_labels_that_came(model, flip, state):
    seen = answers(300, seed=7, flip=flip)
    answer(model, seen.probability, seen.truth)
    report = check(model)
    assert (report.state, report.n_current) == (state, 300)
    assert report.figures["signals"][0]["rule"] == "concept_drift"


def test_without_new_labels_the_report_before_is_returned(model):
    seen = answers(100, seed=7)
    answer(model, seen.probability, seen.truth)
    assert check(model).id == check(model).id


def test_without_labels_it_waits(model):
    answer(model, answers(200, seed=7).probability)
    report = check(model)
    assert (report.state, "0 labelled predictions" in report.sentence) == ("inconclusive", True)


def test_a_version_without_a_calibration_is_inconclusive(db, settings, clock):
    model = watched(db, settings, clock)
    seen = answers(100, seed=7)
    answer(model, seen.probability, seen.truth)
    assert check(model).state == "inconclusive"
