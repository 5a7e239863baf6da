"""Deciding in a real browser: changing, asking, several cards at once; each by its own people."""

import re

import pytest
from playwright.sync_api import expect

from core import recommendations
from core.agent.answering import answer
from tests.e2e import panel_home as homes
from tests.e2e.house import button

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
CARDS = "[class*=st-key-card-]"


def stored(house, recommendation_id):
    with house.panel.db.read() as db:
        return recommendations.get(db, recommendation_id)


def conversation(house, row):
    with house.panel.db.read() as db:
        return recommendations.conversation(db, row.id)


def test_what_one_person_changes_another_one_approves(at, house):
    row = homes.put(
        house.panel, "promote", "Release breast_cancer 1.0.0", model="heart_disease",
        arguments={"version": "1.0.0"},
    )  # fmt: skip
    me = at("apo")
    me.moves(f"/recommendation?id={row.id}")
    button(me, "Change …").click()
    dialog = me.page.get_by_role("dialog")
    dialog.get_by_label("Version").click()
    me.page.get_by_role("option", name="3.0.0").click()
    dialog.get_by_label("Why? (kept on record)").fill("it passed the gate too")
    button(me, "Propose the change").click()
    expect(me.page.locator("h1")).to_have_text("Release heart_disease 3.0.0")
    me.sees("You proposed this yourself: another person decides (adm).")
    (made,) = (one for one in waiting(house) if one.edit_of == row.id)

    other = at("adm")
    other.moves(f"/recommendation?id={made.id}")
    expect(other.page.get_by_role("row").filter(has_text="version")).to_contain_text("1.0.0")
    other.click("Approve …")
    button(other, "Approve now").click()
    other.sees(re.compile("Approved by adm"))
    assert stored(house, row.id).state == "edited"
    assert stored(house, made.id).proposed_by == "apo"


def waiting(house):
    with house.panel.db.read() as db:
        return recommendations.waiting(db)


def test_a_question_gets_its_answer_without_a_reload(at, house):
    row = homes.put(house.panel, "retrain", "Retrain heart_disease", model="heart_disease")
    me = at("ana")
    me.moves(f"/recommendation?id={row.id}")
    me.page.get_by_label("Ask the agent about this").fill("How many labels are there?")
    button(me, "Ask").click()
    me.sees("The agent looks at the facts")
    (question,) = conversation(house, row)
    said = answer(house.panel.db, house.panel.settings, question.id)
    me.sees(said.text[:30])
    expect(me.page.get_by_text("The agent looks at the facts")).to_have_count(0)


def test_of_three_selected_cards_one_is_refused_and_the_others_are_decided(at, house):
    put = [
        homes.put(house.panel, kind, title, model="breast_cancer", arguments=arguments)
        for kind, title, arguments in (
            ("retrain", "Retrain breast_cancer", {}),
            ("notify", "Tell of breast_cancer", {}),
            ("collect_labels", "Label breast_cancer", {"rows": "20"}),
        )
    ]
    me = at("sue")
    me.moves("/?of=breast_cancer")
    expect(me.page.locator(CARDS)).to_have_count(3)
    for row in put:
        me.page.locator(f".st-key-card-{row.id}").get_by_text("Select").click()
        me.idle()
    me.click("Decide 3 selected cards …")
    expect(me.page.get_by_role("dialog")).to_contain_text("A training starts")
    recommendations.reject(house.panel.db, homes.APO, put[1].id, reason="seen to")
    me.page.get_by_label("Reason (kept with each)").fill("night shift")
    button(me, "Approve 3").click()

    results = me.page.locator(".st-key-results")
    expect(results).to_contain_text(re.compile("Decided already: rejected by apo"))
    expect(results.get_by_text("approved", exact=True)).to_have_count(2)
    states = [stored(house, row.id).state for row in put]
    assert states == ["approved", "rejected", "approved"]


def test_the_filters_of_the_inbox_live_in_the_address(at, house):
    me = at("ana")
    me.opens("/?kind=rollback")
    expect(me.page.locator(CARDS)).to_have_count(1)
    me.page.get_by_label("Kind").click()
    me.page.get_by_role("option", name="promote").click()
    expect(me.page).to_have_url(re.compile("kind=promote"))
    expect(me.page.locator(CARDS).filter(has_text="Roll back")).to_have_count(0)
