"""API keys of client applications: made, shown once, revoked."""

from datetime import timedelta

import streamlit as st

from app import ui
from core import keys
from core.access import Actor
from core.panel import Panel
from core.tables.access import ApiKey

RATE_LABEL = "Requests a minute"
RATE_HELP = "0: no limit. Empty: as the settings say. A batch costs its number of items."


def show(panel: Panel, actor: Actor, row: ApiKey) -> None:
    """Show one key, with the way to end it."""
    now = panel.clock()
    state = keys.state(row, now)
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge(state)
        made = f"by {row.created_by} {ui.when(row.created_at, now)}"
        words = f"{row.name} ({', '.join(row.scopes)}), {made}"
        st.markdown(ui.plain(words), width="content")
        limit = keys.limit_words(row.rate_limit, panel.settings.rate_limit_per_minute)
        st.caption(limit, width="content")
        if row.expires_at:
            st.caption(f"expires {ui.when(row.expires_at, now)}", width="content")
        if state == "live":
            _change(panel, actor, row)


def _change(panel: Panel, actor: Actor, row: ApiKey) -> None:
    """Offer another limit, and the end."""
    with st.popover("Limit"), st.form(f"limit-form-{row.id}", border=False):
        rate = st.number_input(RATE_LABEL, 0, keys.MOST_A_MINUTE, row.rate_limit, help=RATE_HELP)
        submitted = st.form_submit_button("Save the limit")
    if submitted:
        with ui.reporting():
            keys.limit(panel.db, actor, row.id, rate_limit=rate)
            ui.done(f"{row.name}: the limit counts within two seconds.")
    if st.button("Revoke", key=f"revoke-{row.id}"):
        with ui.reporting():
            keys.revoke(panel.db, actor, row.id)
            ui.done(f"{row.name} is refused within two seconds.")


def add(panel: Panel, actor: Actor) -> None:
    """Make a key and show its secret, this once."""
    with st.form("add-key"):
        name = st.text_input("Which client will use it?", max_chars=100)
        scopes = st.multiselect("It may", keys.SCOPES, default=["predict", "feedback"])
        days = st.number_input("Days until it expires (0: never)", 0, 3650, 365)
        rate = st.number_input(RATE_LABEL, 0, keys.MOST_A_MINUTE, None, help=RATE_HELP)
        submitted = st.form_submit_button("Make a key", type="primary")
    if submitted:
        with ui.reporting():
            until = panel.clock() + timedelta(days=int(days)) if days else None
            _, secret = keys.create(
                panel.db, actor, name=name, scopes=scopes, expires_at=until, rate_limit=rate
            )
            st.success("Copy it now: it is shown this once and cannot be read again.")
            st.code(secret, language=None)
