"""The columns of a table over time, and one of them closely: before, now, and by how much."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import charts, drift_charts, shapes, ui
from core.datasets import versions
from core.monitoring import columns as frames
from core.monitoring import windows
from core.panel import Panel
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion, ModelVersion
from core.tables.telemetry import MonitorReport

Sides = tuple[pd.DataFrame, pd.DataFrame]  # the reference, and the window

_SIZES = (
    ("distance", "Size of the change (0 to 1)"),
    ("psi", "PSI"),
    ("jensen_shannon", "Jensen-Shannon"),
    ("wasserstein", "Wasserstein (normed)"),
)


def over_time(judged: Sequence[MonitorReport], chosen: str) -> None:
    """Show which column changed in which window; a click opens the column in that window."""
    if len([one for one in judged if one.figures.get("columns")]) < 2:
        return
    figure = drift_charts.heat(judged, dark=ui.is_dark(), chosen=chosen)
    alt = "change per column and window; the list below opens each column too"
    st.plotly_chart(
        figure, config=charts.CONFIG, key="heat", alt=alt, on_select=_open, selection_mode="points"
    )
    st.caption("Blank: no change beyond chance. Click a cell to open that column in that window.")


def _open() -> None:
    """Put the cell that was clicked into the address."""
    chosen = st.session_state["heat"]["selection"]["points"]
    if chosen and (cell := chosen[-1].get("customdata")):
        st.session_state["column"] = cell[0]
        st.query_params["report"] = cell[1]


def pick(figures: Mapping[str, Any]) -> str | None:
    """Let a person choose a column; the choice lives in the address as `?column=`."""
    names = [row["name"] for row in ranked(figures)]
    for place in (st.session_state, st.query_params):  # of another model, or an old link
        if names and place.get("column") not in (None, *names):
            del place["column"]
    return st.selectbox("Column", names, key="column", bind="query-params") if names else None


def ranked(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the columns of a report, those first that most surely changed."""
    found = figures.get("columns") or []
    return sorted(found, key=lambda row: (row["p_value"], -row["distance"]))


def relation(figures: Mapping[str, Any], found: Sides | None) -> None:
    """Say which relation between two columns changed, if one did, and from what to what."""
    pair = figures.get("pair")
    if not pair:
        return
    first, second = pair
    words = "changed, whatever each of them did alone"
    if found and all(name in side for name in pair for side in found):
        before, now = (_correlation(side[first], side[second]) for side in found)
        words += f": their rank correlation was {before:.2f} and is {now:.2f}"
    st.markdown(f"The relation of **{ui.plain(first)}** and **{ui.plain(second)}** {words}.")


def _correlation(first: "pd.Series[Any]", second: "pd.Series[Any]") -> float:
    numbers = [pd.to_numeric(one, errors="coerce") for one in (first, second)]
    return float(numbers[0].rank().corr(numbers[1].rank()))


def table(figures: Mapping[str, Any]) -> None:
    """Show each column: whether and how it changed, and by how much."""
    ui.table(
        {
            "column": row["name"],
            "changed": "yes" if row["drifted"] else "no",
            "how": row["change"],
            "in figures": row["detail"],
            "distance": ui.figure(row["distance"]),
            "PSI": ui.figure(row.get("psi")),
            "p value": ui.p_value(row["p_value"]),
        }
        for row in ranked(figures)
    )


def one(
    report: MonitorReport, judged: Sequence[MonitorReport], name: str, found: Sides | None
) -> None:
    """Show one column closely: in words, in effect sizes, its shapes and its own history."""
    row = next(row for row in report.figures["columns"] if row["name"] == name)
    how = f"{row['change']}: {row['detail']}" if row["drifted"] else "no change beyond chance"
    st.markdown(f"{ui.dot('red' if row['drifted'] else 'green')} **{ui.plain(name)}**: "
                f"{ui.plain(how)} (p value {ui.plain(ui.p_value(row['p_value']))})")  # fmt: skip
    told = [(words, row.get(key)) for key, words in _SIZES]
    for place, (words, value) in zip(st.columns(len(told)), told, strict=True):
        place.metric(words, ui.figure(value, 3))
    if found and all(name in side for side in found):
        cut = shapes.shape(found[0][name], found[1][name])
        ui.chart(drift_charts.shapes(cut), "shape", f"{name}: the reference against now")
        gone = f"{cut.missing_reference:.1%} of the reference, {cut.missing_current:.1%} now"
        st.caption(f"Missing: {gone}.")
    elif found:
        st.caption("The stored inputs of this window do not hold this column.")
    if len(judged) > 1:
        ui.chart(drift_charts.history(judged, name), "history", f"change of {name} over time")


def sides(panel: Panel, spec: ModelSpec, report: MonitorReport) -> Sides | None:
    """Return the reference and the window, texts as their number of words.

    Where one of them is not stored any more, say so and return None.
    """
    with panel.db.read() as db:
        version = db.get(ModelVersion, (report.model, report.version))
        dataset = db.get(DatasetVersion, version.reference_dataset_id if version else "")
        current = windows.frame(spec, windows.of_report(db, report))
    if dataset is None or current.empty:
        st.warning("The predictions or the reference of this window are not stored.")
        return None
    texts = [feature.name for feature in spec.input.features if feature.type == "text"]
    with ui.reporting():
        reference = versions.frame(panel.settings, dataset)
        return frames.with_lengths(reference, texts), frames.with_lengths(current, texts)
    return None
