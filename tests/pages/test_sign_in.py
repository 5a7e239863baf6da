from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import auth
from core import users
from core.db import Database
from core.errors import UnavailableError
from tests.pages.looking import button, field, text_of

PASSWORD = "correct horse 9"
MAIN = str(Path(__file__).parents[2] / "app" / "main.py")


@pytest.fixture
def eve(panel, adm, monkeypatch):
    monkeypatch.setattr(users, "ROUNDS", 4)
    return users.create(panel.db, adm, name="eve", role="operator", password=PASSWORD)


def sign_in(name, password):
    page = AppTest.from_file(MAIN, default_timeout=30).run()
    field(page, "Name").input(name)
    field(page, "Password").input(password)
    return button(page, "Sign in").click().run()


def test_the_right_password_leads_to_the_inbox(panel, eve):
    page = sign_in("Eve", PASSWORD)
    assert page.title[0].value == "Inbox"


@pytest.mark.parametrize("name", ["eve", "nobody"])
def test_a_wrong_password_and_an_unknown_name_get_the_same_message(panel, eve, name):
    page = sign_in(name, "not the password")
    assert page.error[0].value == users.WRONG
    assert page.title[0].value == "Pilothouse"


def test_signing_out_shows_the_form_and_ends_the_sign_in(panel, eve):
    page = sign_in("eve", PASSWORD)
    token = page.session_state[auth.TOKEN]

    button(page, "Sign out").click().run()

    assert [one.label for one in page.text_input] == ["Name", "Password"]
    assert users.by_session(panel.db, token) is None


def test_a_sign_in_ended_elsewhere_ends_at_the_next_click(panel, eve, adm):
    page = sign_in("eve", PASSWORD)
    users.end_all_sessions(panel.db, adm, "eve")

    page.run()

    assert page.title[0].value == "Pilothouse"


def test_signing_out_everywhere_ends_all_sign_ins(panel, eve):
    other = sign_in("eve", PASSWORD).session_state[auth.TOKEN]
    page = sign_in("eve", PASSWORD)

    button(page, "Sign out everywhere").click().run()

    assert users.by_session(panel.db, other) is None


def test_the_password_is_changed_and_everybody_is_signed_out(panel, eve):
    page = sign_in("eve", PASSWORD)
    field(page, "Current password").input(PASSWORD)
    field(page, "New password").input("another horse 9")

    button(page, "Change password").click().run()

    assert page.title[0].value == "Pilothouse"
    assert users.check(panel.db, "eve", "another horse 9")


def test_a_dead_database_gives_a_named_error_and_a_retry(open_page, panel, ana, monkeypatch):
    page = open_page("inbox", ana)

    def dead(self):
        raise UnavailableError("the database does not answer; it is tried again")

    with monkeypatch.context() as away:
        away.setattr(Database, "read", dead)
        page.run()
    assert "Not available: the database does not answer" in text_of(page)
    assert [one.label for one in page.button] == ["Retry"]
    assert not page.exception

    button(page, "Retry").click().run()
    assert page.title[0].value == "Inbox"
