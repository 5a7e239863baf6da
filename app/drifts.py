"""How one drift report is shown: what to do, the alarm's budget, the words, the facts."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from app import drift_charts, ui
from core.incidents.board import Standing
from core.monitoring import reports
from core.monitoring.labels import short
from core.panel import Panel
from core.specs import ModelSpec
from core.tables.entities import Incident
from core.tables.telemetry import MonitorReport

SPANS = {
    "24 hours": timedelta(days=1),
    "3 days": timedelta(days=3),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
    "90 days": timedelta(days=90),
}
MOST = 48  # windows of a version that are drawn of one span
_DO = {
    "pass": "Nothing to do.",
    "warn": "Nothing to do yet: no incident is open. See below what changed.",
    "fail": "No incident is open yet: one opens by itself if it lasts. See below what changed.",
    "inconclusive": "Nothing to do: the next check compares more predictions.",
}
FAMILIES = {
    "location": "values (location)",
    "category": "categories",
    "missing": "missing values",
    "covariance": "relations (covariance)",
    "text": "texts",
}


def beside(session: Session, report: MonitorReport | None, kind: str) -> MonitorReport | None:
    """Return the report of a kind on the same time as `report`: itself, or one that meets it."""
    if report is None or report.kind == kind:
        return report
    of = (report.model, report.version, kind)
    start, end = report.window_start, report.window_end
    return reports.overlapping(session, of, start=start, end=end, origin=report.origin)


def next_step(
    report: MonitorReport,
    current: MonitorReport | None,
    standing: Standing,
    incident: Incident | None,
) -> None:
    """Say what a person should do about this finding; `current` is the one that counts now."""
    if report.origin == reports.BACKFILL:
        st.markdown("Nothing to do: this window was judged afterwards, and raises no alarm.")
    elif current is None or report.id != current.id:
        st.markdown("This window is over: what to do follows from the newest one.")
    elif incident is not None:
        st.markdown(ui.plain(f"What to do: an incident is {incident.state}. Read it and take it."))
        ui.link("incidents", f"Incident: {incident.title}", id=incident.id)
    elif standing.state == "suppressed":
        st.markdown("Nothing to do now: a silence holds the alert back, and nobody is told.")
        ui.link("incidents", "Incidents: silences")
    elif report.state in ("warn", "fail") and not standing.watch.enabled:
        st.markdown("No incident opens by itself: this rule is switched off in the model's spec.")
    else:
        st.markdown(_DO.get(report.state, "The check could not be made: mend what is named above."))


def where(
    report: MonitorReport,
    current: MonitorReport | None,
    newest: MonitorReport | None,
    asked: MonitorReport | None,
) -> None:
    """Say where in time the window stands that is shown, and what is newer."""
    if current is None:
        st.caption(ui.plain(f"Below is the last window before that, of version {report.version}."))
    elif report.id != current.id:
        afterwards = report.origin == reports.BACKFILL
        origin = ", judged afterwards from history" if afterwards else ""
        st.caption(f"You look at an earlier window{origin}.")
    elif newest and newest.id != current.id:
        st.caption(ui.plain(f"Since then: {newest.sentence}"))
    if asked and asked is not current:
        ui.link("drift", "The newest window", model=report.model)


def history(panel: Panel, chosen: MonitorReport) -> list[MonitorReport]:
    """Let a person choose a span, and return its gravest windows, newest first, and the chosen."""
    now = panel.clock()
    spans = list(SPANS)
    fits = (number for number, days in enumerate(SPANS.values()) if chosen.at >= now - days)
    index = next(fits, len(spans) - 1)
    span = st.selectbox("Span", spans, index=index, key="span", bind="query-params", width=160)
    since = now - SPANS[span]
    with panel.db.read() as db:
        found = reports.gravest(db, chosen.model, "drift", since=since, until=now, most=MOST)
    if chosen.state in reports.JUDGED and chosen.id not in {one.id for one in found}:
        found = sorted([*found, chosen], key=lambda one: one.window_end, reverse=True)
    return found


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
    if watch.get("delay"):
        st.caption(ui.plain(watch["delay"]))


def _used(watch: Mapping[str, Any], used: float) -> str:
    leading = f", most in {ui.plain(watch['leading'])}" if watch.get("leading") else ""
    if watch.get("alarm"):
        return f"**The alarm stands**{leading}."
    checks = int(watch.get("checks") or 0)
    since = f", gathered over {ui.count(checks, 'check')}" if checks else ""
    return f"Evidence used now: **{used:.0%}** of what raises the alarm{leading}{since}."


def limits(report: MonitorReport) -> None:
    """Say what else bears on this finding: broken inputs, the season, what was not compared."""
    figures = report.figures
    if broken := figures.get("broken_inputs"):
        words = "The inputs themselves are broken, which may be all that changed: "
        st.warning(ui.plain(words + str(broken.get("sentence", ""))))
    if season := figures.get("season"):
        st.caption(ui.plain(str(season)))
    if absent := figures.get("not_compared"):
        words = ", ".join(short(str(name)) for name in absent)
        st.caption(ui.plain(f"Not compared, because the reference lacks them: {words}."))


def inputs(report: MonitorReport | None) -> None:
    """Show what the expectations say of the same inputs."""
    ui.section("Inputs as expected?")
    if report is None:
        ui.empty(
            "No expectation was checked on the inputs of this window.",
            "The next check does so if the model has a suite, from the first data that was loaded.",
        )
        return
    st.markdown(f"{ui.dot(ui.color(report.state))} {ui.plain(report.sentence)}")
    if failed := report.figures.get("failed"):
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


def score(history: Sequence[MonitorReport], chosen: MonitorReport) -> None:
    """Show how large the drift was over time."""
    if not history:
        st.caption("No window was judged in this span: choose a longer one.")
        return
    figure = drift_charts.score(history, chosen.figures.get("threshold"))
    ui.chart(figure, "score", "drift score over time")
    said = "0 is no change beyond chance, 1 is nothing in common with the reference."
    if any(report.origin == reports.BACKFILL for report in history):
        said += " Hollow rings were judged afterwards, from history, and raise no alarm."
    st.caption(f"{said} Where windows are many, the gravest of each {MOST}th of the span is shown.")


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
        "judged": "from history" if report.origin == reports.BACKFILL else "as it came",
    }
    ui.small_table({"fact": name, "of this window": value} for name, value in rows.items())


def others(history: Sequence[MonitorReport], chosen: MonitorReport) -> None:
    """Offer every window of the span by its address, newest first."""
    rest = [row for row in history if row.id != chosen.id]
    if not rest:
        st.caption("No other window was judged in this span.")
    for row in rest:
        origin = ", from history" if row.origin == reports.BACKFILL else ""
        label = f"{ui.utc(row.window_end)}: {row.state}{origin}, n = {row.n_current:,}"
        ui.link("drift", label, model=row.model, report=row.id)
