"""Estimates without labels. Against NannyML's own figures: `benchmarks/monitoring/cbpe.py`."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline

from core.access import system
from core.datasets import versions
from core.errors import InvalidInputError
from core.monitoring import checks, estimate
from core.serving import artifacts
from core.statistics import isotonic
from core.tables.entities import ModelVersion
from tests.fakes.answered import answer, keep_isotonic, watched
from tests.fakes.watched import TABLE

PROBABILITY = np.array([0.9, 0.7, 0.4, 0.2, 0.2])
CHANCE = np.array([0.8, 0.75, 0.5, 0.25, 0.25])
SAID = PROBABILITY > 0.5


def all_truths():
    """Every way in which five answers may come out, with its probability."""
    for truth in product([False, True], repeat=len(CHANCE)):
        yield np.array(truth), np.prod(np.where(truth, CHANCE, 1 - CHANCE))


def test_the_expected_accuracy_is_the_mean_over_every_possible_truth():
    mean = sum(accuracy_score(truth, SAID) * weight for truth, weight in all_truths())
    found = estimate.expected(SAID, PROBABILITY, CHANCE)
    assert found["accuracy"] == pytest.approx(mean, abs=1e-12)


def test_the_figures_of_five_answers_are_those_worked_by_hand():
    """tp .8 + .75, fp .2 + .25, fn .5 + .25 + .25, tn .5 + .75 + .75; pairs for the ROC AUC:
    .8 (.25 + .5 + 1.5) + .75 (.5 + 1.5) + .5 1.5 + half of the ties, which are
    .8 .2 + .75 .25 + .5 .5 + .5 1.5, of 2.55 2.45."""
    found = estimate.expected(SAID, PROBABILITY, CHANCE)
    won = 0.8 * 2.25 + 0.75 * 2.0 + 0.5 * 1.5 + 0.5 * (0.16 + 0.1875 + 0.25 + 0.75)
    assert estimate.counts(SAID, CHANCE) == pytest.approx(
        {"tp": 1.55, "fp": 0.45, "fn": 1.0, "tn": 2.0}
    )
    assert found == pytest.approx(
        {
            "accuracy": 3.55 / 5,
            "precision": 1.55 / 2,
            "recall": 1.55 / 2.55,
            "f1": 3.1 / 4.55,
            "roc_auc": won / (2.55 * 2.45),
        },
        abs=1e-12,
    )


def honest(n, seed, low=0.0, high=1.0):
    rng = np.random.default_rng(seed)
    probability = rng.uniform(low, high, n)
    return probability, rng.random(n) < probability


def estimated(probability):
    return estimate.estimate(probability > 0.5, probability, isotonic.fit(*honest(2000, seed=1)))


def test_the_interval_holds_what_the_labels_say_later():
    inside = []
    for seed in range(20):
        probability, truth = honest(1000, seed=100 + seed)
        found = estimated(probability)
        low, high = found.intervals["accuracy"]
        inside.append(low <= ((probability > 0.5) == truth).mean() <= high)
    assert sum(inside) >= 18


def test_inputs_that_are_harder_fire_the_rule_and_the_same_ones_do_not():
    of_rule = {"registered": 0.75, "warning": 0.02, "sentence": ""}
    hard, same = estimated(honest(1000, 2, 0.35, 0.65)[0]), estimated(honest(1000, 2)[0])
    told = [estimate.signal(found, **of_rule) for found in (hard, same)]
    assert [(state, signal.state) for state, signal in told] == [("warn", "firing"), ("pass", "ok")]


@pytest.mark.parametrize("edge", [0.0, 1.0, 0.5])
def test_answers_of_one_probability_are_estimated_without_a_fault(edge):
    found = estimated(np.full(50, edge))
    assert all(0 <= value <= 1 for value in found.values.values())


@pytest.mark.parametrize("probability", [[], [np.nan], [1.5]])
def test_what_is_no_probability_is_refused(probability):
    with pytest.raises(InvalidInputError):
        estimated(np.array(probability, dtype=float))


@pytest.fixture
def model(db, settings, clock):
    return watched(db, settings, clock)


def test_a_check_estimates_a_window_and_says_what_it_assumes(model):
    keep_isotonic(model, *honest(2000, seed=1), accuracy=0.75)
    answer(model, honest(300, seed=3)[0])
    report = checks.check_estimate(model.db, model.settings, "spam")
    assert (report.state, report.n_current, report.n_reference) == ("pass", 300, 2000)
    assert report.figures["accuracy"] == pytest.approx(0.75, abs=0.03)
    assert report.figures["calibration"]["source"] == "registration"
    assert "no concept drift" in report.assumptions
    assert [one["rule"] for one in report.figures["signals"]] == ["estimated_accuracy"]


def test_windows_of_estimates_are_disjoint(model):
    keep_isotonic(model, *honest(2000, seed=1), accuracy=0.75)
    answer(model, honest(150, seed=3)[0])
    checks.check_estimate(model.db, model.settings, "spam")
    again = checks.check_estimate(model.db, model.settings, "spam")
    assert (again.state, again.n_current) == ("inconclusive", 0)


def test_a_version_that_nothing_calibrates_is_inconclusive_and_says_why(model):
    answer(model, honest(150, seed=3)[0])
    report = checks.check_estimate(model.db, model.settings, "spam")
    assert report.state == "inconclusive"
    assert "cannot be estimated: there is no data set" in report.sentence


def test_held_out_rows_of_one_class_calibrate_nothing(model):
    keep_isotonic(model, np.linspace(0, 1, 100), np.zeros(100, dtype=bool), accuracy=0.75)
    answer(model, honest(150, seed=3)[0])
    report = checks.check_estimate(model.db, model.settings, "spam")
    assert (report.state, "one class" in report.sentence) == ("inconclusive", True)


def test_an_older_version_is_calibrated_on_its_held_out_rows(db, settings, clock):
    model = watched(db, settings, clock, TABLE)
    rng = np.random.default_rng(1)
    age = rng.normal(54, 9, 800)
    ill = np.where(age + rng.normal(0, 9, 800) > 54, "yes", "no")
    rows = pd.DataFrame({"age": age, "pain": "none", "ill": ill})
    with db.command(system("worker"), "dataset.load") as command:
        kept = {"role": "validation", "frame": rows, "source": "test"}
        digest = versions.write(settings, rows)
        test = versions.add(command, model="heart", digest=digest, **kept).id
    only_age = ColumnTransformer([("age", SimpleImputer(), ["age"])])
    learnt = make_pipeline(only_age, LogisticRegression()).fit(rows[["age", "pain"]], ill)
    features = [{"name": "age", "type": "numeric"}, {"name": "pain", "type": "category"}]
    with db.command(system("worker"), "version.register") as command:
        row = command.session.get_one(ModelVersion, ("heart", "1.0.0"))
        row.artifact, row.test_dataset_id = artifacts.save(settings, learnt), test
        row.signature = {
            "task": "tabular",
            "input": {"features": features},
            "labels": ["no", "yes"],
            "positive": "yes",
        }
    answer(model, np.clip(learnt.predict_proba(rows[["age", "pain"]])[:, 1], 0.01, 0.99))
    report = checks.check_estimate(db, settings, "heart")
    right = (learnt.predict(rows[["age", "pain"]]) == ill).mean()
    assert report.figures["calibration"]["source"] == "held-out rows"
    assert report.figures["accuracy"] == pytest.approx(right, abs=0.02)
