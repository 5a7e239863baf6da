"""Curves of a version on held-out rows: points in, plotly figure out; pure."""

from collections.abc import Sequence

import plotly.graph_objects as go

from app.charts import AMBER, BLUE, GRAY

Points = Sequence[Sequence[float]]


def curve(points: Points, *, x: str, y: str, chance: Points = ()) -> go.Figure:
    """Draw one curve in the unit square, and what chance alone would give as a dotted line."""
    figure = _square(x, y)
    _line(figure, chance, "chance", GRAY, "dot")
    _line(figure, points, "this version", BLUE, "solid")
    return figure


def calibration(points: Points) -> go.Figure:
    """Draw the share that was positive per bin of probability; the larger, the more rows."""
    figure = _square("mean probability", "share that was positive")
    _line(figure, [[0, 0], [1, 1]], "perfectly calibrated", GRAY, "dot")
    most = max((n for _mean, _share, n in points), default=1)
    figure.add_scatter(
        x=[mean for mean, _share, _n in points],
        y=[share for _mean, share, _n in points],
        customdata=[n for _mean, _share, n in points],
        hovertemplate="%{y:.2f} at %{x:.2f}, n = %{customdata}",
        mode="lines+markers",
        name="this version",
        line={"color": AMBER},
        marker={"size": [7 + 11 * (n / most) ** 0.5 for _mean, _share, n in points]},
    )
    return figure


def _square(x: str, y: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=320,
        margin={"l": 8, "r": 8, "t": 24, "b": 8},
        legend={"orientation": "h", "y": 1.12},
        hovermode="closest",
    )
    figure.update_xaxes(title=x, range=[-0.02, 1.02], automargin=True)
    figure.update_yaxes(title=y, range=[-0.02, 1.02], automargin=True)
    return figure


def _line(figure: go.Figure, points: Points, name: str, color: str, dash: str) -> None:
    if points:
        xs, ys = zip(*((one[0], one[1]) for one in points), strict=True)
        line = {"color": color, "dash": dash}
        figure.add_scatter(x=xs, y=ys, name=name, mode="lines", line=line)
