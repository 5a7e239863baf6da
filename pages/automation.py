"""What runs and decides by itself: schedules, jobs, processes; the policy, autonomy, evaluation."""

import streamlit as st

from app import autonomies, evaluations, health, notes, policies, schedules, session, ui
from core import actions, heartbeat, jobs, runs
from core.automation import schedule
from core.tables.operational import Job

panel, actor = session.panel(), session.actor()
now = panel.clock()


def about(job: Job) -> str:
    """Say which model or thing a job is about."""
    named = job.payload.get("run_id") or job.payload.get("action_id")
    known = names.get(str(named))
    return str(job.payload.get("model") or known or next(iter(job.payload.values()), ""))[:36]


def what_runs() -> None:
    """Show schedules, jobs and processes."""
    ui.section("Schedules")
    schedules.show(panel, actor, found, ticks)

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


# load
with panel.db.read() as db:
    found = schedule.all(db)
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
