from core import recommendations
from tests.pages.looking import text_of


def test_the_count_equals_the_cards(open_page, panel, card, ana):
    page = open_page("inbox", ana)

    assert "1 decision waiting" in text_of(page)
    assert [one.value for one in page.markdown].count("## Roll back sms\\_spam to 1\\.0\\.0") == 1


def test_a_card_shows_model_version_risk_age_evidence_interval_and_n(open_page, card, ana):
    shown = text_of(open_page("inbox", ana))

    assert "sms_spam" in shown
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
