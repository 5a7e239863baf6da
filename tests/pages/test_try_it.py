from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from core.serving import scorer
from core.serving.scorer import Score
from core.tables.telemetry import Prediction
from tests.pages.looking import button, field, text_of


@pytest.fixture
def answering(monkeypatch):
    said = Score("spam", 0.93, {"ham": 0.07, "spam": 0.93}, 0.93)
    loaded = SimpleNamespace(check=lambda given: given, score=lambda rows: [said])
    monkeypatch.setattr(scorer, "load", lambda settings, version: loaded)


def test_a_text_is_answered_with_probabilities_and_nothing_is_logged(
    open_page, panel, served, answering, ana
):
    page = open_page("try_it", ana, model=served)
    field(page, "Text").input("win a prize")

    button(page, "Ask").click().run()

    assert page.metric[0].value == "spam"
    assert "0.9300" in text_of(page)
    with panel.db.read() as db:
        assert db.scalar(select(func.count()).select_from(Prediction)) == 0


def test_an_empty_text_is_asked_for(open_page, served, ana):
    page = open_page("try_it", ana, model=served)
    button(page, "Ask").click().run()
    assert page.error[0].value == "Type a text first."


def test_a_missing_artifact_is_said_in_words(open_page, served, ana):
    page = open_page("try_it", ana, model=served)
    field(page, "Text").input("hello")
    button(page, "Ask").click().run()
    assert page.error or page.warning
    assert not page.exception


def test_what_serves_is_chosen_first(open_page, served, ana):
    page = open_page("try_it", ana, model=served)
    assert page.selectbox(key=f"model-{served}").value == served
    assert "2.0.0" in [box.value for box in page.selectbox]
