"""Points in, plotly figure out; pure. Colours are readable on the light and the dark surface."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from app.series import Bin, Hour
from core.tables.telemetry import MonitorReport

BLUE, AMBER, RED, GREEN, GRAY = "#3B82F6", "#D97706", "#DC2626", "#16A34A", "#94A3B8"
SERIES = (BLUE, AMBER, GREEN, "#A855F7", "#0891B2", RED)
STATES = {"pass": GREEN, "warn": AMBER, "fail": RED, "inconclusive": GRAY, "error": GRAY}
CONFIG = {"displayModeBar": False, "responsive": True}


def _figure(*, y: str, height: int = 280, x_type: str = "date") -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        legend={"orientation": "h", "y": 1.12},
        hovermode="x unified" if x_type == "date" else "closest",
    )
    figure.update_xaxes(type=x_type, automargin=True)
    figure.update_yaxes(title=y, automargin=True)
    return figure


def accuracy(bins: Sequence[Bin], *, baseline: float | None, floor: float | None) -> go.Figure:
    """Accuracy over time per version with 95 % intervals, the baseline and the floor."""
    figure = _figure(y="accuracy")
    for index, version in enumerate(dict.fromkeys(one.version for one in bins)):
        own = [one for one in bins if one.version == version]
        figure.add_scatter(
            x=[one.end for one in own],
            y=[one.value for one in own],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [one.high - one.value for one in own],
                "arrayminus": [one.value - one.low for one in own],
                "thickness": 1,
            },
            customdata=[[one.n] for one in own],
            hovertemplate="%{y:.3f}, n = %{customdata[0]}",
            name=version,
            mode="lines+markers",
            line={"color": SERIES[index % len(SERIES)]},
        )
    lines = ((baseline, "at registration", GRAY, "top left"), (floor, "floor", RED, "bottom left"))
    for value, words, color, place in lines:
        if value is not None:
            text = f"{words} {value:.3f}"
            line = {"line_dash": "dot", "line_color": color}
            figure.add_hline(y=value, annotation_text=text, annotation_position=place, **line)
    return figure


def volume(hours: Sequence[Hour]) -> go.Figure:
    """Answered requests and errors per hour."""
    figure = _figure(y="requests an hour", height=220)
    at = [hour.at for hour in hours]
    good = [hour.requests - hour.errors for hour in hours]
    figure.add_bar(x=at, y=good, name="answered", marker_color=BLUE)
    figure.add_bar(x=at, y=[hour.errors for hour in hours], name="errors", marker_color=RED)
    return figure.update_layout(barmode="stack")


def latency(hours: Sequence[Hour]) -> go.Figure:
    """Mean and 95th percentile of the latency per hour; a gap where nothing was answered."""
    figure = _figure(y="milliseconds", height=220)
    at = [hour.at for hour in hours]
    p95 = [None if h.p95_ms == float("inf") else h.p95_ms for h in hours]
    figure.add_scatter(x=at, y=[h.mean_ms for h in hours], name="mean", line={"color": BLUE})
    figure.add_scatter(x=at, y=p95, name="95 % are below", line={"color": AMBER, "dash": "dot"})
    return figure


def drift(reports: Sequence[MonitorReport], threshold: float | None) -> go.Figure:
    """The drift score of each judged window (newest first), coloured by what it meant."""
    figure = _figure(y="drift score", height=260)
    own = [report for report in reversed(reports) if report.score is not None]
    figure.add_scatter(
        x=[report.window_end for report in own],
        y=[report.score for report in own],
        customdata=[[r.state, r.n_current, r.p_value, r.version] for r in own],
        hovertemplate="%{y:.3f} (%{customdata[0]}), n = %{customdata[1]}, "
        "p = %{customdata[2]:.4f}, version %{customdata[3]}",
        mode="lines+markers",
        name="score",
        line={"color": GRAY},
        marker={"size": 10, "color": [STATES.get(report.state, GRAY) for report in own]},
    )
    if threshold is not None:
        words = f"urgent from {threshold:g}"
        figure.add_hline(y=threshold, line_dash="dot", line_color=RED, annotation_text=words)
    return figure.update_layout(showlegend=False)


def columns_over_time(reports: Sequence[MonitorReport], *, dark: bool) -> go.Figure:
    """Heat map of the columns that drifted in any window (rows) over the windows, oldest first."""
    own = [report for report in reversed(reports) if report.figures.get("columns")]
    by_report = [{c["name"]: c for c in report.figures["columns"]} for report in own]
    names = [name for name in by_report[-1] if any(_drifted(one, name) for one in by_report)]
    z = [
        [one[name]["distance"] if _drifted(one, name) else 0 for one in by_report] for name in names
    ]
    figure = _figure(y="", height=80 + 26 * max(3, len(names)), x_type="category")
    scale = [[0, "#0B1220" if dark else "#F8FAFC"], [1, "#F87171" if dark else "#B91C1C"]]
    at = [f"{report.window_end:%m-%d %H:%M}" for report in own]
    figure.add_heatmap(x=at, y=names, z=z, zmin=0, zmax=0.5, colorscale=scale)
    figure.update_yaxes(type="category", autorange="reversed")
    return figure.update_layout(hovermode="closest")


def _drifted(columns: Mapping[str, Any], name: str) -> bool:
    return name in columns and bool(columns[name]["drifted"])


def terms(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """How often words occur in the reference and now, as shares of the texts."""
    figure = _figure(y="", height=90 + 30 * len(rows), x_type="linear")
    words = [str(row["term"]) for row in rows]
    for name, field, color in (
        ("reference", "share_reference", GRAY),
        ("now", "share_current", AMBER),
    ):
        shares = [row[field] for row in rows]
        figure.add_bar(y=words, x=shares, name=name, orientation="h", marker_color=color)
    figure.update_xaxes(tickformat=".0%", title="share of texts")
    return figure.update_yaxes(type="category", autorange="reversed")


def difference(value: float, low: float, high: float, *, limit: float) -> go.Figure:
    """One difference with its interval around zero, and the smallest effect that matters."""
    figure = _figure(y="", height=120, x_type="linear")
    figure.add_scatter(
        x=[value],
        y=["difference"],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value],
            "arrayminus": [value - low],
            "thickness": 3,
        },
        mode="markers",
        marker={"size": 14, "color": BLUE},
    )
    for position, color in ((0, GRAY), (limit, GREEN), (-limit, RED)):
        figure.add_vline(x=position, line_color=color, line_dash="dot")
    figure.update_xaxes(tickformat="+.1%")
    figure.update_yaxes(type="category", showticklabels=False)
    return figure.update_layout(showlegend=False)


def shapes(reference: Sequence[Any], current: Sequence[Any]) -> go.Figure:
    """One column before and now, as shares: bins of a number, or categories."""
    numeric = all(isinstance(value, int | float) for value in [*reference, *current])
    figure = _figure(y="share", height=260, x_type="linear" if numeric else "category")
    for name, values, color in (("reference", reference, GRAY), ("now", current, AMBER)):
        spelled = list(values) if numeric else [str(value) for value in values]
        figure.add_histogram(
            x=spelled, name=name, histnorm="probability", marker_color=color, nbinsx=30
        )
    return figure.update_layout(barmode="group")


def contributions(names: Sequence[str], sizes: Sequence[float], *, toward: str, against: str,
                  scale: str) -> go.Figure:  # fmt: skip
    """What each input added to a score, largest on top; hatched bars speak for `against`."""
    figure = _figure(y="", height=110 + 30 * len(names), x_type="linear")
    for label, color, pattern, wanted in (
        (toward, BLUE, "", [size if size >= 0 else None for size in sizes]),
        (against, AMBER, "/", [size if size < 0 else None for size in sizes]),
    ):
        figure.add_bar(
            y=list(names),
            x=wanted,
            name=f"speaks for {label}",
            orientation="h",
            marker={"color": color, "pattern": {"shape": pattern, "size": 6}},
            text=[f"{size:+.3g}" for size in sizes],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:+.4f}",
        )
    low, high = min([0.0, *sizes]), max([0.0, *sizes])
    room = 0.2 * (high - low) or 1.0  # for the figures beside the bars
    figure.update_xaxes(title=f"{against} ← {scale} → {toward}", range=[low - room, high + room])
    figure.update_yaxes(type="category", autorange="reversed", categoryarray=list(names))
    figure.update_layout(barmode="overlay", margin={"t": 64}, legend={"y": 1, "yanchor": "bottom"})
    return figure


def importance(names: Sequence[str], sizes: Sequence[float], *, scale: str) -> go.Figure:
    """How much each input matters over many rows, most on top."""
    figure = _figure(y="", height=90 + 26 * len(names), x_type="linear")
    figure.add_bar(y=list(names), x=list(sizes), orientation="h", marker_color=BLUE)
    figure.update_xaxes(title=f"mean size of the contribution ({scale})")
    figure.update_yaxes(type="category", autorange="reversed")
    return figure.update_layout(showlegend=False)
