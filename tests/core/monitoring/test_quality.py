import pytest

from core.automation import watch
from core.datasets import versions
from core.monitoring import checks
from tests.fakes.watched import TABLE, Watched, be_quick, hearts


@pytest.fixture
def model(db, settings, clock, monkeypatch):
    be_quick(monkeypatch)
    watched = Watched(db, settings, clock, TABLE)
    watched.release("1.0.0")
    return watched


@pytest.fixture
def judged(model, ana):
    """The model with the suite that its training data generates."""
    versions.load(model.db, ana, model.settings, "heart", frame=hearts(600, seed=1))
    return model


def answer(model, frame):
    model.log([{"features": row} for row in frame.drop(columns="ill").to_dict("records")])


def test_inputs_like_the_training_data_pass(judged):
    answer(judged, hearts(120, seed=2))
    report = checks.check_quality(judged.db, "heart")
    assert (report.state, report.kind, report.n_current) == ("pass", "quality", 120)
    assert report.sentence == "All 7 expectations hold for 120 inputs."


def test_inputs_outside_the_known_range_or_words_warn_in_figures(judged):
    answer(judged, hearts(120, seed=2).assign(pain="burning", age=500.0))
    report = checks.check_quality(judged.db, "heart")
    assert (report.state, report.figures["n_failed"]) == ("warn", 2)
    assert {one["column"] for one in report.figures["failed"]} == {"age", "pain"}
    assert "120 of 120 are not" in report.sentence


def test_a_hard_expectation_fails_the_window(judged):
    answer(judged, hearts(120, seed=2).assign(age="old"))
    assert checks.check_quality(judged.db, "heart").state == "fail"


def test_few_inputs_are_left_to_the_next_window(judged):
    answer(judged, hearts(60, seed=2))
    report = checks.check_quality(judged.db, "heart")
    assert (report.state, "40 more are needed" in report.sentence) == ("inconclusive", True)
    answer(judged, hearts(60, seed=3))
    assert checks.check_quality(judged.db, "heart").n_current == 120


def test_each_input_is_judged_in_one_window_only(judged):
    answer(judged, hearts(120, seed=2))
    checks.check_quality(judged.db, "heart")
    assert checks.check_quality(judged.db, "heart").state == "inconclusive"


def test_a_model_without_a_suite_has_no_such_report(model):
    answer(model, hearts(120, seed=2))
    assert checks.check_quality(model.db, "heart") is None


def test_the_watch_reports_on_inputs_and_opens_no_incident_for_them(judged):
    answer(judged, hearts(120, seed=1).assign(pain=["burning"] * 3 + ["none"] * 117))
    found = watch.check(judged.db, judged.settings, "heart")
    assert [r.state for r in found.reports if r.kind == "quality"] == ["warn"]


def test_no_input_of_a_client_is_kept_in_the_report(judged):
    answer(judged, hearts(120, seed=2).assign(pain="my secret"))
    report = checks.check_quality(judged.db, "heart")
    assert "my secret" not in str(report.figures) + report.sentence
