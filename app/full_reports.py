"""Evidently's report on a window: asked for, rendered by a worker, kept and downloaded."""

from datetime import UTC, datetime
from pathlib import Path

import streamlit as st
from sqlalchemy import select

from app import ui
from core import jobs
from core.access import Actor, may
from core.panel import Panel
from core.tables.operational import Job
from core.tables.telemetry import MonitorReport

SHOWN = 10
LOOKED_AT = 1_000  # newest files, of all models


def show(panel: Panel, actor: Actor, report: MonitorReport) -> None:
    """Offer the report on this window, and list those made before of this model."""
    key = f"evidently:{report.id}"
    with panel.db.read() as db:
        job = jobs.newest(db, f"{key}:")
    path = _path(panel, report)
    if path.is_file() and not (job and job.state in ("queued", "running")):
        _download(path, "Download as HTML")
        st.caption("Evidently's verdicts are its own and keep no false-alarm budget.")
    else:
        _ask(panel, actor, report, job, key)
    _kept(panel, report)


def _path(panel: Panel, report: MonitorReport) -> Path:
    return panel.settings.folder("reports") / f"drift-{report.id}.html"


def _download(path: Path, label: str) -> None:
    st.download_button(
        label,
        path.read_bytes,  # once it is clicked: some megabytes each
        file_name=path.name,
        mime="text/html",
        key=path.name,
        on_click="ignore",
    )


def _ask(panel: Panel, actor: Actor, report: MonitorReport, job: Job | None, key: str) -> None:
    if job and job.state in ("queued", "running"):
        st.info("A worker renders it; it takes about half a minute.")
        st.fragment(_wait_for, run_every=2)(panel, job.id)
        return
    if job and job.state == "failed":
        st.error(ui.plain(f"It could not be rendered: {job.error}"))
    if not may(actor, "report.request"):
        st.caption("Asking for it needs the role operator or higher.")
    elif st.button("Render Evidently's full report", key="evidently"):
        with ui.reporting():
            jobs.request(panel.db, actor, "evidently_report", {"report_id": report.id}, key=key)
            ui.done("The report is being rendered.")


def _wait_for(panel: Panel, job_id: str) -> None:
    """Look every two seconds whether the report is ready."""
    with panel.db.read() as db:
        job = jobs.get(db, job_id)
    if job.state not in ("queued", "running"):
        ui.done("The report is ready." if job.state == "succeeded" else "The report failed.")


def _kept(panel: Panel, shown: MonitorReport) -> None:
    """List the reports on other windows that are still on disk, newest window first."""
    folder = panel.settings.folder("reports")
    ids = [path.stem.removeprefix("drift-") for path in folder.glob("drift-*.html")]
    query = select(MonitorReport).where(MonitorReport.id.in_(sorted(ids)[-LOOKED_AT:]))
    query = query.where(MonitorReport.model == shown.model, MonitorReport.id != shown.id)
    with panel.db.read() as db:
        rows = db.scalars(query.order_by(MonitorReport.window_end.desc()).limit(SHOWN)).all()
    found = [(row, _path(panel, row)) for row in rows]
    if not found:
        st.caption("None is kept of another window.")
        return
    with st.expander(f"Made before ({len(found)})"):
        for report, path in found:
            stat = path.stat()
            made = ui.utc(datetime.fromtimestamp(stat.st_mtime, UTC))
            size = f"{stat.st_size / 1e6:.1f} MB"
            words = f"Window until {ui.utc(report.window_end)}; made {made}; {size}"
            st.markdown(ui.plain(words))
            _download(path, f"Download the report until {report.window_end:%Y-%m-%d %H:%M}")
