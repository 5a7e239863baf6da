"""Whatever is in the log, a round ends in words: no crash, and no alarm that is none."""

import pytest

from core import incidents, specs
from core.access import system
from core.automation import watch
from core.datasets import versions
from core.monitoring import checks, windows
from tests.fakes.watched import TABLE, Watched, be_quick, hearts


@pytest.fixture
def model(db, settings, clock, monkeypatch):
    be_quick(monkeypatch)
    watched = Watched(db, settings, clock)
    watched.release("1.0.0")
    return watched


@pytest.fixture
def table(db, settings, clock, monkeypatch, ana):
    be_quick(monkeypatch)
    watched = Watched(db, settings, clock, TABLE)
    watched.release("1.0.0")
    versions.load(db, ana, settings, "heart", frame=hearts(600, seed=1))
    return watched


def rows(frame):
    return [{"features": row} for row in frame.drop(columns="ill").to_dict("records")]


def look(model):
    model.clock.forward(minutes=15)
    found = {
        one.kind: one for one in watch.check(model.db, model.settings, model.spec.name).reports
    }
    assert "error" not in {one.state for one in found.values()}, found
    with model.db.read() as session:
        return found, incidents.all(session, model.spec.name)


def test_nothing_at_all(model):
    found, opened = look(model)
    assert (found["drift"].state, opened) == ("inconclusive", [])


def test_one_row(table):
    table.log(rows(hearts(1, seed=2)))
    found, opened = look(table)
    assert "1 predictions since the last window, 99 more are needed" in found["drift"].sentence
    assert opened == []


def test_one_and_the_same_message_over_and_over(model):
    model.log([{"message": "WIN a prize now"}] * 300)
    found, _ = look(model)
    assert found["drift"].sentence


def test_texts_of_a_megabyte(model):
    model.log([{"message": f"{place} " + "long words " * 100_000} for place in range(1)])
    model.answer(120)
    found, opened = look(model)
    assert (found["drift"].state, opened) == ("pass", [])


def test_predictions_from_the_future_wait_and_are_told(table):
    now = table.clock()
    table.clock.forward(hours=30)
    table.log(rows(hearts(200, seed=2)))
    table.clock.now = now
    table.log(rows(hearts(120, seed=3)))
    found, opened = look(table)
    assert (found["drift"].state, found["drift"].n_current) == ("pass", 120)
    assert "200 answers are dated in the future" in found["quality"].sentence
    assert opened == []


def test_a_clock_that_was_set_back_is_told(model):
    now = model.clock()
    model.clock.forward(hours=30)
    model.answer(120)
    checks.check_drift(model.db, model.settings, "spam")
    model.clock.now = now
    model.answer(120)
    found, opened = look(model)
    assert found["drift"].state == "inconclusive"
    assert "a clock was set back" in found["drift"].sentence
    assert opened == []


def test_labels_before_their_predictions(model):
    made = model.answer(120)
    before = model.clock()
    model.clock.now = made[0].at.replace(hour=made[0].at.hour - 3)
    model.label(made)
    model.clock.now = before
    found, opened = look(model)
    assert found["performance"].state in ("pass", "inconclusive")
    assert opened == []


@pytest.mark.parametrize("pain", [None, "", "inf", 7])
def test_a_column_of_nothing_or_of_something_else(table, pain):
    table.log(rows(hearts(150, seed=2).assign(pain=[pain] * 150)))
    found, _ = look(table)
    assert found["drift"].state in ("warn", "fail")
    assert found["quality"].state in ("warn", "fail")


def test_broken_inputs_are_told_with_the_drift_that_they_make(table):
    table.log(rows(hearts(150, seed=2).assign(age=lambda one: one["age"] * 10)))
    found, opened = look(table)
    assert found["quality"].figures["unit_change"]["factor"] == 10
    assert found["drift"].figures["broken_inputs"]["columns"] == ["age"]
    assert "The inputs are broken, which may be all: 'age' seem" in found["drift"].sentence
    assert "drift" in {incident.cause for incident in opened}


def test_a_column_that_the_reference_lacks_is_not_compared_and_a_lost_one_is_no_fault(table):
    wider = TABLE.replace("{name: age, type: numeric}", "{name: weight, type: numeric}")
    table.spec = specs.apply(table.db, system("bootstrap"), wider)
    frame = hearts(150, seed=2).assign(weight=70.0)
    table.log(rows(frame.drop(columns="age")))
    found, _ = look(table)
    assert found["drift"].figures["not_compared"] == ["weight"]
    assert found["drift"].figures["new"] == ["weight"]
    assert "Column 'weight' is new and has nothing to be" in found["drift"].sentence
    assert found["drift"].state == "pass"


def test_a_column_that_no_input_has_any_more_is_told_as_lost(table):
    table.log(rows(hearts(150, seed=2).drop(columns="age")))
    found, _ = look(table)
    assert (found["drift"].figures["lost"], found["drift"].state) == (["age"], "fail")
    words = "Column 'age' was lost: no input of this window has a value."
    assert found["drift"].sentence.startswith(words)


def test_a_column_that_the_window_lacks_is_a_finding_and_no_crash(table, monkeypatch):
    whole = windows.frame
    monkeypatch.setattr(windows, "frame", lambda *given: whole(*given).drop(columns="age"))
    table.log(rows(hearts(150, seed=2)))
    report = checks.check_drift(table.db, table.settings, "heart")
    assert (report.figures["lost"], report.state) == (["age"], "warn")
    assert report.sentence.startswith("Column 'age' was lost: no row of the current window has it.")
