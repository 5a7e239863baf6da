"""What runs by itself: each schedule with its next slot, why a slot did nothing, and the switch."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from app import ui
from core.access import Actor, may
from core.automation import schedule
from core.panel import Panel
from core.tables.entities import Schedule
from core.tables.operational import Tick


def show(panel: Panel, actor: Actor, rows: Sequence[Schedule], ticks: Sequence[Tick]) -> None:
    """Show the schedules, each with its last ticks, the newest first."""
    now = panel.clock()
    for row in rows:
        own = [tick for tick in ticks if tick.schedule_id == row.id]
        with st.container(border=True, key=f"schedule-{row.id}"):
            _one(row, own, now)
            if may(actor, "schedule.change"):
                _switch(panel, actor, row)
    if not rows:
        ui.empty(
            "Nothing is scheduled.", "Run pilothouse init: it schedules the checks of every model."
        )


def _one(row: Schedule, own: Sequence[Tick], now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge(row.state)
        every = f"every {row.minutes:g} minutes"
        st.markdown(f"**{ui.plain(row.model)}**: {ui.plain(row.kind)} {every}", width="content")
    coming = schedule.next_slot(row, now)
    st.caption(f"next {ui.when(coming, now)}" if coming else "paused: no slot runs")
    if own and own[0].reason:
        st.markdown(f"Last: {ui.plain(own[0].state)}, {ui.plain(own[0].reason)}")
    if not own:
        st.caption("No slot was due yet.")
        return
    with st.expander(f"Last {ui.count(len(own), 'tick')}"):
        for tick in own:
            with st.container(horizontal=True, vertical_alignment="center"):
                ui.badge(tick.state)
                words = f"{ui.when(tick.slot, now)} {tick.reason}"
                st.markdown(ui.plain(words), width="content")


def _switch(panel: Panel, actor: Actor, row: Schedule) -> None:
    """Offer to pause or resume, with a reason."""
    word = "Pause" if row.state == "active" else "Resume"
    with st.expander(word):
        reason = ui.reason_form(f"switch-{row.id}", word)
    if reason:
        with ui.reporting():
            turn = schedule.pause if row.state == "active" else schedule.resume
            made = turn(panel.db, actor, row.id, reason)
            ui.done(f"{made.kind} of {made.model} is {made.state}.")
