"""How right and how fast the answers were, drawn: points in, plotly figure out; pure."""

from collections.abc import Sequence
from datetime import datetime

import plotly.graph_objects as go

from app.charts import AMBER, BLUE, GRAY, GREEN, RED, SERIES, base, level, moments, whiskers
from app.series import Band, Bin, Hour
from core.monitoring.retrainings import OUTCOMES, Training
from core.monitoring.trends import Judged, Quality, Traffic
from core.serving.storing import BUCKETS_MS

_OUTCOMES = dict(zip(OUTCOMES, (GREEN, AMBER, RED, GRAY, BLUE), strict=True))
Moments = Sequence[tuple[datetime, str]]
LAST_MS = BUCKETS_MS[-1]  # the bound of the last bucket: above it nothing is known


def accuracy(
    realised: Sequence[Bin],
    estimated: Sequence[Quality],
    *,
    releases: Moments = (),
    baseline: float | None,
    floor: float | None,
) -> go.Figure:
    """Realised (points, solid) beside estimated (rings, dotted) accuracy, a colour per version.

    Intervals are drawn where known; dashed lines are releases, dotted ones what is asked.
    """
    figure = base(y="accuracy", height=340)
    versions = dict.fromkeys([*(o.version for o in realised), *(o.version for o in estimated)])
    colors = {version: SERIES[i % len(SERIES)] for i, version in enumerate(versions)}
    for version, color in colors.items():
        bins = [one for one in realised if one.version == version]
        guesses = [one for one in estimated if one.version == version]
        if bins:
            figure.add_scatter(
                x=[one.end for one in bins],
                y=[one.value for one in bins],
                error_y=whiskers(*zip(*((o.value, o.low, o.high) for o in bins), strict=True)),
                customdata=[[one.n] for one in bins],
                hovertemplate="%{y:.3f} from labels, n = %{customdata[0]}",
                name=f"{version} from labels",
                mode="lines+markers",
                line={"color": color},
            )
        if guesses:
            figure.add_scatter(
                x=[one.start for one in guesses],
                y=[one.value for one in guesses],
                error_y=whiskers(*zip(*((o.value, o.low, o.high) for o in guesses), strict=True)),
                customdata=[[one.n] for one in guesses],
                hovertemplate="%{y:.3f} estimated, n = %{customdata[0]}",
                name=f"{version} estimated",
                mode="lines+markers",
                line={"color": color, "dash": "dot"},
                marker={"symbol": "circle-open"},
            )
    level(figure, baseline, f"at registration {baseline or 0:.3f}", GRAY, "top left")
    level(figure, floor, f"floor {floor or 0:.3f}", RED, "bottom left")
    moments(figure, releases)
    return figure


def latency_words(ms: float | None) -> str:
    """Say a latency, or the bound below which it is.

    >>> latency_words(1000.0), latency_words(None), latency_words(float("inf"))
    ('1,000 ms', '-', 'over 5 s')
    """
    if ms is None:
        return "-"
    if ms == float("inf"):
        return f"over {LAST_MS / 1000:g} s"
    return f"{ms:,.1f}".removesuffix(".0") + " ms"


def volume(hours: Sequence[Hour], band: Sequence[Band] = ()) -> go.Figure:
    """Answered requests and errors per hour, and the range that the weeks before let expect."""
    figure = base(y="requests an hour", height=240)
    at = [hour.at for hour in hours]
    good = [hour.requests - hour.errors for hour in hours]
    figure.add_bar(x=at, y=good, name="answered", marker_color=BLUE)
    figure.add_bar(x=at, y=[hour.errors for hour in hours], name="errors", marker_color=RED)
    if band:
        when, line = [one.at for one in band], {"color": GREEN, "dash": "dot"}
        figure.add_scatter(
            x=when, y=[one.high for one in band], name="expected at most", line=line, mode="lines"
        )
        figure.add_scatter(
            x=when, y=[one.low for one in band], name="expected at least", mode="lines", line=line,
            fill="tonexty", fillcolor="rgba(22,163,74,0.12)",
        )  # fmt: skip
    return figure.update_layout(barmode="stack")


def latency(hours: Sequence[Hour]) -> go.Figure:
    """Latency per hour: half of the answers and 95 % of them are below; a gap without answers.

    What is over the last bucket is drawn at its bound, and says so.
    """
    figure = base(y="milliseconds", height=240)
    at = [hour.at for hour in hours]
    for name, values, color, dash in (
        ("50 % are below", [hour.p50_ms for hour in hours], BLUE, "solid"),
        ("95 % are below", [hour.p95_ms for hour in hours], AMBER, "dot"),
        ("mean", [hour.mean_ms for hour in hours], GRAY, "dash"),
    ):
        shown = [LAST_MS if value == float("inf") else value for value in values]
        figure.add_scatter(
            x=at,
            y=shown,
            customdata=[latency_words(value) for value in values],
            hovertemplate="%{customdata}",
            name=name,
            line={"color": color, "dash": dash},
            mode="lines+markers",
            marker={"size": 4},
        )
    return figure


def retrainings(trainings: Sequence[Training], releases: Moments) -> go.Figure:
    """Trainings over time by how they ended; dashed lines are releases and rollbacks."""
    figure = base(y="", height=260)
    for outcome, color in _OUTCOMES.items():
        own = [one for one in trainings if one.outcome == outcome]
        if own:
            figure.add_scatter(
                x=[one.at for one in own],
                y=[outcome] * len(own),
                customdata=[[one.version or "no version", one.trigger] for one in own],
                hovertemplate="%{y}: %{customdata[0]}, asked by %{customdata[1]}<extra></extra>",
                mode="markers",
                name=outcome,
                marker={"color": color, "size": 11},
            )
    moments(figure, releases)
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=list(OUTCOMES[::-1]))
    return figure.update_layout(showlegend=False, hovermode="closest")


def _over(traffic: Sequence[Traffic], *, y: str, height: int) -> go.Figure:
    """Return an empty figure over all periods, so that one lonely point has its place in time."""
    figure = base(y=y, height=height)
    half = (traffic[1].start - traffic[0].start) / 2
    return figure.update_xaxes(range=[traffic[0].start - half, traffic[-1].start + half])


def trend(
    points: Sequence[Quality], estimated: Sequence[Quality], traffic: Sequence[Traffic]
) -> go.Figure:
    """Accuracy at the end of each period: realised and estimated, a line for each version."""
    figure = _over(traffic, y="accuracy", height=260)
    for name, told, color, dash in (
        ("from labels", points, BLUE, "solid"),
        ("estimated", estimated, AMBER, "dot"),
    ):
        for version in dict.fromkeys(one.version for one in told):
            own = [one for one in told if one.version == version]
            figure.add_scatter(
                x=[one.start for one in own],
                y=[one.value for one in own],
                error_y=whiskers(*zip(*((o.value, o.low, o.high) for o in own), strict=True)),
                customdata=[one.n for one in own],
                hovertemplate="%{y:.3f}, n = %{customdata}",
                name=f"{version} {name}",
                mode="lines+markers",
                line={"color": color, "dash": dash},
            )
    return figure


def periods(traffic: Sequence[Traffic]) -> go.Figure:
    """Requests and errors of each period."""
    figure = _over(traffic, y="requests", height=220)
    at = [one.start for one in traffic]
    figure.add_bar(
        x=at, y=[one.requests - one.errors for one in traffic], name="answered", marker_color=BLUE
    )
    figure.add_bar(x=at, y=[one.errors for one in traffic], name="errors", marker_color=RED)
    return figure.update_layout(barmode="stack")


def drifted(judged: Sequence[Judged], traffic: Sequence[Traffic]) -> go.Figure:
    """Share of the judged windows of each period that had drifted."""
    figure = _over(traffic, y="windows with drift", height=220)
    starts = sorted({one.start for one in judged})
    sums = [
        (sum(o.bad for o in judged if o.start == s), sum(o.windows for o in judged if o.start == s))
        for s in starts
    ]
    figure.add_bar(
        x=starts,
        y=[bad / n for bad, n in sums],
        customdata=sums,
        hovertemplate="%{y:.0%}: %{customdata[0]} of %{customdata[1]} windows<extra></extra>",
        marker_color=AMBER,
    )
    return figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
