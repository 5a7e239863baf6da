"""The past judged again, window by window: asked for here, done by a worker."""

from datetime import timedelta

import streamlit as st

from app import ui
from core import jobs
from core.access import Actor, may
from core.monitoring import backfill
from core.panel import Panel

MOST_DAYS = 90
_UNDER_WAY = ("queued", "running")


def offer(panel: Panel, actor: Actor, model: str) -> None:
    """Offer to judge the last days again, and say how far the newest such run is."""
    with panel.db.read() as db:
        job = jobs.newest(db, f"{backfill.JOB}:{model}:")
    busy = job is not None and job.state in _UNDER_WAY
    with st.expander("Judge the past again", expanded=busy):
        st.caption(
            "Each window of the past is compared with the reference of the version that served "
            "then. It is history: it raises no alarm, and what was judged live stays."
        )
        if job and busy:
            st.fragment(_follow, run_every=2)(panel, job.id)
        elif not may(actor, "report.request"):
            st.caption("Asking for it needs the role operator or higher.")
        else:
            _form(panel, actor, model)
        if job and job.state == "failed":
            st.error(ui.plain(f"The last run could not be ended: {job.error}"))


def _form(panel: Panel, actor: Actor, model: str) -> None:
    with st.form("backfill", border=False):
        days = st.number_input("The last how many days?", 1, MOST_DAYS, 7, width=200)
        asked = st.form_submit_button("Judge them again")
    if asked:
        with ui.reporting():
            since = panel.clock() - timedelta(days=int(days))
            backfill.ask(panel.db, actor, model, since=since)
            ui.done("The run is queued; a worker judges the past window by window.")


def _follow(panel: Panel, job_id: str) -> None:
    """Show how far a run is; the page runs again once it has ended."""
    with panel.db.read() as db:
        job = jobs.get(db, job_id)
    if job.state not in _UNDER_WAY:
        told = job.result or {}
        ui.done(f"{told.get('windows', 0):,} windows judged, {told.get('drifted', 0):,} drifted.")
    share = min(1.0, job.done / job.total) if job.total else 0.0
    st.progress(share, text=ui.plain(job.note or "waits for a worker"))
