"""What changed, drawn: reports and shapes in, plotly figure out; pure."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import plotly.graph_objects as go

from app.charts import AMBER, BLUE, GRAY, RED, SERIES, STATES, base, level
from app.shapes import Shape
from core.tables.telemetry import MonitorReport

MOST_ROWS = 30
MOST_TICKS = 4  # beside each other on a phone


def score(reports: Sequence[MonitorReport], threshold: float | None) -> go.Figure:
    """The drift score of each judged window (newest first), coloured by what it meant.

    A window that was judged afterwards, from history, is a hollow ring.
    """
    figure = base(y="drift score", height=260)
    own = [report for report in reversed(reports) if report.score is not None]
    figure.add_scatter(
        x=[report.window_end for report in own],
        y=[report.score for report in own],
        customdata=[[r.state, r.n_current, r.p_value, r.version, _origin(r)] for r in own],
        hovertemplate="%{y:.3f} (%{customdata[0]}), n = %{customdata[1]}, "
        "p = %{customdata[2]:.4f}, version %{customdata[3]}%{customdata[4]}",
        mode="lines+markers",
        name="score",
        line={"color": GRAY},
        marker={
            "size": 10,
            "color": [STATES.get(report.state, GRAY) for report in own],
            "symbol": ["circle-open" if _origin(report) else "circle" for report in own],
        },
    )
    figure.update_yaxes(rangemode="tozero")  # else small differences look like large ones
    level(figure, threshold, f"urgent from {threshold or 0:g}", RED, "top right")
    if len({report.window_end for report in own}) == 1:  # else the axis counts milliseconds
        at = own[0].window_end
        figure.update_xaxes(range=[at - timedelta(hours=1), at + timedelta(hours=1)])
    return figure.update_layout(showlegend=False)


def _origin(report: MonitorReport) -> str:
    return ", judged afterwards" if report.origin == "backfill" else ""


def evidence(shares: Mapping[str, float]) -> go.Figure:
    """How far the evidence of each kind of change is on its way to the alarm."""
    figure = base(y="", height=90 + 30 * len(shares), x_type="linear")
    ranked = sorted(shares.items(), key=lambda one: -one[1])
    values = [share for _, share in ranked]
    figure.add_bar(
        y=[name for name, _ in ranked],
        x=values,
        orientation="h",
        marker_color=[RED if share >= 1 else AMBER if share >= 0.5 else BLUE for share in values],
        text=[f"{share:.0%}" for share in values],
        textposition=["inside" if share >= 0.8 else "outside" for share in values],
        cliponaxis=False,
        hovertemplate="%{y}: %{x:.0%} of the way to the alarm<extra></extra>",
    )
    figure.add_vline(
        x=1, line_dash="dot", line_color=RED, annotation_text="alarm", annotation_position="top"
    )
    figure.update_xaxes(tickformat=".0%", range=[0, max(1.1, *values) if values else 1.1])
    return figure.update_yaxes(type="category", autorange="reversed")


def heat(reports: Sequence[MonitorReport], *, dark: bool, chosen: str = "") -> go.Figure:
    """Heat map of columns (rows) over windows, oldest first; a point of it can be chosen.

    Points lie unseen over the cells, because a heat map itself takes no clicks; each knows its
    column and report. A column that did not change beyond chance is blank in that window.
    """
    own = [report for report in reversed(reports) if report.figures.get("columns")]
    by_report = [{c["name"]: c for c in report.figures["columns"]} for report in own]
    names = _ranked(by_report)
    keys = [report.id for report in own]  # two windows may end in the same second
    at = [f"{report.window_end:%m-%d<br>%H:%M:%S}" for report in own]
    figure = base(y="", height=110 + 26 * max(3, len(names)), x_type="category")
    scale = [[0, "#0B1220" if dark else "#F1F5F9"], [1, "#F87171" if dark else "#B91C1C"]]
    z = [[_distance(one, name) for one in by_report] for name in names]
    bar = {"title": "change", "thickness": 10, "len": 1}
    figure.add_heatmap(
        x=keys, y=names, z=z, zmin=0, zmax=0.5, colorscale=scale, colorbar=bar, xgap=1, ygap=1,
        hoverinfo="skip",
    )  # fmt: skip
    cells = [
        (key, name, when, _told(columns.get(name)))
        for key, when, columns in zip(keys, at, by_report, strict=True)
        for name in names
    ]
    unseen = {"opacity": 0}
    figure.add_scatter(
        x=[key for key, *_ in cells],
        y=[name for _, name, *_ in cells],
        customdata=[[name, key, when, told] for key, name, when, told in cells],
        hovertemplate="%{y}, %{customdata[2]}<br>%{customdata[3]}<extra></extra>",
        mode="markers",
        marker={"size": 20, "symbol": "square", "color": "rgba(0,0,0,0)"},
        selected={"marker": unseen},
        unselected={"marker": unseen},
        showlegend=False,
    )
    rows = [f"▸ {name}" if name == chosen else name for name in names]
    some = slice(None, None, -(-len(keys) // MOST_TICKS) or 1)
    ticks = [f"{report.window_end:%m-%d<br>%H:%M}" for report in own[some]]
    figure.update_xaxes(tickvals=keys[some], ticktext=ticks, tickangle=0)
    figure.update_yaxes(
        type="category", autorange="reversed", tickvals=names, ticktext=rows, dtick=1
    )
    return figure.update_layout(hovermode="closest", dragmode=False)


def _ranked(by_report: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns, those that changed most often first."""
    names = list(dict.fromkeys(name for one in reversed(by_report) for name in one))
    often = {name: sum(_distance(one, name) > 0 for one in by_report) for name in names}
    return sorted(names, key=lambda name: -often[name])[:MOST_ROWS]


def _distance(columns: Mapping[str, Any], name: str) -> float:
    column = columns.get(name)
    return float(column["distance"]) if column and column["drifted"] else 0.0


def _told(column: Mapping[str, Any] | None) -> str:
    if column is None:
        return "not compared"
    if not column["drifted"]:
        return "no change beyond chance"
    return f"{column['change']}: {column['detail']} (size {column['distance']:.2f})"


def history(reports: Sequence[MonitorReport], name: str) -> go.Figure:
    """How far one column was from the reference in each window; red where beyond chance."""
    figure = base(y="size of the change", height=200)
    told = [
        (report.window_end, column)
        for report in reversed(reports)
        for column in report.figures.get("columns") or []
        if column["name"] == name
    ]
    figure.add_scatter(
        x=[at for at, _ in told],
        y=[column["distance"] for _, column in told],
        customdata=[_told(column) for _, column in told],
        hovertemplate="%{y:.3f}: %{customdata}<extra></extra>",
        mode="lines+markers",
        line={"color": GRAY},
        marker={"size": 8, "color": [RED if column["drifted"] else GRAY for _, column in told]},
    )
    figure.update_yaxes(range=[0, max([0.3, *(1.1 * column["distance"] for _, column in told)])])
    return figure.update_layout(showlegend=False)


def terms(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """How often words occur in the reference and now, as shares of the texts."""
    figure = base(y="", height=90 + 30 * len(rows), x_type="linear")
    words = [str(row["term"]) for row in rows]
    for name, field, color in (
        ("reference", "share_reference", GRAY),
        ("now", "share_current", AMBER),
    ):
        shares = [row[field] for row in rows]
        figure.add_bar(y=words, x=shares, name=name, orientation="h", marker_color=color)
    figure.update_layout(margin={"t": 40}, legend={"y": 1, "yanchor": "bottom"})
    figure.update_xaxes(tickformat=".0%", title="share of texts")
    return figure.update_yaxes(type="category", autorange="reversed")


def shapes(shape: Shape) -> go.Figure:
    """One column before and now, as shares of the rows per bin or category."""
    numeric = shape.middles is not None
    figure = base(y="share of rows", height=280, x_type="linear" if numeric else "category")
    for name, shares, color in (
        ("reference", shape.reference, GRAY),
        ("this window", shape.current, SERIES[1]),
    ):
        figure.add_bar(
            x=shape.middles or shape.labels,
            y=shares,
            customdata=shape.labels,
            hovertemplate="%{customdata}: %{y:.1%}",
            name=name,
            marker_color=color,
        )
    figure.update_yaxes(tickformat=".0%")
    return figure.update_layout(barmode="group", bargap=0.15, hovermode="closest")
