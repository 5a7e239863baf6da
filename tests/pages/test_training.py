from datetime import timedelta

import pandas as pd

from app import trainings
from core import jobs, runs
from core.datasets import versions
from tests.pages.looking import button, field, text_of


def test_a_person_starts_a_training(open_page, panel, model, ana):
    page = open_page("training", ana, model=model)
    data = next(box for box in page.selectbox if box.label == "Data")
    assert data.options[0].startswith("the best there is")
    field(page, "Why?").input("fresh data")

    button(page, "Start training").click().run()

    with panel.db.read() as db:
        run = runs.history(db, model)[0]
    assert (run.state, run.author, run.trigger, run.reason) == (
        "queued",
        "ana",
        "panel",
        "fresh data",
    )
    assert len(run.candidates) == 2
    assert "A training is queued" in text_of(page)


def test_data_that_is_still_being_checked_may_be_chosen(open_page, panel, model, ana, clock):
    frame = pd.DataFrame(
        {"message": [f"text {n}" for n in range(200)], "label": ["ham", "spam"] * 100}
    )
    row = versions.receive(panel.db, ana, panel.settings, model, frame, source="mine.csv")
    assert row.state == "pending"
    page = open_page("training", ana, model=model)
    data = next(box for box in page.selectbox if box.label == "Data")
    (index,) = [n for n, words in enumerate(data.options) if "still being checked" in words]
    data.select_index(index)
    button(page, "Start training").click().run()
    with panel.db.read() as db:
        assert runs.history(db, model)[0].dataset_id == row.id


def test_progress_and_log_of_a_running_one_are_shown_after_coming_back(
    open_page, panel, model, ana, clock
):
    run = runs.request(panel.db, ana, model, trigger="panel")
    claim = jobs.claim(panel.db, "w", lease=timedelta(minutes=1))
    runs.begin(panel.db, claim, run.id)
    jobs.progress(panel.db, claim, done=3, total=10, note="fold 3 of 10")
    jobs.say(panel.db, run.job_id, "data: 5,000 rows")

    page = open_page("training", ana, model=model)

    assert "A training is running, asked for by ana." in text_of(page)
    assert "data: 5,000 rows" in page.code[0].value
    assert page.get("progress")[0].proto.text.replace("\\", "") == "30% after 0 s: fold 3 of 10"


BOARD = {
    "metric": "f1",
    "maximise": True,
    "of": 5,
    "rows": [
        {"candidate": "complement_nb", "mean": 0.91, "folds": 5, "trials": 1, "parameters": {}},
        {"candidate": "linear_svm", "mean": None, "folds": 0, "trials": 0, "parameters": {}},
    ],
    "trials": [
        {"candidate": "complement_nb", "place": 0, "trial": number, "state": state,
         "value": 0.9 + number / 100, "folds": 5, "parameters": {"alpha": 0.1 * 5**number}}
        for number, state in enumerate(["complete", "complete", "pruned", "complete"])
    ],
}  # fmt: skip


def test_the_leaderboard_of_a_running_one_is_shown_live(open_page, panel, model, ana):
    run = runs.request(panel.db, ana, model, trigger="panel")
    claim = jobs.claim(panel.db, "w", lease=timedelta(minutes=1))
    runs.begin(panel.db, claim, run.id)
    jobs.show(panel.db, claim, BOARD)

    page = open_page("training", ana, model=model)

    assert "complement nb" in text_of(page)
    assert "0 of 5" in text_of(page)
    assert len(page.get("plotly_chart")) == 1


def test_a_person_chooses_how_a_training_searches(open_page, panel, model, ana):
    page = open_page("training", ana, model=model)
    next(one for one in page.number_input if "trials" in one.label).set_value(12)
    next(one for one in page.selectbox if one.label == "Threshold").select("f1")
    button(page, "Start training").click().run()

    with panel.db.read() as db:
        assert runs.history(db, model)[0].options == {
            "trials": 12,
            "threshold": {"by": "f1", "false_positive": 1.0, "false_negative": 1.0},
        }


def test_a_person_names_what_each_mistake_costs(open_page, panel, model, ana):
    page = open_page("training", ana, model=model)
    next(one for one in page.selectbox if one.label == "Threshold").select("cost")
    next(one for one in page.number_input if "false positive" in one.label).set_value(5.0)
    button(page, "Start training").click().run()

    with panel.db.read() as db:
        assert runs.history(db, model)[0].options == {
            "threshold": {"by": "cost", "false_positive": 5.0, "false_negative": 1.0},
        }


def test_an_ended_search_shows_its_plots(open_page, panel, model, ana, worker):
    run = runs.request(panel.db, ana, model, trigger="panel", options={"trials": 3})
    with panel.db.command(worker, "run.finish") as command:
        row = command.session.get(type(run), run.id)
        row.state, row.finished_at = "finished", command.now
        row.leaderboard = [{"kind": "complement_nb", "mean": {"f1": 0.93}, "trials": 4}]
        row.study = {name: BOARD[name] for name in ("metric", "maximise", "trials")}

    page = open_page("training", ana, model=model)

    assert len(page.get("plotly_chart")) == 2
    assert "complement nb: f1 by alpha" in text_of(page)
    assert "otherwise than the spec: trials 3" in text_of(page)


def test_the_best_so_far_never_gets_worse():
    values = [0.5, 0.4, 0.7]
    trials = [{**BOARD["trials"][0], "trial": n, "value": v} for n, v in enumerate(values)]
    _dots, up = trainings.best_so_far(trials, "f1", maximise=True).data
    _dots, down = trainings.best_so_far(trials, "brier", maximise=False).data
    assert list(up.y) == [0.5, 0.5, 0.7]
    assert list(down.y) == [0.5, 0.4, 0.4]


def test_a_training_can_be_cancelled(open_page, panel, model, ana):
    runs.request(panel.db, ana, model, trigger="panel")
    page = open_page("training", ana, model=model)

    button(page, "Cancel").click().run()

    with panel.db.read() as db:
        assert runs.history(db, model)[0].state == "cancelled"


def test_an_ended_one_shows_its_leaderboard(open_page, panel, model, ana, worker):
    run = runs.request(panel.db, ana, model, trigger="panel", reason="try")
    with panel.db.command(worker, "run.finish") as command:
        row = command.session.get(type(run), run.id)
        row.state, row.finished_at, row.version = "finished", command.now, "1.0.0"
        row.leaderboard = [{"kind": "complement_nb", "f1": 0.91234}]

    shown = text_of(open_page("training", ana, model=model))

    assert "has finished: version 1.0.0" in shown
    assert "0.9123" in shown


def test_a_failed_one_says_why(open_page, panel, model, ana, worker):
    run = runs.request(panel.db, ana, model, trigger="panel")
    with panel.db.command(worker, "run.finish") as command:
        row = command.session.get(type(run), run.id)
        row.state, row.error, row.finished_at = "failed", "only one class is left", command.now
    assert "only one class is left" in text_of(open_page("training", ana, model=model))


def test_two_at_once_are_refused_in_words(open_page, panel, model, ana):
    page = open_page("training", ana, model=model)
    runs.request(panel.db, ana, model, trigger="command line")

    button(page, "Start training").click().run()

    assert "A training is queued" in text_of(page)
    with panel.db.read() as db:
        assert len(runs.history(db, model)) == 1
