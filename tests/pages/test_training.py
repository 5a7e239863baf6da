from datetime import timedelta

from core import jobs, runs
from tests.pages.looking import button, field, text_of


def test_a_person_starts_a_training(open_page, panel, model, ana):
    page = open_page("training", ana, model=model)
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
