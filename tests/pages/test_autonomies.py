import pytest
from streamlit.testing.v1 import AppTest

from core import autonomy, recommendations
from core.access import system
from core.tables.decisions import Autonomy
from tests.outcomes_kit import put_outcomes
from tests.pages.looking import button, field, text_of


def part():
    import streamlit as st

    from app import autonomies, session

    autonomies.show(session.panel(), st.session_state["somebody"])


@pytest.fixture
def look(panel, served):
    def shown(actor):
        page = AppTest.from_function(part)
        page.session_state["somebody"] = actor
        page.run()
        assert not page.exception
        return page

    return shown


def grant(panel, kind="retrain"):
    with panel.db.command(system("executor"), "action.execute") as command:
        words = "ten of ten went well"
        autonomy.grant_in(command, model="sms_spam", kind=kind, reason=words, by="apo")


def past(panel, *grades):
    put_outcomes(panel.db, *grades, model="sms_spam")


def test_without_a_leave_the_panel_says_that_a_person_decides_everything(look, ana):
    shown = text_of(look(ana))
    assert "Nothing is left to the product: a person decides everything." in shown
    assert "It would act alone after 11 more good outcomes in a row." in shown


def test_a_leave_that_is_being_earned_says_how_much_is_missing(look, panel, ana):
    grant(panel)
    past(panel, *["good"] * 4)
    shown = text_of(look(ana))
    assert ":blue-badge[earning]" in shown
    assert "A person decides: 7 more good outcomes in a row are needed." in shown
    assert "4 good, 0 bad, 0 neutral" in shown
    assert "by apo: ten of ten went well" in shown


def test_a_good_record_acts_alone_within_its_ceiling(look, panel, ana):
    grant(panel)
    past(panel, *["good"] * 11)
    shown = text_of(look(ana))
    assert ":green-badge[acts alone]" in shown
    assert "0.80 is the lower 95 % bound" in shown
    assert "Ceiling: at most 2 a day, never where the policy asks for a person." in shown


def test_after_a_bad_outcome_it_says_since_when_and_by_which(look, panel, ana):
    grant(panel)
    past(panel, *["good"] * 11, "bad")
    shown = text_of(look(ana))
    assert ":red-badge[fallen back]" in shown
    assert "Fell back just now" in shown
    assert "It was bad." in shown


def test_the_record_of_every_kind_is_a_drawer_away(look, panel, ana):
    past(panel, "good", "bad", "good", "good")
    page = look(ana)
    page.session_state["record"] = True
    frame = page.run().table[0].value
    rows = {str(one[0]).replace("\\", ""): one[1:] for one in frame.reset_index().values.tolist()}
    assert len(rows) >= 7
    state, record, more = rows["retrain: sms_spam"]
    assert (state, more) == ("off", "9")
    told = "3 good, 1 bad, 0 neutral; 2 good in a row, lower bound 0.43"
    assert record.replace("\\", "") == told


def test_a_leave_is_proposed_and_waits_for_another_person(look, panel, ana, apo):
    page = look(ana)
    field(page, "Why?").input("it did well")
    button(page, "Propose").click().run()
    with panel.db.read() as session:
        (row,) = recommendations.waiting(session)
        assert (row.kind, row.arguments) == ("grant_autonomy", {"kind": "retrain"})
        assert session.get(Autonomy, ("sms_spam", "retrain")) is None


def test_what_has_a_leave_cannot_be_proposed_again(look, panel, ana):
    grant(panel)
    page = look(ana)
    assert "It has this leave already." in text_of(page)
    assert "Propose" not in [one.label for one in page.button]


def test_an_operator_withdraws_a_leave_with_a_reason(look, panel, ana):
    grant(panel)
    page = look(ana)
    page.text_input[0].input("I would rather look first")
    button(page, "Withdraw").click().run()
    with panel.db.read() as session:
        assert session.get(Autonomy, ("sms_spam", "retrain")).state == "withdrawn"


def test_a_viewer_sees_the_ladder_and_changes_nothing(look, panel, vic):
    grant(panel)
    page = look(vic)
    assert "earning" in text_of(page)
    assert not page.button
