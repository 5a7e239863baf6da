from pydantic import SecretStr

from core import outbox, recommendations, releases
from tests.actions_kit import carry_out
from tests.pages.looking import button, field, text_of


def current(panel, model):
    with panel.db.read() as db:
        return releases.label(releases.current(db, model))


def test_it_says_what_serves_since_when_and_why(open_page, served, ana):
    shown = text_of(open_page("releases", ana, model=served))

    assert "2.0.0 serves all traffic since 2030-01-01 12:00:00 UTC (just now)." in shown
    assert "Better in training" in shown
    assert "#1: 1.0.0" in shown


def test_a_rollback_is_previewed_and_needs_a_reason(open_page, panel, served, ana):
    page = open_page("releases", ana, model=served)
    assert "A rollback serves **1.0.0** to everybody instead of **2.0.0**" in text_of(page)

    button(page, "Roll back").click().run()

    assert "Say why" in page.error[0].value
    assert current(panel, served) == "2.0.0"


def test_a_rollback_with_a_reason_serves_the_earlier_version(open_page, panel, served, ana):
    page = open_page("releases", ana, model=served)

    field(page, "Why?").input("accuracy fell")
    button(page, "Roll back").click().run()

    assert current(panel, served) == "1.0.0"
    assert "1.0.0 serves all traffic" in text_of(page)
    assert "has no earlier release to go back to" in text_of(page)


def test_a_rollback_is_told_to_the_channels_that_are_set_up(open_page, panel, served, ana):
    panel.settings.slack_webhook_url = SecretStr("http://127.0.0.1:9/hook")
    page = open_page("releases", ana, model=served)

    field(page, "Why?").input("accuracy fell")
    button(page, "Roll back").click().run()

    with panel.db.read() as db:
        assert [message.channel for message in outbox.recent(db)] == ["slack"]


def test_a_viewer_cannot_roll_back(open_page, served, vic):
    page = open_page("releases", vic, model=served)
    assert not [one for one in page.button if one.label.startswith("Roll back")]


def test_a_dash_in_the_address_finds_the_model(open_page, served, ana):
    assert "2.0.0 serves" in text_of(open_page("releases", ana, model="sms-spam"))


def test_an_unknown_model_is_a_friendly_page(open_page, served, ana):
    page = open_page("releases", ana, model="nope")
    assert page.title[0].value == "Not found"
    assert "There is no model nope." in text_of(page)


def test_a_model_without_a_release_names_the_next_step(open_page, model, ana):
    shown = text_of(open_page("releases", ana, model=model))
    assert "Nothing of sms_spam is released yet." in shown
    assert "propose it for release" in shown


def test_each_action_has_its_undo_or_says_why_there_is_none(open_page, panel, served, apo, ana):
    panel.settings.slack_webhook_url = SecretStr("http://127.0.0.1:9")
    for kind, given in (("set_threshold", {"threshold": "0.7"}), ("notify", {})):
        row = recommendations.propose(
            panel.db, ana, model=served, kind=kind, arguments=given, title=kind, reasoning="because"
        )
        recommendations.approve(panel.db, apo, row.id, digest=row.digest, solo=False)
        carry_out(panel.db, panel.settings)
        panel.clock.forward(seconds=1)
    page = open_page("releases", ana, model=served)
    assert "There is no undo: a message that was sent cannot be taken back" in text_of(page)
    assert "by apo, proposed by ana" in text_of(page)
    assert "by executor" not in text_of(page)
    [one for one in page.text_input if one.label == "Why?"][-1].input("too strict")
    button(page, "Undo now").click().run()
    with panel.db.read() as db:
        assert releases.set_thresholds(releases.current(db, served)) == {}
    assert "undone" in text_of(open_page("inbox", ana))


def test_an_undo_that_is_overtaken_is_not_offered_and_says_why(open_page, panel, served, apo, ana):
    for cut in ("0.7", "0.8"):
        given = {"threshold": cut}
        row = recommendations.propose(
            panel.db,
            ana,
            model=served,
            kind="set_threshold",
            arguments=given,
            title=cut,
            reasoning="because",
        )
        recommendations.approve(panel.db, apo, row.id, digest=row.digest, solo=False)
        carry_out(panel.db, panel.settings)
        panel.clock.forward(seconds=1)
    page = open_page("releases", ana, model=served)
    assert [one.label for one in page.button].count("Undo now") == 1
    assert "An undo would be refused: another release serves by now" in text_of(page)
