"""How one drift report is shown: the words or columns behind it, and the facts of its window."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from app import charts, ui
from core.specs import ModelSpec
from core.tables.telemetry import MonitorReport


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
    }
    ui.small_table({"fact": name, "of this window": value} for name, value in rows.items())


def words(figures: Mapping[str, Any]) -> None:
    """Show the words whose share of the texts changed beyond chance."""
    new, gone = figures.get("new_terms") or [], figures.get("vanished_terms") or []
    if not new and not gone:
        st.caption("No single word changed beyond chance.")
    for heading, rows in (("New or more frequent words", new), ("Vanished or rarer words", gone)):
        if rows:
            ui.section(heading)
            ui.chart(charts.terms(rows[:12]), heading, f"{heading}, as a table below")
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


def columns(figures: Mapping[str, Any]) -> None:
    """Show each column: whether and how it changed, and by how much."""
    rows = sorted(figures.get("columns") or [], key=lambda row: row["p_value"])
    ui.table(
        {
            "column": row["name"],
            "changed": "yes" if row["drifted"] else "no",
            "how": row["change"],
            "in figures": row["detail"],
            "distance": ui.figure(row["distance"]),
            "PSI": ui.figure(row["psi"]),
            "p value": ui.p_value(row["p_value"]),
        }
        for row in rows
    )
    if pair := figures.get("pair"):
        st.markdown(f"The relation of **{ui.plain(pair[0])}** and **{ui.plain(pair[1])}** changed.")


def shape(name: str, reference: pd.DataFrame, current: pd.DataFrame) -> None:
    """Show one column as it was in the reference and as it is in the window."""
    figure = charts.shapes(list(reference[name].dropna()), list(current[name].dropna()))
    ui.chart(figure, "shape", f"{name}: the reference against now")


def score(judged: Sequence[MonitorReport], threshold: float | None, spec: ModelSpec) -> None:
    """Show the score over time, and how often it alarms by chance."""
    ui.chart(charts.drift(judged, threshold), "score", "drift score over time")
    alpha, needed = spec.monitoring.alpha, spec.monitoring.windows
    st.caption(
        f"False alarms: while nothing changes, {alpha:.1%} of the windows alarm by chance; "
        f"an incident needs {needed} in a row."
    )


def over_time(judged: Sequence[MonitorReport]) -> None:
    """Show which column drifted in which window."""
    ever = any(c["drifted"] for one in judged[:40] for c in one.figures.get("columns") or [])
    if len(judged) > 1 and ever:
        figure = charts.columns_over_time(judged[:40], dark=ui.is_dark())
        ui.chart(figure, "heat", "drift per column and window")
