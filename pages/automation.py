"""What runs and decides by itself: schedules, jobs, processes; the policy, autonomy, evaluation."""

import streamlit as st

from app import autonomies, evaluations, health, job_rows, notes, policies, schedules, session, ui
from core import heartbeat, jobs
from core.automation import schedule

panel, actor = session.panel(), session.actor()
now = panel.clock()


def what_runs() -> None:
    """Show schedules, jobs and processes."""
    ui.section("Schedules")
    schedules.show(panel, actor, found, ticks)

    ui.section("Jobs")
    if recent:
        ui.table(job_rows.rows(recent, names, now))
    else:
        ui.empty("No job was queued yet.", "Start a training, or wait for a schedule.", "training")

    ui.section("Processes")
    for one in processes:
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge("dead" if one.process in silent else "live")
            st.markdown(f"{ui.plain(one.process)}, heard {ui.plain(ui.when(one.at, now))}")
    if not processes:
        ui.empty("No process was heard of yet.", "make run starts worker, api and panel.")


# load
with panel.db.read() as db:
    found = schedule.all(db)
    ticks = schedule.ticks(db, limit=200)
    recent = jobs.recent(db, limit=50)
    processes = heartbeat.all(db)
    worker_lives = health.worker_lives(db, now)
    names = job_rows.names(db)

# render
silent = [row.process for row in processes if now - row.at > heartbeat.SILENT_AFTER]
waiting = sum(job.state == "queued" for job in recent)
failed = sum(job.state == "failed" for job in recent)
active = sum(row.state == "active" for row in found)
if not worker_lives:
    waits = f"; {ui.count(waiting, 'job')} waiting" if waiting else ""
    finding, tone = f"No worker is heard of: nothing runs by itself{waits}.", ui.color("fail")
else:
    queue = f"{ui.count(waiting, 'job')} waiting, {failed} failed lately"
    finding = f"{active} of {len(found)} schedules run; {queue}."
    tone = ui.color("warn" if failed or silent else "pass")
ui.head("Automation", finding, tone)

runs_by_itself, policy, autonomy, told, evaluation = st.tabs(
    ["What runs", "Policy", "Autonomy", "Notes", "Evaluation"],
    key="part",
    on_change="rerun",  # only the part that is open is read and drawn
    bind="query-params",
)
if policy.open:
    with policy:
        policies.show(panel, actor)
if autonomy.open:
    with autonomy:
        ui.section("What it may do without asking")
        autonomies.show(panel, actor)
if told.open:
    with told:
        ui.section("Notes and freezes")
        notes.show(panel, actor)
if evaluation.open:
    with evaluation:
        ui.section("How well it decides")
        evaluations.show(panel)
if runs_by_itself.open:
    with runs_by_itself:
        what_runs()
