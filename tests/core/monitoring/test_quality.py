import re

import pytest

from core import incidents
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
    report = checks.check_quality(judged.db, judged.settings, "heart")
    assert (report.state, report.kind, report.n_current) == ("pass", "quality", 120)
    assert re.fullmatch(r"All \d+ expectations hold for 120 inputs.", report.sentence)


def test_inputs_outside_the_known_range_or_words_warn_in_figures(judged):
    answer(judged, hearts(120, seed=2).assign(pain="burning", age=500.0))
    report = checks.check_quality(judged.db, judged.settings, "heart")
    assert report.state == "warn"
    found = {(one["kind"], one["column"]) for one in report.figures["failed"]}
    assert {("outliers", "age"), ("constant", "age"), ("new_category", "pain")} <= found
    assert "100.0% of the values of 'age' lie far outside" in report.sentence


def test_a_hard_expectation_fails_the_window(judged):
    answer(judged, hearts(120, seed=2).assign(age="old"))
    assert checks.check_quality(judged.db, judged.settings, "heart").state == "fail"


def test_few_inputs_are_left_to_the_next_window(judged):
    answer(judged, hearts(60, seed=2))
    report = checks.check_quality(judged.db, judged.settings, "heart")
    assert (report.state, "40 more are needed" in report.sentence) == ("inconclusive", True)
    answer(judged, hearts(60, seed=3))
    assert checks.check_quality(judged.db, judged.settings, "heart").n_current == 120


def test_each_input_is_judged_in_one_window_only(judged):
    answer(judged, hearts(120, seed=2))
    checks.check_quality(judged.db, judged.settings, "heart")
    assert checks.check_quality(judged.db, judged.settings, "heart").state == "inconclusive"


def test_a_model_without_a_suite_has_no_such_report(model):
    answer(model, hearts(120, seed=2))
    assert checks.check_quality(model.db, model.settings, "heart") is None


def test_the_watch_reports_on_inputs_and_alerts_once_two_windows_agree(judged):
    opened = []
    for _ in range(2):
        answer(judged, hearts(120, seed=1).assign(pain=["burning"] * 12 + ["none"] * 108))
        checked = watch.check(judged.db, judged.settings, "heart")
        assert [r.state for r in checked.reports if r.kind == "quality"] == ["warn"]
        with judged.db.read() as session:
            opened.append(incidents.find_open(session, "heart", "data_quality") is not None)
    assert opened == [False, True]


def test_new_words_are_shown_cleaned_and_short_and_a_single_one_not_at_all(judged):
    pain = ["line\nbreak " + "x" * 80] * 20 + ["only once"] + ["none"] * 99
    answer(judged, hearts(120, seed=2).assign(pain=pain))
    report = checks.check_quality(judged.db, judged.settings, "heart")
    shown = next(one for one in report.figures["columns"] if one["name"] == "pain")["new"]
    assert shown == ["line break xxxxxxxxxxxx…", "only once"]
    assert "line break xxxxxxxxxxxx…" in report.sentence
