"""Signing in: streamlit-authenticator's form and cookie on one side, our own sign-ins on the other.

The library's cookie cannot be revoked, so it carries the token of a row in our database; the row
decides at every run. Traps of version 0.4.2: the cookie is written by a frame that must stay on
the page until it has written, see `_Jar`; the library compares passwords with no lock-out and
answers faster for unknown names, so we compare them ourselves.
"""

import secrets
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import jwt
import streamlit as st
from extra_streamlit_components.CookieManager import _component_func as _frame
from streamlit_authenticator import Authenticate
from streamlit_authenticator.models import cookie_model
from streamlit_authenticator.utilities.exceptions import LoginError

from app import session, ui
from core import users
from core.access import Actor
from core.errors import UnauthenticatedError
from core.panel import Panel

COOKIE = "pilothouse"
TOKEN = "sign_in_token"  # noqa: S105 (a name, not a secret)
_TO_WRITE = "cookie_to_write"
_FIELDS = {"Form name": "Sign in", "Username": "Name", "Password": "Password", "Login": "Sign in"}


class _Jar:
    """What the library takes for the cookies of the browser; it notes what is to be written.

    The library's own jar asks the browser for all cookies, although they came with the connection.
    What a frame answers starts a run, and that run ends the one in which somebody just pressed a
    button: the press was lost. So nothing is asked, and `_write` runs as a fragment, which ends no
    other run.
    """

    def set(self, cookie: str, value: str, *, expires_at: datetime) -> None:
        options = {"path": "/", "expires": expires_at.isoformat(), "sameSite": "strict"}
        self._note(method="set", cookie=cookie, value=value, options=options)

    def delete(self, cookie: str) -> None:
        self._note(method="delete", cookie=cookie)

    def _note(self, **what: object) -> None:
        st.session_state[_TO_WRITE] = {**what, "key": f"cookie-{secrets.token_hex(4)}"}


cookie_model.stx = SimpleNamespace(CookieManager=_Jar)


@st.fragment
def _write() -> None:
    """Keep the frame that writes the cookie on the page until it says that it has."""
    what = st.session_state.get(_TO_WRITE)
    if what and _frame(**what, default=False):
        del st.session_state[_TO_WRITE]


class Door:
    """One run's look at who is there; `form` is shown to nobody yet known."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._gate: Authenticate | None = None
        # laid out on every run: were it not, all that follows would move, and a widget that is
        # mounted anew loses its tie to the address
        self._machinery = st.container(key="cookie-machinery")

    def actor(self) -> Actor | None:
        """Return who is signed in, also after a reload, or None."""
        person = self._by_token(st.session_state.get(TOKEN))
        if person is None:
            self._forget()
            person = self._by_cookie()
        if _TO_WRITE in st.session_state:
            with self._machinery:
                _write()
        st.session_state[session.ACTOR] = person
        return person

    def form(self) -> None:
        """Show the form; a right password starts a sign-in and the next run."""
        gate = self._library()
        with st.container(horizontal_alignment="center"), st.container(key="sign-in", width=420):
            st.title("Pilothouse", anchor=False)
            ui.section("The control room for your models")
            gate.login("main", fields=_FIELDS)
            if st.session_state.get("authentication_status"):
                st.rerun()
            if st.session_state.get("authentication_status") is False:
                st.error(users.WRONG)

    def _by_token(self, token: object) -> Actor | None:
        return users.by_session(self._panel.db, token) if isinstance(token, str) else None

    def _by_cookie(self) -> Actor | None:
        """Read the cookie that came with this connection; none is read after signing out."""
        gate = self._library()
        try:
            gate.login("unrendered")
        except LoginError:  # the person of the cookie has no active account any more
            self._distrust_cookie()
            return None
        if not st.session_state.get("authentication_status"):
            return None
        token = (gate.cookie_controller.get_cookie() or {}).get("sign_in")
        person = self._by_token(token)
        if person is None:
            self._distrust_cookie()
        else:
            st.session_state[TOKEN] = token
        return person

    def _distrust_cookie(self) -> None:
        """Keep the library from signing in again by a cookie whose sign-in has ended."""
        self._forget()
        st.session_state["logout"] = True

    def _forget(self) -> None:
        """Drop what the library believes; our own row decided otherwise."""
        st.session_state.pop(TOKEN, None)
        if st.session_state.get("authentication_status"):
            st.session_state["authentication_status"] = None

    def _library(self) -> Authenticate:
        """Return the library's object, made at most once a run."""
        if self._gate is None:
            self._gate = _library(self._panel)
        return self._gate


def sign_out(panel: Panel) -> None:
    """End this sign-in; the next run deletes the cookie and shows the form."""
    users.end_session(panel.db, st.session_state.get(TOKEN, ""))
    _leave()


def sign_out_everywhere(panel: Panel, actor: Actor) -> None:
    """End all sign-ins of the person, on every machine."""
    users.end_all_sessions(panel.db, actor)
    _leave()


def _leave() -> None:
    for name in list(st.session_state):
        del st.session_state[name]
    _Jar().delete(COOKIE)
    st.session_state["logout"] = True  # the library then ignores the cookie of this connection
    st.rerun()


def _library(panel: Panel) -> Authenticate:
    key = panel.settings.key_for("panel cookie").hex()
    gate = Authenticate(
        _people(panel),
        COOKIE,
        key,
        panel.settings.session_hours / 24,
        auto_hash=False,
        login_sleep_time=0,
    )
    cookie = gate.cookie_controller.cookie_model

    def check(name: str, password: str) -> bool:
        try:
            user = users.check(panel.db, name, password)
        except UnauthenticatedError:
            return False
        hours = panel.settings.session_hours
        st.session_state[TOKEN] = users.start_session(panel.db, user, via="panel", hours=hours)
        return True

    def encode() -> str:
        content = {
            "username": st.session_state["username"],
            "exp_date": cookie.exp_date,
            "sign_in": st.session_state[TOKEN],
        }
        return jwt.encode(content, key, algorithm="HS256")

    gate.authentication_controller.authentication_model.check_credentials = check
    cookie._token_encode = encode
    return gate


def _people(panel: Panel) -> dict[str, Any]:
    """Return the active people as the library wants them, without their password hashes."""
    with panel.db.read() as db:
        names = [user.name for user in users.all(db) if user.active]
    return {"usernames": {name: {"name": name, "email": "", "password": ""} for name in names}}


def account(panel: Panel, actor: Actor) -> None:
    """Show who is signed in, with the ways out and the change of the password."""
    with st.sidebar, st.popover(f"{actor.name} · {actor.role}", key="account", width="stretch"):
        if st.button("Sign out", key="sign-out", width="stretch"):
            sign_out(panel)
        if st.button("Sign out everywhere", key="sign-out-everywhere", width="stretch"):
            sign_out_everywhere(panel, actor)
        with st.form("change-password", border=False):
            old = st.text_input("Current password", type="password")
            new = st.text_input("New password", type="password")
            wanted = st.form_submit_button("Change password", width="stretch")
        if wanted:
            with ui.reporting():
                users.change_password(panel.db, actor, actor.name, old=old, new=new.strip())
                sign_out(panel)
