from types import SimpleNamespace

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from core import explain, registry
from core.features import values
from core.features.values import Given
from core.serving import artifacts, scorer
from core.serving.scorer import Score
from core.tables.entities import ModelVersion
from core.tables.telemetry import Prediction
from tests import serving_kit as kit
from tests.pages.conftest import prediction
from tests.pages.looking import button, field, text_of


@pytest.fixture
def answering(monkeypatch):
    said = Score("spam", 0.93, {"ham": 0.07, "spam": 0.93}, 0.93)
    loaded = SimpleNamespace(check=lambda given: given, score=lambda rows: [said])
    loaded.at = lambda threshold: loaded
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


@pytest.fixture
def real(panel, served, worker):
    """The model's versions, with a file that can be loaded."""
    digest = artifacts.save(panel.settings, kit.text_pipeline())
    with panel.db.command(worker, "version.register") as command:
        for row in command.session.scalars(select(ModelVersion)):
            row.artifact = digest
    return served


def test_why_is_said_in_words_and_figures(open_page, real, ana):
    page = open_page("try_it", ana, model=real)
    field(page, "Text").input("win a free lunch")
    button(page, "Ask").click().run()
    shown = text_of(page)
    assert "For spam speak: win, free; against it: lunch." in shown
    assert "Exact: the weight of each input times its value" in shown
    assert "log-odds of spam" in shown
    assert not page.error


def test_what_is_derived_is_not_asked_for_and_what_is_looked_up_needs_the_entity(
    open_page, panel, settings, ana, monkeypatch, clock
):
    kit.apply_specs(panel.db, ana)
    kit.share_features(panel.db, ana, monkeypatch)
    kit.deploy(panel.db, settings, "heart_disease", "1.0.0")
    values.load(panel.db, ana, [Given("age", "p1", clock(), 70)])
    page = open_page("try_it", ana, model="heart_disease")
    assert "sex" not in [one.label for one in page.text_input]
    field(page, "mail").input("me@1")
    field(page, "Entity id").input("p1")
    button(page, "Ask").click().run()
    assert not page.error
    assert {"age = 70", "sex = 1"} <= set(text_of(page).replace("  ", "\n").split("\n"))


def test_a_prediction_of_the_log_is_explained_by_its_id(open_page, panel, real, clock, ana):
    row = prediction(real, "0197f3a2-6b1c-7d3e-9a55-0f6f2f4c1b2a", clock.now)
    row.input = {"message": "win at lunch"}
    with panel.db.append() as db:
        db.add(row)
    page = open_page("try_it", ana, model=real, prediction="0197f3a2-6b1c-7d3e-9a55-0f6f2f4c1b2a")
    assert "sms_spam 2.0.0 answered" in text_of(page)
    assert "against it: win" in text_of(page)


def test_an_unknown_prediction_is_said_in_words(open_page, real, ana):
    page = open_page("try_it", ana, model=real, prediction="nothing")
    assert "There is no prediction with this id." in text_of(page)


def test_what_matters_to_a_version_is_ranked_or_said_to_be_unknown(panel, served):
    def page():
        import streamlit as st

        from app import explanations

        explanations.importance(st.session_state["row"])

    shown = AppTest.from_function(page)
    with panel.db.read() as db:
        shown.session_state["row"] = row = registry.get(db, served, "1.0.0")
    assert "registered before this was measured" in text_of(shown.run())
    row.explanation = explain.summary(kit.text_pipeline(), kit.TEXT, kit.HAM + kit.SPAM)
    assert "on 8 held-out rows" in text_of(shown.run())
