import math
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from core import specs
from core.access import system
from core.datasets import versions
from core.errors import InvalidInputError
from core.monitoring import calibration, checks, measures, signals, slices
from core.monitoring.checks import labels
from core.monitoring.checks.subject import subject
from core.monitoring.performance import Answers, Standard, judge
from core.tables.entities import DatasetVersion
from tests.fakes.answered import answer, told, watched
from tests.fakes.watched import TABLE, TEXT

BEFORE = Standard(accuracy=0.9, f1=0.8, n=1000, floor=0.5)


def rows(n=600, seed=1):
    rng = np.random.default_rng(seed)
    probability = rng.random(n).round(2)
    return probability > 0.5, probability, rng.random(n) < probability


def right(n, share, seed=1):
    said = np.ones(n, dtype=bool)
    return Answers(said, np.random.default_rng(seed).random(n) < share, np.full(n, 0.9))


def test_every_figure_is_that_of_scikit_learn():
    said, probability, truth = rows()
    found = measures.measure(said, probability, truth, level=0.99)
    theirs = {
        "accuracy": sklearn_metrics.accuracy_score(truth, said),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(truth, said),
        "precision": sklearn_metrics.precision_score(truth, said),
        "recall": sklearn_metrics.recall_score(truth, said),
        "f1": sklearn_metrics.f1_score(truth, said),
        "roc_auc": sklearn_metrics.roc_auc_score(truth, probability),
        "brier": sklearn_metrics.brier_score_loss(truth, probability),
        "log_loss": sklearn_metrics.log_loss(truth, probability),
    }
    assert {name: found[name].value for name in theirs} == pytest.approx(theirs, abs=1e-12)
    assert set(found) == {*theirs, "ece"}
    assert all(one.interval[0] <= one.value <= one.interval[1] for one in found.values())


def test_delongs_error_of_the_area_is_that_of_its_placements():
    """Worked by hand: positives win 1 and 1/2 of 2 negatives, negatives lose to 1 and 1/2 of 2;
    the variance is var(1, .5) / 2 + var(1, .5) / 2 = .125."""
    probability = np.array([0.1, 0.4, 0.35, 0.8])
    value, error = measures.auc(probability, np.array([False, False, True, True]))
    assert (value, error) == (0.75, pytest.approx(math.sqrt(0.125)))


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = {"roc_auc": 0, "balanced_accuracy": 0, "brier": 0}
    true = {"roc_auc": 5 / 6, "balanced_accuracy": 0.75, "brier": 1 / 6}
    for seed in range(100):
        probability = np.random.default_rng(seed).random(300)
        truth = np.random.default_rng(1000 + seed).random(300) < probability
        found = measures.measure(probability > 0.5, probability, truth, level=0.95)
        for name in held:
            low, high = found[name].interval
            held[name] += low <= true[name] <= high
    assert all(88 <= times <= 100 for times in held.values())


@pytest.mark.parametrize("true", [True, False])
def test_one_class_leaves_out_what_needs_two(true):
    said, probability, _ = rows(50)
    found = measures.measure(said, probability, np.full(50, true), level=0.99)
    assert not {"roc_auc", "balanced_accuracy"} & set(found)
    assert "accuracy" in found


@pytest.mark.parametrize("edge", [0.0, 0.5, 1.0])
def test_certain_and_equal_probabilities_give_finite_figures(edge):
    truth = np.arange(40) % 4 == 0
    found = measures.measure(np.full(40, edge > 0.5), np.full(40, edge), truth, level=0.99)
    assert all(math.isfinite(one.value) for one in found.values())
    assert "roc_auc" in found


def test_the_calibration_error_is_the_mean_distance_of_the_bins():
    """Worked by hand: |.3 - .1| of 10 answers and |.9 - .8| of 10 are .15 on average."""
    probability = np.repeat([0.1, 0.8], 10)
    truth = np.concatenate([np.arange(10) < 3, np.arange(10) < 9])
    assert calibration.error(probability, truth) == pytest.approx(0.15)
    assert [one.share for one in calibration.bins(probability, truth, level=0.95)] == [0.3, 0.9]


def test_a_month_of_looks_at_labels_without_a_change_raises_no_alarm():
    alarms = 0
    for seed in range(5):
        answers = right(3000, 0.9, seed)
        alarms += any(
            judge(Answers(*(x[:at] for x in vars(answers).values())), BEFORE).state != "pass"
            for at in range(100, 3000, 250)
        )
    assert alarms == 0


def test_a_fall_by_ten_points_is_found_within_some_hundred_labels():
    seen = np.concatenate([right(1000, 0.9).truth, right(600, 0.8, 2).truth])
    n = len(seen)
    verdict = judge(Answers(np.ones(n, dtype=bool), seen, np.full(n, 0.9)), BEFORE)
    assert verdict.state in ("warn", "fail")
    assert "surely worse" in verdict.sentence


def test_an_untypical_registration_of_few_rows_raises_no_alarm():
    lucky = Standard(accuracy=0.97, f1=0.8, n=60, floor=0.5)
    assert judge(right(1000, 0.92), lucky).state == "pass"


@pytest.mark.parametrize(
    ("share", "state", "told", "severity"),
    [
        (0.9, "pass", "ok", "high"),
        (0.86, "warn", "firing", "high"),
        (0.7, "fail", "firing", "critical"),
    ],
)
def test_the_signal_of_a_fall_grows_with_it(share, state, told, severity):
    n = 5000
    answers = Answers(np.ones(n, dtype=bool), np.arange(n) % 100 < 100 * share, np.full(n, 0.9))
    verdict = judge(answers, BEFORE)
    drop, floor = verdict.signals
    assert (verdict.state, drop.state, drop.severity) == (state, told, severity)
    assert (drop.rule, floor.rule, floor.state) == ("accuracy_drop", "accuracy_floor", "ok")


def test_surely_under_the_floor_is_critical_whatever_it_was_before():
    verdict = judge(right(500, 0.7), Standard(accuracy=0.71, f1=0.5, n=1000, floor=0.9))
    drop, floor = verdict.signals
    assert (verdict.state, drop.state, floor.state) == ("fail", "ok", "firing")
    assert "under the floor of 90.0%" in verdict.sentence


def test_a_fall_that_looks_may_find_by_chance_is_neither_alarm_nor_all_clear():
    drop = judge(right(60, 0.85), BEFORE).signals[0]
    assert (drop.value > 0.02, drop.state) == (True, "unknown")


def test_no_answers_are_refused():
    with pytest.raises(InvalidInputError):
        judge(right(0, 0.9), BEFORE)


def test_a_part_that_is_worse_is_found_beside_parts_that_are_not():
    frame = pd.DataFrame({"pain": ["a"] * 300 + ["b"] * 300, "age": np.arange(600.0)})
    was = np.arange(600) % 10 > 0
    now = was & ~((frame["pain"] == "b").to_numpy() & (np.arange(600) % 3 == 0))
    parts = slices.cut(frame, ["pain", "age"], {"pain": "category", "age": "numeric"})
    found = slices.judge(parts, (frame, now), (frame, was), overall=0.9, level=0.99)
    states = {one.name: one.state for one in found}
    assert (states["pain is a"], states["pain is b"]) == ("ok", "worse")
    assert (states["age under 150"], states["age from 450"]) == ("ok", "worse")


def test_a_small_part_says_not_enough_evidence():
    frame = pd.DataFrame({"pain": ["a"] * 20})
    (part,) = slices.cut(frame, ["pain"], {"pain": "category"})
    nothing = frame, np.zeros(20, dtype=bool)
    (found,) = slices.judge([part], nothing, None, overall=0.9, level=0.99)
    assert (found.state, found.n) == ("not_enough_evidence", 20)


@pytest.mark.parametrize("values", [[None] * 40, [5.0] * 40, [math.inf] * 40])
def test_missing_constant_and_infinite_values_make_at_most_one_part(values):
    frame = pd.DataFrame({"age": values})
    assert len(slices.cut(frame, ["age", "gone"], {"age": "numeric"})) <= 1


@pytest.fixture
def model(db, settings, clock):
    return watched(db, settings, clock)


def check(model):
    return checks.check_performance(model.db, model.settings, model.spec.name)


def sure(n, wrong=0):
    """Probabilities of n answers that say negative, and the truth: the first were wrong."""
    return np.full(n, 0.1), np.arange(n) < wrong


def test_labels_that_come_at_once_are_judged_at_once(model):
    answer(model, *sure(100, wrong=30))
    report = check(model)
    assert (report.state, report.figures["labels"]["coverage"]) == ("fail", 1.0)
    assert [one.rule for one in signals.read(report)] == ["accuracy_drop", "accuracy_floor"]


def test_answers_younger_than_the_delay_that_the_spec_sets_wait(db, settings, clock):
    late = TEXT.replace("windows: 3", "windows: 3, label_delay_hours: 48")
    model = watched(db, settings, clock, late)
    answer(model, *sure(100, wrong=60))
    report = check(model)
    assert report.state == "inconclusive"
    assert "0 labelled predictions are 2.0 days old or older (labels of" in report.sentence
    assert report.figures["labels"]["coverage"] == 0.0

    clock.forward(hours=49)
    assert (check(model).state, check(model).n_current) == ("fail", 100)


def test_beyond_the_bound_the_cohort_is_read_behind_the_delay(db, settings, clock, monkeypatch):
    monkeypatch.setattr(labels, "MOST_LABELLED", 60)
    late = TEXT.replace("windows: 3", "windows: 3, label_delay_hours: 48")
    model = watched(db, settings, clock, late)
    old = answer(model, *sure(80, wrong=20))
    clock.forward(hours=49)
    answer(model, *sure(90, wrong=90))  # more than the bound, all of them too young

    with db.read() as session:
        found = labels.cohort(session, subject(session, "spam", "performance"), clock())
    assert [row.id for row in found.rows] == [row.id for row in old[20:]]
    assert (check(model).n_current, check(model).figures["accuracy"]) == (60, 1.0)


def test_labels_that_are_slow_are_not_judged_before_their_delay_is_known(model):
    rows = answer(model, np.full(300, 0.1), apart=60.0)
    with model.db.append() as session:
        age = [(model.clock.now - row.at).total_seconds() for row in rows]
        late = [told(model, row, True, 0.9 * age[n]) for n, row in enumerate(rows[:200])]
        session.add_all(late)
    report = check(model)
    assert (report.state, "not known yet" in report.sentence) == ("inconclusive", True)
    assert report.figures["labels"]["settled"] is False


def test_three_labels_are_no_verdict(model):
    answer(model, *sure(3, wrong=3))
    report = check(model)
    assert (report.state, "47 more are needed" in report.sentence) == ("inconclusive", True)


def test_a_version_without_figures_is_inconclusive(db, settings, clock, release):
    specs.apply(db, system("bootstrap"), TEXT)
    release("spam", "1.0.0")
    report = checks.check_performance(db, settings, "spam")
    assert (report.state, "no measured accuracy" in report.sentence) == ("inconclusive", True)


def test_answers_and_labels_from_the_future_do_not_break_a_check(model):
    answer(model, *sure(80), lag=1e6)
    model.clock.now -= timedelta(days=2)
    assert check(model).state == "inconclusive"
    model.clock.now += timedelta(days=2)
    assert (check(model).state, check(model).n_current) == ("pass", 80)


def test_disputed_labels_are_not_counted(model):
    rows = answer(model, *sure(100))
    with model.db.append() as session:
        session.add_all([told(model, row, True, source="other") for row in rows[:30]])
    assert check(model).figures["n_labelled"] == 70


def test_the_slices_of_the_spec_are_judged_one_by_one(db, settings, clock):
    model = watched(db, settings, clock, TABLE.replace("windows: 3", "windows: 3, slices: [pain]"))
    inputs = [
        {"features": {"age": 50.0, "pain": "none" if n % 2 else "typical"}} for n in range(200)
    ]
    answer(model, np.full(200, 0.1), np.arange(200) % 4 == 0, inputs=inputs)
    found = {one["name"]: one["state"] for one in check(model).figures["slices"]}
    assert found == {
        "pain is none": "ok",
        "pain is typical": "worse",
        "pain is other": "not_enough_evidence",
    }


def test_slices_that_cannot_be_judged_say_why(db, settings, clock):
    model = watched(db, settings, clock, TABLE.replace("windows: 3", "windows: 3, slices: [pain]"))
    with db.read() as session:
        kept = versions.path_of(settings, session.get(DatasetVersion, model.reference))
    kept.write_bytes(b"something else")
    answer(model, *sure(100))
    report = check(model)
    why = report.figures["no_slices"]
    assert (report.state, report.figures["slices"]) == ("pass", [])
    assert "could not be judged: " in why
    assert report.sentence.endswith(why)


def test_figures_are_of_the_newest_labels_and_evidence_of_all():
    seen = np.concatenate([right(2000, 0.5).truth, np.ones(1000, dtype=bool)])
    verdict = judge(Answers(np.ones(3000, dtype=bool), seen, np.full(3000, 0.9)), BEFORE)
    assert (verdict.n, verdict.figures["accuracy"], verdict.state) == (1000, 1.0, "pass")
