"""Has the data changed? The finding first, then since when, in what, and how sure."""

import streamlit as st

from app import drifts, session, ui
from core import jobs, specs
from core.access import may
from core.datasets import versions
from core.errors import NotFoundError
from core.monitoring import reports, windows
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion, ModelVersion
from core.tables.telemetry import MonitorReport

panel, actor = session.panel(), session.actor()
now = panel.clock()


def check_now() -> None:
    """Offer a check outside the schedule."""
    if may(actor, "report.request") and st.button("Check now", key="check-now"):
        with ui.reporting():
            key = f"monitor-now:{model}:{now:%Y%m%d%H%M}"
            jobs.request(panel.db, actor, "monitor", {"model": model}, key=key)
            ui.done("A check is queued; its result shows here in a few seconds.")


def full_report(report: MonitorReport) -> None:
    """Offer Evidently's report on this window, rendered by a worker."""
    key = f"evidently:{report.id}"
    with panel.db.read() as db:
        job = jobs.newest(db, f"{key}:")
    path = panel.settings.folder("reports") / f"drift-{report.id}.html"
    if job and job.state == "succeeded" and path.is_file():
        st.download_button(
            "Download as HTML", path.read_bytes(), file_name=path.name, mime="text/html"
        )
        st.caption("Evidently's verdicts are its own and keep no false-alarm budget.")
        return
    if job and job.state in ("queued", "running"):
        st.info("A worker renders it; it takes about half a minute.")
        st.fragment(wait_for, run_every=2)(job.id)
        return
    if job and job.state == "failed":
        st.error(ui.plain(f"It could not be rendered: {job.error}"))
    if not may(actor, "report.request"):
        st.caption("Asking for it needs the role operator or higher.")
    elif st.button("Render Evidently's full report", key="evidently"):
        with ui.reporting():
            jobs.request(panel.db, actor, "evidently_report", {"report_id": report.id}, key=key)
            ui.done("The report is being rendered.")


def wait_for(job_id: str) -> None:
    """Look every two seconds whether the report is ready."""
    with panel.db.read() as db:
        job = jobs.get(db, job_id)
    if job.state not in ("queued", "running"):
        ui.done("The report is ready." if job.state == "succeeded" else "The report failed.")


def column_shapes(spec: ModelSpec, report: MonitorReport) -> None:
    """Let a person look at one column before and now."""
    ranked = sorted(report.figures["columns"], key=lambda row: row["p_value"])
    name = st.selectbox("Column", [row["name"] for row in ranked], key="column")
    with ui.reporting():
        with panel.db.read() as db:
            version = db.get(ModelVersion, (report.model, report.version))
            key = version.reference_dataset_id if version else ""
            dataset = db.get(DatasetVersion, key)
            current = windows.frame(spec, windows.of_report(db, report))
        if dataset is None or current.empty:
            raise NotFoundError("the predictions or the reference of this window are not stored")
        drifts.shape(name, versions.frame(panel.settings, dataset), current)


# load
top = st.container()
model = ui.pick_model(panel)
with panel.db.read() as db:
    spec = specs.active(db, model)
    history = reports.reports(db, model, "drift", limit=120)
    wanted = st.query_params.get("report")
    asked = reports.get(db, wanted) if wanted else None
judged = [row for row in history if row.state in reports.JUDGED]
newest = next(iter(history), None)
chosen = asked or next(iter(judged), newest)

# render
if chosen is None:
    ui.head("Drift", f"{spec.title} was not checked yet.", at=top)
    need = spec.monitoring.min_samples
    ui.empty(
        "No window was compared yet.",
        f"A check needs a release and {need} predictions.",
        "automation",
    )
    check_now()
else:
    ui.head("Drift", chosen.sentence, ui.color(chosen.state), at=top)
    if wanted:
        st.caption("You look at an earlier window.")
        ui.link("drift", "The newest window", model=model)
    elif newest and newest.id != chosen.id:
        st.caption(ui.plain(f"Since then: {newest.sentence}"))
    check_now()
    if judged:
        drifts.score(judged, chosen.figures.get("threshold"), spec)
    if "new_terms" in chosen.figures:
        drifts.words(chosen.figures)
    if chosen.figures.get("columns"):
        ui.section("Columns")
        drifts.over_time(judged)
        drifts.columns(chosen.figures)
        column_shapes(spec, chosen)
    with st.expander("What was compared, and how"):
        drifts.facts(chosen, now)
    if chosen.state in reports.JUDGED:
        ui.section("Full report")
        full_report(chosen)
