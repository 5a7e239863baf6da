import threading

import numpy as np
import pandas as pd
import pytest

from core import releases, specs
from core.access import system
from core.errors import NotFoundError
from core.monitoring import checks, effects, reference, reports, windows
from core.tables.entities import DatasetVersion
from core.tables.telemetry import MonitorReport
from tests.fakes.watched import TABLE, Watched, be_quick, hearts


@pytest.fixture
def model(db, settings, clock, monkeypatch):
    be_quick(monkeypatch)
    watched = Watched(db, settings, clock)
    watched.release("1.0.0")
    return watched


def drift(model):
    return checks.check_drift(model.db, model.settings, model.spec.name)


def stored(model, kind="drift"):
    with model.db.read() as session:
        return reports.reports(session, model.spec.name, kind, 50)


def test_quiet_traffic_passes(model):
    model.answer(150)
    report = drift(model)
    assert (report.state, report.n_current, report.score) == ("pass", 150, 0.0)
    assert report.p_value > 0.01
    assert report.sentence.startswith("No drift.")


def test_a_new_campaign_fails_and_names_its_words_with_an_example(model):
    model.answer(150, campaign="crypto", share=0.4)
    report = drift(model)
    assert report.state == "fail"
    assert report.figures["drift_detected"] is True
    assert report.score >= report.figures["threshold"]
    terms = report.figures["new_terms"]
    assert any(term["term"] in term["example"].lower() for term in terms)
    assert all(term["share_current"] > term["share_reference"] for term in terms)


def test_a_certain_but_small_drift_warns(model):
    model.answer(900, campaign="crypto", share=0.06, seed=5)
    report = drift(model)
    assert (report.state, report.p_value <= 0.01) == ("warn", True)
    assert 0 < report.score < report.figures["threshold"]


def test_too_few_predictions_are_left_to_the_next_window(model):
    model.answer(60)
    first = drift(model)
    assert first.state == "inconclusive"
    assert "60 predictions since the last window, 40 more are needed" in first.sentence

    model.answer(60)
    assert drift(model).n_current == 120


def test_an_unfinished_window_has_one_report_however_often_it_is_checked(model):
    for _ in range(5):
        drift(model)
        model.answer(10)
    assert [(report.state, report.n_current) for report in stored(model)] == [("inconclusive", 40)]


def test_windows_are_disjoint_and_complete(model):
    model.size(window_rows=125)
    first, second = model.answer(120), model.answer(130)
    one, rest = drift(model), drift(model)

    assert (one.n_current, rest.n_current) == (125, 125)
    assert (one.figures["left"], rest.figures["left"]) == (1, 0)
    assert one.window_last_id == second[4].id
    assert (rest.window_start, rest.window_last_id) == (second[5].at, second[-1].id)
    assert one.window_start == first[0].at
    assert drift(model).n_current == 0


def test_two_workers_at_once_do_not_judge_the_same_predictions_twice(model, monkeypatch):
    model.answer(120)
    both, found, compare = threading.Barrier(2, timeout=60), [], checks.compare

    def slow(*given):
        both.wait()
        return compare(*given)

    monkeypatch.setattr(checks.drift, "compare", slow)
    threads = [threading.Thread(target=lambda: found.append(drift(model))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found[0].id == found[1].id
    assert len(stored(model)) == 1


def test_a_worker_that_saw_fewer_predictions_cannot_add_an_overlapping_window(model):
    model.answer(120)
    late = drift(model)
    with model.db.append() as session:
        session.delete(session.get_one(MonitorReport, late.id))
    model.answer(30)
    winner = drift(model)

    loser = MonitorReport(**{c.name: getattr(late, c.name) for c in MonitorReport.__table__.c})
    assert reports.store(model.db, loser).id == winner.id
    assert [report.n_current for report in stored(model)] == [150]


def test_a_new_version_starts_windows_of_its_own(model):
    model.answer(60)
    model.release("2.0.0")
    model.answer(110)
    report = drift(model)
    assert (report.version, report.n_current) == ("2.0.0", 110)


def test_a_version_that_serves_again_does_not_answer_for_its_old_predictions(model):
    model.answer(120)
    drift(model)
    model.answer(60, campaign="crypto", share=0.9)
    model.release("2.0.0")
    model.clock.forward(hours=1)
    model.serve("1.0.0")
    rows = model.answer(110)
    report = drift(model)
    assert (report.n_current, report.window_start) == (110, rows[0].at)


def test_a_change_of_weights_does_not_restart_the_window(model):
    model.answer(60)
    model.release("2.0.0")
    model.clock.forward(minutes=1)
    model.serve("1.0.0")
    model.answer(60)
    with model.db.command(system("executor"), "release.experiment") as command:
        arms = [
            releases.Arm("1.0.0", "control", 900),
            releases.Arm("2.0.0", "treatment", 100),
        ]
        releases.append(command, "spam", arms, replaces=3)
    model.answer(60)
    assert drift(model).n_current == 120


def test_other_versions_and_shadows_are_not_in_the_window(model):
    model.release("2.0.0")
    model.answer(50)
    model.answer(100, version="1.0.0")
    assert drift(model).n_current == 50


def test_a_large_window_is_compared_through_a_sample_and_used_up_whole(model, monkeypatch):
    monkeypatch.setattr(windows, "MOST_ROWS", 110)
    rows = model.answer(300)
    report = drift(model)

    assert (report.n_current, report.figures["n_compared"] <= 110) == (300, True)
    assert report.window_last_id == rows[-1].id
    assert drift(model).n_current == 0
    with model.db.read() as session:
        assert len(windows.of_report(session, report)) == 110


def test_a_comparison_that_cannot_be_made_says_why_and_uses_nothing_up(model):
    model.log([{"message": None}] * 120)
    report = drift(model)
    assert (report.state, report.n_current) == ("inconclusive", 120)
    assert "0 of 120 predictions were stored with their input" in report.sentence
    assert drift(model).n_current == 120
    assert len(stored(model)) == 1


def test_nothing_released_is_refused(db, settings, clock):
    watched = Watched(db, settings, clock)
    with pytest.raises(NotFoundError, match="no version of spam is released"):
        drift(watched)


def test_a_table_that_aged_names_the_column(db, settings, clock):
    watched = Watched(db, settings, clock, TABLE)
    watched.release("1.0.0")
    features = hearts(150, seed=2, older=9).drop(columns="ill").to_dict("records")
    watched.log([{"features": row} for row in features])

    report = drift(watched)

    assert report.state == "fail"
    drifted = [column["name"] for column in report.figures["columns"] if column["drifted"]]
    assert drifted == ["age"]


def test_effect_sizes_come_from_the_statistics_kept_beside_the_reference(db, settings, clock):
    watched = Watched(db, settings, clock, TABLE)
    watched.release("1.0.0")
    now = hearts(150, seed=2, older=9).drop(columns="ill")
    watched.log([{"features": row} for row in now.to_dict("records")])

    told = {column["name"]: column for column in drift(watched).figures["columns"]}

    with db.read() as session:
        row = session.get_one(DatasetVersion, watched.reference)
    assert (settings.folder("datasets") / f"{row.digest}.statistics").exists()
    for one in effects.against(reference.of_dataset(settings, row), now):
        if one.name in told:
            assert (
                told[one.name].items() >= {"psi": one.psi, "wasserstein": one.wasserstein}.items()
            )
            assert told[one.name]["jensen_shannon"] == one.jensen_shannon


def test_accuracy_is_judged_only_with_enough_labels(model):
    rows = model.answer(80)
    model.label(rows[:20])
    report = checks.check_performance(model.db, model.settings, "spam")
    assert report.state == "inconclusive"
    assert "20 labelled predictions, 30 more are needed" in report.sentence


def test_accuracy_that_surely_fell_fails_with_its_interval(model):
    model.label(model.answer(100), wrong=25)
    report = checks.check_performance(model.db, model.settings, "spam")
    assert report.state == "fail"
    assert report.figures["accuracy"] == 0.75
    low, high = report.figures["accuracy_interval"]
    assert low < 0.75 < high < 0.93
    assert report.score == pytest.approx(0.22)


def test_a_few_mistakes_more_are_no_alarm(model):
    model.label(model.answer(60), wrong=4)
    assert checks.check_performance(model.db, model.settings, "spam").state == "pass"


def test_without_new_labels_no_new_performance_report_is_stored(model):
    rows = model.answer(100)
    model.label(rows[:60])
    first = checks.check_performance(model.db, model.settings, "spam")
    assert checks.check_performance(model.db, model.settings, "spam").id == first.id

    model.label(rows[60:])
    checks.check_performance(model.db, model.settings, "spam")
    assert [report.n_current for report in stored(model, "performance")] == [100, 60]


def test_labels_are_judged_on_when_the_answers_that_count_become_older_ones(model):
    for _ in range(6):
        model.label(model.answer(60))
        checks.check_performance(model.db, model.settings, "spam")
        model.clock.forward(minutes=15)
    model.size(label_delay_hours=1)

    found = []
    for _ in range(4):
        model.label(model.answer(60), wrong=30)
        found.append(checks.check_performance(model.db, model.settings, "spam"))
        model.clock.forward(minutes=15)

    assert [report.n_current for report in found] == [180, 240, 300, 360]
    assert len({report.id for report in found}) == 4


def test_labels_of_the_version_before_do_not_count_for_the_new_one(model):
    model.label(model.answer(100), wrong=50)
    model.clock.forward(minutes=1)
    model.release("2.0.0")
    model.label(model.answer(60))
    report = checks.check_performance(model.db, model.settings, "spam")
    assert (report.version, report.state, report.n_current) == ("2.0.0", "pass", 60)


NOTES = specs.parse("""
name: notes
title: Notes
task: tabular
target: {column: outcome, positive: y, negative: n}
input: {features: [{name: age, type: numeric}, {name: note, type: text}]}
source: {noun: notes}
candidates: [{kind: logistic_regression}]
""")


def notes(n, words, seed):
    rng = np.random.default_rng(seed)
    texts = [" ".join(["word"] * int(k)) for k in rng.poisson(words, n)]
    return pd.DataFrame({"age": rng.normal(50, 9, n), "note": texts})


@pytest.mark.parametrize(("words", "state"), [(8, []), (12, ["note"])])
def test_a_text_beside_numbers_drifts_by_its_number_of_words(words, state):
    found = checks.compare(NOTES, notes(600, 8, seed=1), notes(300, words, seed=2))
    assert [column.name for column in found.columns if column.drifted] == state


def test_a_missing_text_counts_as_no_words():
    after = notes(300, 8, seed=2).assign(note=None)
    found = checks.compare(NOTES, notes(600, 8, seed=1), after)
    assert [column.name for column in found.columns if column.drifted] == ["note"]
