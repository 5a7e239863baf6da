"""Decisions over time: as they were made, and as another policy would have made them; pure."""

from collections.abc import Sequence

import plotly.graph_objects as go

from app.charts import AMBER, GRAY, base
from core.agent.policy import DECISIONS
from core.agent.replay import Replayed

MOST = 2_000


def decisions(found: Sequence[Replayed]) -> go.Figure:
    """One point a decision; those that would differ have a second one, the newest 2,000."""
    newest = found[-MOST:]
    changed = [one for one in newest if one.changed]
    figure = base(y="", height=300)
    for name, rows, words, marker in (
        (
            "as it was decided",
            newest,
            [one.live.decision for one in newest],
            {"color": GRAY, "size": 7},
        ),
        (
            "as it would have been",
            changed,
            [one.replayed.decision for one in changed],
            {"color": AMBER, "size": 11, "symbol": "diamond"},
        ),
    ):
        figure.add_scatter(
            x=[one.at for one in rows],
            y=[word.replace("_", " ") for word in words],
            name=name,
            mode="markers",
            marker=marker,
        )
    order = [word.replace("_", " ") for word in DECISIONS]
    used = {word for trace in figure.data for word in trace.y}
    figure.update_layout(hovermode="closest")
    return figure.update_yaxes(
        type="category", categoryarray=[word for word in order if word in used]
    )
