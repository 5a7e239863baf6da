"""Entry point: python -m streamlit run app/main.py."""

from pathlib import Path

import streamlit as st

from app import auth, nav, session, ui

st.set_page_config(
    page_title="Pilothouse",
    page_icon=str(Path(__file__).parent / "static" / "favicon.png"),
    layout="wide",
    menu_items={},
)
ui.style()


def run() -> None:
    """Ask who is there, then show the page, the form, or what is wrong."""
    panel = session.panel()
    door = auth.Door(panel)
    actor = door.actor()
    chosen = st.navigation(nav.sections(actor), position="sidebar" if actor else "hidden")
    if actor is None:
        door.form()
        return
    auth.account(panel, actor)
    ui.announce()
    with ui.reporting(page=True):
        chosen.run()


with ui.reporting(page=True):
    run()
