from sqlalchemy import select

from core import recommendations
from core.access import system
from core.incidents import silences
from core.recommendations import propose
from core.tables.access import User
from core.tables.entities import ActionRow
from tests.pages.looking import button, field, text_of


def test_the_count_equals_the_cards(open_page, panel, card, ana):
    page = open_page("inbox", ana)

    assert "1 decision waiting" in text_of(page)
    assert [one.value for one in page.markdown].count("## Roll back sms\\_spam to 1\\.0\\.0") == 1


def test_a_card_shows_model_version_risk_age_evidence_interval_and_n(open_page, card, ana):
    shown = text_of(open_page("inbox", ana))

    assert "sms_spam" in shown
    assert "Accuracy fell right after the release." in shown
    assert "version **1.0.0**" in shown
    assert "high" in shown
    assert "proposed just now (2030-01-01 12:00:00 UTC) by agent" in shown
    assert "accuracy now: **0.8100 (95 % interval 0.7800 to 0.8400, n = 700)**" in shown


def test_the_difference_is_one_click_away(open_page, card, ana):
    page = open_page("inbox", ana)
    frame = page.expander[0].table[0].value
    assert frame.loc["serves"].tolist() == ["2\\.0\\.0", "1\\.0\\.0"]


def test_without_decisions_it_says_so_and_names_a_next_step(open_page, served, ana):
    shown = text_of(open_page("inbox", ana))
    assert "Nothing waits for a decision; all models are quiet." in shown
    assert "propose" in shown


def test_a_model_shows_traffic_and_accuracy_with_interval(open_page, traffic, ana):
    page = open_page("inbox", ana)
    assert [metric.value for metric in page.metric] == ["60", "90.0%"]
    assert "95 % interval 79.9% to 95.3%" in text_of(page)


def test_an_open_incident_makes_the_model_need_a_look(open_page, incident, ana):
    assert "1 of 1 models need a look" in text_of(open_page("inbox", ana))


def test_a_decided_card_moves_to_the_decided_ones(open_page, panel, card, ana):
    recommendations.reject(panel.db, ana, card.id, reason="known")
    shown = text_of(open_page("inbox", ana))
    assert "Nothing waits for a decision" in shown
    assert "rejected by ana" in shown


def test_what_messages_say_is_shown_and_not_rendered(open_page, panel, card, ana):
    with panel.db.command(ana, "recommendation.propose") as command:
        row = command.session.get(type(card), card.id)
        row.title = "![x](http://evil.example/x.png) :red[now]"
    page = open_page("inbox", ana)
    assert not any("![x](http" in one.value for one in page.markdown)


def retrain(panel, model, title="Retrain sms_spam", **more):
    how = {"arguments": {}, "kind": "retrain", "reasoning": "drift", **more}
    return propose(panel.db, system("agent"), model=model, title=title, **how)


def headings(page):
    return [one.value[3:].replace("\\", "") for one in page.markdown if one.value.startswith("## ")]


def test_a_filter_in_the_address_shows_what_matches_and_says_how_many(open_page, panel, card, ana):
    retrain(panel, card.model)

    page = open_page("inbox", ana, kind="retrain")

    assert headings(page) == ["Retrain sms_spam"]
    assert "2 decisions waiting, 1 shown" in text_of(page)
    page.selectbox(key="kind").select("rollback").run()
    assert headings(page) == ["Roll back sms_spam to 1.0.0"]


def test_a_filter_that_nothing_matches_says_so(open_page, card, ana):
    shown = text_of(open_page("inbox", ana, severity="low", kind="rollback"))
    assert "No decision matches." in shown
    assert "1 decision waiting, 0 shown" in shown


def test_several_cards_are_decided_one_by_one_and_one_refused_stops_none(
    open_page, panel, card, ana, apo
):
    other, last = propose_release(panel, card.model, ana), retrain(panel, card.model)
    page = open_page("inbox", ana)
    for row in (card, other, last):
        page.checkbox(key=f"pick-{row.id}").check()
    page.run()
    button(page, "Decide 3 selected cards …").click().run()
    assert "An approval would be refused: Ana (operator) may not decide" in text_of(page)
    for words in ("All traffic goes back to the earlier version", "A training starts"):
        assert words in text_of(page)

    field(page, "Reason").input("night shift")
    button(page, "Approve 3").click().run()

    assert "2 of 3 approved" in page.toast[0].value
    assert headings(page) == ["Release it"]
    assert "refused" in badges(page)
    button(page, "Close the list").click().run()
    assert "refused" not in badges(page)


def test_a_card_that_a_person_cannot_decide_says_why_and_cannot_be_selected(
    open_page, panel, card, ana, apo
):
    risky = propose_release(panel, card.model)
    page = open_page("inbox", ana)
    assert [box.key for box in page.checkbox] == [f"pick-{card.id}"]
    assert text_of(page).count("Ana (operator) may not decide this: it needs an approver") == 1
    assert f"pick-{risky.id}" in [box.key for box in open_page("inbox", apo).checkbox]


def test_several_cards_are_rejected_only_with_a_reason(open_page, panel, card, ana):
    other = retrain(panel, card.model)
    page = open_page("inbox", ana)
    page.checkbox(key=f"pick-{other.id}").check().run()
    button(page, "Decide 1 selected card …").click().run()
    button(page, "Reject 1").click().run()
    assert "Say why these are rejected" in page.error[0].value

    field(page, "Reason").input("known")
    button(page, "Reject 1").click().run()
    with panel.db.read() as db:
        assert recommendations.get(db, other.id).decision_reason == "known"


def test_a_viewer_selects_nothing(open_page, panel, card, vic):
    retrain(panel, card.model)
    assert not open_page("inbox", vic).checkbox


def test_a_card_shows_what_came_of_earlier_ones_of_its_kind(open_page, panel, card, done, ana):
    retrain(panel, card.model)
    shown = text_of(open_page("inbox", ana))
    assert "Record: of 1 earlier decision to retrain sms_spam 1 did what was expected." in shown


def test_what_the_product_did_alone_is_listed_with_the_way_back(open_page, panel, done, ana, clock):
    silenced = silences.create(
        panel.db, ana, matchers={"model": "sms_spam"}, hours=1, comment="maintenance"
    )
    with panel.db.command(system("agent"), "autonomy.act") as command:
        action = command.session.scalars(select(ActionRow)).one()
        action.origin = recommendations.ALONE
        action.inverse = {"kind": "end_silence", "arguments": {"silence": silenced.id}}

    page = open_page("inbox", ana)
    assert "Acted alone in the last 24 hours" in text_of(page)
    assert [one.label for one in page.expander] == ["Undo: Tell alerts of sms\\_spam again"]

    clock.forward(hours=25)
    assert "Acted alone" not in text_of(open_page("inbox", ana))


def test_solo_is_shown_on_the_cards_that_it_is_about(open_page, panel, card, ana, adm, apo):
    retrain(panel, card.model)
    propose_release(panel, card.model)
    assert "solo" not in badges(open_page("inbox", ana))
    with panel.db.command(adm, "user.change") as command:
        command.session.get(User, "adm").active = False
    assert badges(open_page("inbox", ana)).count("solo: apo alone may approve") == 1


def badges(page):
    found = "\n".join(one.value for one in page.markdown if "badge" in one.value)
    return found.replace("\\", "")


def propose_release(panel, model, actor=None):
    how = {"kind": "promote", "arguments": {"version": "3.0.0"}, "reasoning": "better"}
    who = actor or system("agent")
    return propose(panel.db, who, model=model, title="Release it", **how)
