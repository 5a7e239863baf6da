import pytest
from pydantic import SecretStr

from core import keys, outbox, users
from core.access import Role
from tests.pages.looking import button, field, text_of


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch):
    monkeypatch.setattr(users, "ROUNDS", 4)


def people(panel):
    with panel.db.read() as db:
        return {user.name: user for user in users.all(db)}


def test_a_person_is_added(open_page, panel, adm):
    page = open_page("admin", adm)
    field(page, "Name").input("eve")
    field(page, "Password (at least").input("correct horse 9")

    button(page, "Add the person").click().run()

    assert people(panel)["eve"].role == Role.OPERATOR


def test_a_short_password_is_refused_in_words(open_page, panel, adm):
    page = open_page("admin", adm)
    field(page, "Name").input("eve")
    field(page, "Password (at least").input("short")

    button(page, "Add the person").click().run()

    assert "needs at least 10 characters" in page.error[0].value
    assert "eve" not in people(panel)


def test_a_role_is_changed(open_page, panel, adm):
    page = open_page("admin", adm)
    roles = [one for one in page.selectbox if one.label == "Role"]
    roles[1].select(Role.APPROVER)  # of ana; adm comes first

    [one for one in page.button if one.label == "Save"][1].click().run()

    assert people(panel)["ana"].role == Role.APPROVER


def test_a_key_is_shown_once(open_page, panel, adm):
    page = open_page("admin", adm)
    field(page, "Which client").input("shop")
    button(page, "Make a key").click().run()

    secret = page.code[0].value
    assert secret.startswith("ph_live_")
    assert secret not in text_of(page.run())
    assert not page.code


def test_a_key_is_revoked(open_page, panel, adm):
    keys.create(panel.db, adm, name="shop", scopes=["predict"])
    page = open_page("admin", adm)

    button(page, "Revoke").click().run()

    with panel.db.read() as db:
        assert keys.all(db)[0].revoked_at is not None


def test_a_key_gets_a_limit_and_another(open_page, panel, adm):
    page = open_page("admin", adm)
    field(page, "Which client").input("shop")
    limits(page)[-1].set_value(90)
    button(page, "Make a key").click().run()
    assert limit_of_shop(panel) == 90

    page.run()
    assert "90 a minute" in text_of(page)
    limits(page)[0].set_value(7)
    button(page, "Save the limit").click().run()
    assert limit_of_shop(panel) == 7


def limits(page):
    return [one for one in page.number_input if one.label == "Requests a minute"]


def limit_of_shop(panel):
    with panel.db.read() as db:
        return keys.all(db)[0].rate_limit


def test_a_test_message_is_left_for_a_channel(open_page, panel, adm, monkeypatch):
    url = SecretStr("https://hooks.example/x")
    monkeypatch.setattr(panel.settings, "slack_webhook_url", url)
    page = open_page("admin", adm)

    button(page, "Send a test to slack").click().run()

    with panel.db.read() as db:
        assert outbox.recent(db)[0].channel == "slack"
    assert "hooks.example" not in text_of(page)


def test_without_a_channel_it_says_how_to_set_one_up(open_page, panel, adm):
    assert "Set SLACK_WEBHOOK_URL" in text_of(open_page("admin", adm))
