"""What runs by itself: schedules and why a slot did nothing, jobs, and which processes live."""

import streamlit as st

from app import health, session, ui
from core import actions, heartbeat, jobs, runs
from core.access import may
from core.automation import schedule
from core.tables.entities import Schedule
from core.tables.operational import Job

panel, actor = session.panel(), session.actor()
now = panel.clock()


def show(row: Schedule) -> None:
    """Show one schedule with its next slot, its last ticks, and the switch."""
    with st.container(border=True, key=f"schedule-{row.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(row.state)
            every = f"every {row.minutes:g} minutes"
            st.markdown(f"**{ui.plain(row.model)}**: {ui.plain(row.kind)} {every}", width="content")
        coming = schedule.next_slot(row, now)
        st.caption(f"next {ui.when(coming, now)}" if coming else "paused: no slot runs")
        own = [tick for tick in ticks if tick.schedule_id == row.id]
        if own and own[0].reason:
            st.markdown(f"Last: {ui.plain(own[0].state)}, {ui.plain(own[0].reason)}")
        with st.expander(f"Last {len(own)} ticks"):
            for tick in own:
                with st.container(horizontal=True, vertical_alignment="center"):
                    ui.badge(tick.state)
                    words = f"{ui.when(tick.slot, now)} {tick.reason}"
                    st.markdown(ui.plain(words), width="content")
            if not own:
                st.caption("No slot was due yet.")
        if may(actor, "schedule.change"):
            switch(row)


def switch(row: Schedule) -> None:
    """Offer to pause or resume, with a reason."""
    word = "Pause" if row.state == "active" else "Resume"
    with st.expander(word):
        reason = ui.reason_form(f"switch-{row.id}", word)
    if reason:
        with ui.reporting():
            turn = schedule.pause if row.state == "active" else schedule.resume
            made = turn(panel.db, actor, row.id, reason)
            ui.done(f"{made.kind} of {made.model} is {made.state}.")


def about(job: Job) -> str:
    """Say which model or thing a job is about."""
    named = job.payload.get("run_id") or job.payload.get("action_id")
    known = names.get(str(named))
    return str(job.payload.get("model") or known or next(iter(job.payload.values()), ""))[:36]


# load
with panel.db.read() as db:
    schedules = schedule.all(db)
    ticks = schedule.ticks(db, limit=200)
    recent = jobs.recent(db, limit=50)
    processes = heartbeat.all(db)
    worker_lives = health.worker_lives(db, now)
    names = {run.id: run.model for run in runs.history(db, limit=50)}
    names |= {row.id: f"{row.kind} {row.model}" for row in actions.recent(db, limit=50)}

# render
silent = [row.process for row in processes if now - row.at > heartbeat.SILENT_AFTER]
waiting = sum(job.state == "queued" for job in recent)
failed = sum(job.state == "failed" for job in recent)
active = sum(row.state == "active" for row in schedules)
if not worker_lives:
    waits = f"; {ui.count(waiting, 'job')} waiting" if waiting else ""
    finding, tone = f"No worker is heard of: nothing runs by itself{waits}.", ui.color("fail")
else:
    queue = f"{ui.count(waiting, 'job')} waiting, {failed} failed lately"
    finding = f"{active} of {len(schedules)} schedules run; {queue}."
    tone = ui.color("warn" if failed or silent else "pass")
ui.head("Automation", finding, tone)

ui.section("Schedules")
for row in schedules:
    show(row)
if not schedules:
    ui.empty(
        "Nothing is scheduled.", "Run pilothouse init: it schedules the checks of every model."
    )

ui.section("Jobs")
if recent:
    ui.table(
        {
            "job": job.kind.replace("_", " "),
            "about": about(job),
            "state": job.state,
            "progress": f"{min(job.done, job.total)} of {job.total}" if job.total else "",
            "attempts": job.attempts,
            "created": ui.when(job.created_at, now),
            "error": job.error or "",
        }
        for job in recent
    )
else:
    ui.empty("No job was queued yet.", "Start a training, or wait for a schedule.", "training")

ui.section("Processes")
for one in processes:
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge("dead" if one.process in silent else "live")
        st.markdown(f"{ui.plain(one.process)}, heard {ui.plain(ui.when(one.at, now))}")
if not processes:
    ui.empty("No process was heard of yet.", "make run starts worker, api and panel.")
