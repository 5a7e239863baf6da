"""Entry point: python -m streamlit run app/main.py."""

from pathlib import Path
from typing import Literal

import streamlit as st

from app import auth, nav, session, ui
from core.errors import UnavailableError

ICON = str(Path(__file__).parent / "static" / "favicon.png")


def run() -> None:
    """Ask who is there, then show the page or the form."""
    panel = session.panel()
    door = auth.Door(panel)
    try:
        actor = door.actor()
    except UnavailableError:  # keep the address: an unregistered page would lose it
        st.navigation(nav.sections(None), position="hidden")
        raise
    position: Literal["sidebar", "hidden"] = "sidebar" if actor else "hidden"
    chosen = st.navigation(nav.sections(actor), position=position, expanded=True)
    if actor is None:
        door.form()
        return
    auth.account(panel, actor)
    ui.announce()
    with ui.reporting(page=True):
        chosen.run()


def frame() -> None:
    """Lay out the window, then show the page, the form, or what is wrong."""
    st.set_page_config(
        page_title="Pilothouse",
        page_icon=ICON,
        layout="wide",
        menu_items={},
    )
    st.logo(ICON, size="large")
    ui.style()
    with ui.reporting(page=True):
        run()


if __name__ == "__main__":
    frame()
