from datetime import timedelta

import pytest

from core import jobs, specs
from core.access import system
from core.automation.drill import html, rows
from tests.fakes.drilled import result
from tests.pages.conftest import ROOT
from tests.pages.looking import button, text_of


@pytest.fixture
def drill(panel, served, ana):
    row = rows.request(panel.db, ana, served, "drift")
    ended = rows.finish(panel.db, row.id, result())
    html.keep(panel.settings, ended)
    return ended


def test_the_last_drill_is_the_finding_and_shows_its_marks_and_checks(open_page, drill, vic):
    page = open_page("drills", vic)
    shown = text_of(page)
    assert "The last drill (drift, just now): 5 of 5: noticed after 2 checks." in shown
    assert "Noticed after 2 checks [now](x)." in shown
    assert "The agent:** Retrain it." in shown
    assert len(page.get("plotly_chart")) == 1
    assert [one.proto.label for one in page.get("download_button")] == ["Download the report"]


def test_an_operator_starts_a_drill_that_a_worker_will_play(open_page, panel, served, ana):
    page = open_page("drills", ana, model=served)
    page.selectbox[1].select("labels")
    button(page, "Start the drill").click().run()
    with panel.db.read() as db:
        (row,) = rows.history(db, served)
        assert (row.kind, row.author, row.options) == ("labels", "ana", {"size": 0.3, "seed": 1})
        assert rows.job(db, row.id).state == "queued"
    assert not page.exception
    assert "labels in 30% of the rows" in text_of(page)


def test_a_viewer_may_look_but_not_start(open_page, drill, vic):
    page = open_page("drills", vic)
    assert not [one for one in page.button if one.label == "Start the drill"]
    assert "needs the role operator" in text_of(page)


def test_a_drill_that_runs_shows_how_far_it_is(open_page, panel, served, ana):
    row = rows.request(panel.db, ana, served, "drift")

    claim = jobs.claim(panel.db, "w", lease=timedelta(minutes=5), only=_job(panel, row))
    jobs.progress(panel.db, claim, done=3, total=22, note="check 4, quiet")
    shown = open_page("drills", ana, model=served, id=row.id)
    assert not shown.exception
    assert shown.get("progress")[0].proto.text == "check 4, quiet"


def _job(panel, row):
    with panel.db.read() as db:
        return rows.job(db, row.id).id


def test_a_failed_drill_says_why(open_page, panel, served, ana):
    row = rows.request(panel.db, ana, served, "drift")
    rows.fail(panel.db, row.id, "its worker stopped without a word")
    assert "its worker stopped without a word" in text_of(open_page("drills", ana, id=row.id))


def test_an_unknown_drill_is_a_friendly_page(open_page, served, ana):
    assert open_page("drills", ana, id="nope").title[0].value == "Not found"


def test_a_drill_of_another_model_is_not_shown_under_this_ones_name(open_page, panel, drill, ana):
    specs.apply(panel.db, system("bootstrap"), (ROOT / "specs/heart_disease.yaml").read_text())
    assert (
        open_page("drills", ana, model="heart_disease", id=drill.id).title[0].value == "Not found"
    )
    page = open_page("drills", ana, model="sms_spam", id=drill.id)
    page.selectbox(key="model-sms_spam").select("heart_disease").run()
    assert page.title[0].value == "Fire drill"
    assert "id" not in page.query_params


def test_a_model_that_serves_nothing_has_a_next_step(open_page, model, ana):
    assert "there is nothing to rehearse" in text_of(open_page("drills", ana))
