"""Train: start a run, follow it while it runs, and what came of the earlier ones."""

import streamlit as st

from app import health, nav, session, trainings, ui
from core import jobs, registry, runs, specs
from core.access import may
from core.datasets import versions
from core.tables.entities import Run

panel, actor = session.panel(), session.actor(nav.BY_STEM["training"].action)
now = panel.clock()


def follow(run: Run) -> None:
    """Show progress and log of a run; the page runs again by itself when it has ended."""
    with panel.db.read() as db:
        fresh, job = runs.get(db, run.id), jobs.get(db, run.job_id)
        alone = not health.worker_lives(db, panel.clock())
        lines = jobs.lines(db, run.job_id)
    share = min(1.0, job.done / job.total) if job.total else 0.0
    words = job.note or ("waits for a worker" if fresh.state == "queued" else "starting")
    elapsed = (panel.clock() - job.created_at).total_seconds()
    st.progress(share, text=f"{share:.0%} after {elapsed:.0f} s: {ui.plain(words)}")
    if alone:
        st.warning("No worker is heard of; the training waits until one runs. See Automation.")
    trainings.live(job.board, f"live-{run.id}")
    if lines:
        log = "\n".join(f"{line.at:%H:%M:%S}  {line.text}" for line in lines[-200:])
        with st.container(height=220, autoscroll=True):
            st.code(log, language=None)
    if fresh.state not in runs.OPEN:
        ui.done(f"The training has {fresh.state}.")


def start() -> None:
    """Let a person choose data and candidates, and queue the run."""
    kinds = [candidate.kind for candidate in spec.candidates]
    by_id = {row.id: row for row in datasets}
    with st.form("start"):
        chosen = st.multiselect("Candidates", kinds, default=kinds, format_func=trainings.spelled)
        dataset = st.selectbox(
            "Data",
            [None, *by_id],
            format_func=lambda key: (
                "the best there is, as page Data ranks them"
                if key is None
                else trainings.data_words(by_id[key])
            ),
        )
        given = trainings.options(spec)
        reason = st.text_input("Why?", max_chars=500, placeholder="kept with the run")
        submitted = st.form_submit_button("Start training", type="primary")
    if submitted:
        with ui.reporting():
            run = runs.request(
                panel.db,
                actor,
                model,
                candidates=None if chosen == kinds else list(chosen),
                trigger="panel",
                reason=reason,
                dataset_id=dataset,
                options=given,
            )
            ui.done(f"Training {run.id[:8]} is queued; you may leave this page.")


def past(run: Run) -> None:
    """Show one ended run with its leaderboard and its search."""
    took = (run.finished_at - run.started_at) if run.finished_at and run.started_at else None
    made = f"version {run.version}" if run.version else (run.error or "no version")
    with st.container(border=True, key=f"run-{run.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(run.state)
            st.markdown(f"**{ui.plain(made)}**", width="content")
            if run.version:
                ui.link("models", "Look at it", model=run.model, version=run.version)
        seconds = f", took {took.total_seconds():.0f} s" if took else ""
        said = f"{run.kind} by {run.author} ({run.trigger}), {ui.when(run.at, now)}{seconds}"
        st.caption(ui.plain(f"{said}. {run.reason}"))
        trainings.ended(run, cuts.get(run.version or ""))


# load
top = st.container()
model = ui.pick_model(panel)
with panel.db.read() as db:
    spec = specs.active(db, model)
    history = runs.history(db, model, limit=30)
    known = versions.history(db, model)
    cuts = {row.version: row.threshold for row in registry.versions(db, model)}
datasets = [row for row in known if row.role == "train" and row.state in trainings.DATA][:20]
busy = next((run for run in history if run.state in runs.OPEN), None)
ended = [run for run in history if run.state not in runs.OPEN]

# render
if busy:
    finding, tone = f"A training is {busy.state}, asked for by {busy.author}.", ui.color("running")
elif ended and (last := ended[0]):
    words = f"version {last.version}" if last.version else last.error or "no version"
    finding = ui.sentence(f"The last training {ui.ago(last.at, now)} has {last.state}: {words}")
    tone = ui.color(last.state)
else:
    finding, tone = f"{spec.title} was never trained.", ui.color("")
ui.head("Training", finding, tone, at=top)

if busy:
    st.fragment(follow, run_every=0.5)(busy)  # a tick that comes late is made up for within 2 s
    if may(actor, "run.cancel") and st.button("Cancel this training", key="cancel"):
        with ui.reporting():
            runs.cancel(panel.db, actor, busy.id, reason=f"cancelled by {actor.name}")
            ui.done("The training is being cancelled.")
else:
    start()
ui.section("History")
for run in ended:
    past(run)
if not ended:
    ui.empty("No training has ended yet.", "Start one above, or upload your own data.", "data")
