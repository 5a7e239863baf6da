"""Points in, plotly figure out; pure. Colours are readable on the light and the dark surface."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

BLUE, AMBER, RED, GREEN, GRAY = "#3B82F6", "#D97706", "#DC2626", "#16A34A", "#94A3B8"
SERIES = (BLUE, AMBER, GREEN, "#A855F7", "#0891B2", RED)
STATES = {"pass": GREEN, "warn": AMBER, "fail": RED, "inconclusive": GRAY, "error": GRAY}
CONFIG = {"displayModeBar": False, "responsive": True}


def base(*, y: str, height: int = 280, x_type: str = "date") -> go.Figure:
    """Return an empty figure with our margins, legend and axes."""
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


def whiskers(
    values: Sequence[float], lows: Sequence[float | None], highs: Sequence[float | None]
) -> dict[str, Any]:
    """Return the error bars of values with intervals; a value without one has none."""
    ends = list(zip(values, lows, highs, strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if high is None else high - value for value, _low, high in ends],
        "arrayminus": [0 if low is None else value - low for value, low, _high in ends],
        "thickness": 1,
    }


def level(figure: go.Figure, value: float | None, words: str, color: str, place: str) -> None:
    """Draw a dotted line across at a value that matters, if there is one."""
    if value is not None:
        line = {"line_dash": "dot", "line_color": color}
        figure.add_hline(y=value, annotation_text=words, annotation_position=place, **line)


def moments(figure: go.Figure, named: Sequence[tuple[datetime, str]]) -> None:
    """Mark moments (releases, say) by a line from top to bottom, named at its lower end."""
    for at, words in named:
        x = at.isoformat()
        figure.add_shape(
            type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line={"color": GRAY, "dash": "dash"}
        )
        figure.add_annotation(
            x=x, y=0, yref="paper", text=words, showarrow=False, xanchor="left", yanchor="bottom"
        )


def difference(value: float, low: float, high: float, *, limit: float) -> go.Figure:
    """One difference with its interval around zero, and the smallest effect that matters."""
    figure = base(y="", height=120, x_type="linear")
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


def contributions(names: Sequence[str], sizes: Sequence[float], *, toward: str, against: str,
                  scale: str) -> go.Figure:  # fmt: skip
    """What each input added to a score, largest on top; hatched bars speak for `against`."""
    figure = base(y="", height=110 + 30 * len(names), x_type="linear")
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
    figure = base(y="", height=90 + 26 * len(names), x_type="linear")
    figure.add_bar(y=list(names), x=list(sizes), orientation="h", marker_color=BLUE)
    figure.update_xaxes(title=f"mean size of the contribution ({scale})")
    figure.update_yaxes(type="category", autorange="reversed")
    return figure.update_layout(showlegend=False)
