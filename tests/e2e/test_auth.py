"""Signing in and out in a real browser, one test per promise."""

import re

import pytest
from playwright.sync_api import expect

from core import users
from tests.e2e.house import button, form, sign_in
from tests.e2e.person import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_the_sign_in_form_has_labelled_fields(at):
    me = at.stranger()
    me.go("/")
    expect(me.page.get_by_label("Name", exact=True)).to_be_visible()
    expect(form(me)).to_have_attribute("type", "password")
    me.shoot("panel-sign-in")
    assert me.axe() == []


@pytest.mark.parametrize("name", ["ana", "nobody"])
def test_a_wrong_password_and_an_unknown_name_get_one_neutral_message(at, name):
    me = at.stranger()
    me.go("/")
    me.page.get_by_label("Name", exact=True).fill(name)
    form(me).fill("not the password")
    button(me, "Sign in").click()
    expect(me.page.get_by_test_id("stAlert")).to_have_text(users.WRONG)


def test_only_a_person_starts_runs_of_a_whole_page_so_no_press_is_lost(at):
    me = at.stranger()
    asked = runs_asked_for(me.page)
    sign_in(me, "ana")
    until(lambda: me.page.wait_for_timeout(20) or len(asked) > 2, what="the frame's answer")
    me.idle()
    opened, pressed, written = (one.fragment_id for one in asked)
    assert (opened, pressed) == ("", "")
    assert written  # the frame that wrote the cookie asks for no more than its own part


def runs_asked_for(page):
    """What the page asks the panel to run, from now on; a later whole run ends an earlier one."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    asked = []

    def keep(frame):
        message = BackMsg.FromString(frame)
        if message.WhichOneof("type") == "rerun_script":
            asked.append(message.rerun_script)

    page.on("websocket", lambda socket: socket.on("framesent", keep))
    return asked


def test_a_deep_link_survives_the_sign_in_and_a_reload_keeps_both(at):
    me = at.stranger()
    sign_in(me, "ana", "/releases?model=heart_disease")
    for _ in range(2):
        expect(me.page.locator("h1")).to_have_text("Releases")
        expect(me.page).to_have_url(re.compile(r"/releases\?model=heart_disease"))
        expect(me.page.get_by_label("Model")).to_have_value("Heart disease")
        me.page.reload()
        me.whole()


def test_signing_out_shows_the_form_and_stays_out_here_and_in_another_tab(at):
    me = sign_in(at.stranger(), "sue")
    other = me.go("/audit", me.new_page())
    expect(other.locator("h1")).to_have_text("Audit")
    me.page.get_by_role("button", name=re.compile("sue")).click()
    button(me, "Sign out").click()
    expect(form(me)).to_be_visible()
    for page in (me.page, other):
        page.wait_for_load_state("networkidle")  # a reload would cut off what is still fetched
        page.reload()
        expect(page.get_by_label("Password", exact=True)).to_be_visible()
