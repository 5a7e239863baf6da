"""What the page of fire drills draws: one drill, check by check. Mappings in, figure out; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from app.charts import AMBER, GRAY, RED, STATES, base

KINDS = ("drift", "quality", "performance", "estimate", "concept", "volume", "service")


def timeline(checks: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Each check of each kind as a dot in the colour of its state; diamonds are incidents."""
    told = [kind for kind in KINDS if any(kind in one["reports"] for one in checks)]
    figure = base(y="", height=220 + 34 * len(told), x_type="linear")
    for state, color in STATES.items():
        dots = [
            (one["check"], kind, one["reports"][kind]["sentence"][:160])
            for one in checks
            for kind in told
            if one["reports"].get(kind, {}).get("state") == state
        ]
        if dots:
            figure.add_scatter(
                x=[x for x, _, _ in dots],
                y=[kind for _, kind, _ in dots],
                customdata=[[said] for *_, said in dots],
                hovertemplate="check %{x}, %{y}: %{customdata[0]}",
                mode="markers",
                name=state,
                marker={"size": 12, "color": color, "symbol": _SHAPES.get(state, "circle")},
            )
    opened = [(one["check"], new["title"]) for one in checks for new in one["opened"]]
    figure.add_scatter(
        x=[x for x, _ in opened],
        y=["incident"] * len(opened),
        customdata=[[title] for _, title in opened],
        hovertemplate="check %{x}: %{customdata[0]}",
        mode="markers",
        name="incident opened",
        marker={"size": 14, "color": RED, "symbol": "diamond"},
    )
    _shade(figure, checks)
    figure.update_xaxes(
        title="check, every 15 simulated minutes", dtick=2 if len(checks) > 9 else 1
    )
    figure.update_layout(
        legend={"y": -0.28, "yanchor": "top"}
    )  # above it would hide dots on a phone
    return figure.update_yaxes(
        type="category", categoryarray=["incident", *reversed(told)], autorange=True
    )


_SHAPES = {"fail": "x", "warn": "triangle-up", "inconclusive": "circle-open", "error": "square"}


def _shade(figure: go.Figure, checks: Sequence[Mapping[str, Any]]) -> None:
    changed = [one["check"] for one in checks if one["changed"]]
    if changed:
        figure.add_vrect(
            x0=changed[0] - 0.5,
            x1=checks[-1]["check"] + 0.5,
            fillcolor=AMBER,
            opacity=0.12,
            line={"color": GRAY, "width": 0},
            annotation_text="the change",
            annotation_position="top left",
            annotation_yshift=18,
        )
