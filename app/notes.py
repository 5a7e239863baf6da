"""What operators tell the agent, and freezes: those that count now, and the form for a new one."""

from datetime import datetime

import streamlit as st

from app import ui
from core import notes, specs
from core.access import Actor, may
from core.panel import Panel
from core.recommendations import EVERYWHERE
from core.tables.decisions import Note


def show(panel: Panel, actor: Actor) -> None:
    """Show the notes in force, and let operators write and end them."""
    now = panel.clock()
    with panel.db.read() as db:
        models = [EVERYWHERE, *(spec.name for spec in specs.all_active(db))]
        found = notes.in_force(db, None, now)
    for row in found:
        _one(panel, actor, row, now)
    if not found:
        ui.empty(
            "No note and no freeze counts now.", "Write one when you know what data cannot say."
        )
    if may(actor, "note.write"):
        _write(panel, actor, models)


def frozen(panel: Panel, model: str | None = None) -> None:
    """Say in one line what is frozen, of a model or of any; nothing where nothing is."""
    with panel.db.read() as db:
        rows = [row for row in notes.in_force(db, model, panel.clock()) if row.freeze]
    for row in rows:
        until = ui.when(row.ends_at, panel.clock())
        words = f"Changes of {_whose(row)} are frozen by {row.author}: {_ended(row.text)}"
        st.info(ui.plain(f"{words} It ends {until}."))


def _ended(text: str) -> str:
    return f"{text.rstrip('.')}."


def _whose(row: Note) -> str:
    return "all models" if row.model == EVERYWHERE else row.model


def _one(panel: Panel, actor: Actor, row: Note, now: datetime) -> None:
    with st.container(border=True, key=f"note-{row.id}"):
        what = "Freeze" if row.freeze else "Note"
        st.markdown(f"**{what}, {ui.plain(_whose(row))}**: {ui.plain(row.text)}")
        until = ui.when(row.ends_at, now)
        st.caption(ui.plain(f"by {row.author}, {ui.when(row.at, now)}; ends {until}"))
        if may(actor, "note.end") and st.button(f"End this {what.lower()}", key=f"end-{row.id}"):
            with ui.reporting():
                notes.end(panel.db, actor, row.id)
                ui.done(f"The {what.lower()} is over.")


def _write(panel: Panel, actor: Actor, models: list[str]) -> None:
    with st.form("write-note", border=True):
        left, right = st.columns(2)
        model = left.selectbox(
            "About", models, format_func=lambda one: "all models" if one == EVERYWHERE else one
        )
        hours = right.number_input("For how many hours", 0.5, 720.0, 8.0, 0.5)
        text = st.text_input("What the agent should know", max_chars=notes.LONGEST_TEXT)
        freeze = st.checkbox("Freeze: hold changes back (a rollback stays possible)")
        submitted = st.form_submit_button("Write it down")
    if submitted:
        with ui.reporting():
            notes.write(panel.db, actor, model=model, text=text, freeze=freeze, hours=hours)
            ui.done("Changes are frozen." if freeze else "The agent knows.")
