"""How one drift report is shown: what to do, the alarm's budget, the words, the facts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from app import drift_charts, ui
from core.monitoring import patience, reports
from core.monitoring.labels import short
from core.specs import ModelSpec
from core.tables.entities import Incident
from core.tables.telemetry import MonitorReport

CHECKS_A_MONTH = 2_880  # one every 15 minutes
SHIFT = 0.2
FAMILIES = {
    "location": "values (location)",
    "category": "categories",
    "missing": "missing values",
    "covariance": "relations (covariance)",
    "text": "texts",
}


def next_step(report: MonitorReport, incident: Incident | None) -> None:
    """Say what a person should do about this finding."""
    if incident is not None:
        words = f"What to do: an incident is {incident.state}. Read it and take it."
        st.markdown(ui.plain(words))
        ui.link("incidents", f"Incident: {incident.title}", id=incident.id)
        return
    said = {
        "pass": "Nothing to do.",
        "warn": "Nothing to do yet: no incident is open. See below what changed.",
        "fail": "No incident is open yet: one opens by itself if it lasts. See below what changed.",
        "inconclusive": "Nothing to do: the next check compares more predictions.",
    }
    st.markdown(said.get(report.state, "The check could not be made: mend what the sentence names"))


def budget(report: MonitorReport, spec: ModelSpec) -> None:
    """Show how much evidence the watch has gathered, against how many false alarms it may raise."""
    watch = report.figures.get("watch") or {}
    shares = {FAMILIES.get(k, k): float(v) for k, v in (watch.get("families") or {}).items()}
    allowed = f"At most **{spec.monitoring.false_alarms_a_month:g} false alarms a month** are"
    st.markdown(f"{allowed} allowed, over all checks of this model together.")
    if not shares:
        st.caption("This window was judged by itself; evidence over several checks is not kept.")
        return
    used = max(float(watch.get("used") or 0), max(shares.values(), default=0.0))
    st.markdown(_used(watch, min(1.0, used)))
    ui.chart(drift_charts.evidence(shares), "evidence", "evidence per kind of change")
    if watch.get("sentence") and str(watch["sentence"]) not in report.sentence:
        st.caption(ui.plain(watch["sentence"]))
    if words := watch.get("delay") or _delay(report, watch):
        st.caption(ui.plain(words))


def _used(watch: Mapping[str, Any], used: float) -> str:
    leading = f", most in {ui.plain(watch['leading'])}" if watch.get("leading") else ""
    if watch.get("alarm"):
        return f"**The alarm stands**{leading}."
    checks = int(watch.get("checks") or 0)
    since = f", gathered over {ui.count(checks, 'check')}" if checks else ""
    return f"Evidence used now: **{used:.0%}** of what raises the alarm{leading}{since}."


def _delay(report: MonitorReport, watch: Mapping[str, Any]) -> str:
    """Say how long a small change would stay unnoticed; for tables, where a shift has a size."""
    columns = len(report.figures.get("columns") or [])
    if not columns or not report.n_reference or not report.n_current:
        return ""
    needed = patience.checks_needed(
        SHIFT,
        columns=columns,
        n_reference=report.n_reference,
        n_current=report.n_current,
        false_alarms_a_check=float(watch.get("false_alarms_a_check") or 0.1 / CHECKS_A_MONTH),
    )
    sizes = f"with {report.n_reference:,} reference rows and {report.n_current:,} in a window"
    what = f"A lasting shift of {SHIFT:g} standard deviations in one column"
    if needed is None:
        return f"{what} is never announced {sizes}: more reference rows would help."
    return f"{what} is announced after about {ui.count(needed, 'check')} {sizes}."


def beside(report: MonitorReport, inputs: MonitorReport | None) -> None:
    """Show what else is known of the same inputs: their quality, the season, what is missing."""
    figures = report.figures
    if broken := figures.get("broken_inputs"):
        words = "The inputs themselves are broken, which may be all that changed: "
        st.warning(ui.plain(words + str(broken.get("sentence", ""))))
    if season := figures.get("season"):
        st.caption(ui.plain(str(season)))
    if absent := figures.get("not_compared"):
        words = ", ".join(short(str(name)) for name in absent)
        st.caption(ui.plain(f"Not compared, because the reference lacks them: {words}."))
    ui.section("Inputs as expected?")
    if inputs is None:
        ui.empty(
            "No expectation was checked on live inputs yet.",
            "The next check does so if the model has a suite, from the first data that was loaded.",
        )
        return
    st.markdown(f"{ui.dot(ui.color(inputs.state))} {ui.plain(inputs.sentence)}")
    if failed := inputs.figures.get("failed"):
        ui.small_table(
            {
                "what": str(one["kind"]).replace("_", " "),
                "column": one.get("column") or "all",
                "finding": one["sentence"],
                "severity": {"hard": "error", "soft": "warning"}.get(one["severity"], ""),
                "rows": one.get("n_failed"),
            }
            for one in failed
        )


def words(figures: Mapping[str, Any]) -> None:
    """Show the campaigns, and the words whose share of the texts changed beyond chance."""
    campaigns(figures.get("campaigns") or [])
    new, gone = figures.get("new_terms") or [], figures.get("vanished_terms") or []
    if not new and not gone:
        st.caption("No single word changed beyond chance.")
    for heading, rows in (("New or more frequent words", new), ("Vanished or rarer words", gone)):
        if rows:
            ui.section(heading)
            ui.chart(drift_charts.terms(rows[:12]), heading, f"{heading}, as a table below")
            ui.table(
                {
                    "word": row["term"],
                    "reference": f"{row['share_reference']:.2%}",
                    "now": f"{row['share_current']:.2%}",
                    "p value": ui.p_value(row["p_value"]),
                    "example": row["example"],
                }
                for row in rows
            )


def campaigns(found: Sequence[Mapping[str, Any]]) -> None:
    """Show groups of nearly the same message that the reference does not know."""
    if not found:
        return
    ui.section("Campaigns")
    st.caption("Nearly the same message again and again, which the reference does not know.")
    ui.small_table(
        {
            "example": one["example"],
            "messages": one["size"],
            "share": f"{one['share']:.1%}",
            "words": ", ".join(str(term) for term in one.get("terms") or []),
        }
        for one in found
    )


def score(judged: Sequence[MonitorReport], threshold: float | None) -> None:
    """Show how large the drift was over time."""
    ui.chart(drift_charts.score(judged, threshold), "score", "drift score over time")
    said = "0 is no change beyond chance, 1 is nothing in common with the reference."
    if any(report.origin == "backfill" for report in judged):
        said += " Hollow rings were judged afterwards, from history, and raise no alarm."
    st.caption(said)


def facts(report: MonitorReport, now: datetime) -> None:
    """Show what was compared with what, how, and what is assumed."""
    rows = {
        "window": f"{ui.utc(report.window_start)} to {ui.utc(report.window_end)}",
        "predictions in the window": ui.figure(report.n_current),
        "rows of the reference": ui.figure(report.n_reference),
        "version": report.version,
        "score": ui.figure(report.score),
        "p value": ui.p_value(report.p_value),
        "method": report.method or "not compared",
        "assumed": report.assumptions or "nothing",
        "checked": ui.when(report.at, now),
        "judged": "from history" if report.origin == "backfill" else "as it came",
    }
    ui.small_table({"fact": name, "of this window": value} for name, value in rows.items())


def others(history: Sequence[MonitorReport], chosen: MonitorReport, *, model: str) -> None:
    """Offer every judged window by its address, newest first."""
    judged = [row for row in history if row.state in reports.JUDGED and row.id != chosen.id]
    if not judged:
        st.caption("No other window was judged yet.")
    for row in judged[:12]:
        origin = ", from history" if row.origin == "backfill" else ""
        label = f"{ui.utc(row.window_end)}: {row.state}{origin}, n = {row.n_current:,}"
        ui.link("drift", label, model=model, report=row.id)
