"""What the page of trainings shows: the leaderboard while one runs, and the plots of a search."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from app import ui
from app.charts import AMBER, BLUE, GRAY, SERIES, base
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion, Run

METRICS = ("f1", "accuracy", "balanced_accuracy", "precision", "recall", "roc_auc", "brier")
RULES = {
    "even": "even odds (0.5)",
    "f1": "the best F1",
    "accuracy": "the best accuracy",
    "balanced_accuracy": "the best balanced accuracy",
    "cost": "the lowest cost of mistakes",
}
DATA = ("validated", "pending")
"""States of data that a training may be asked for: it waits for what is being checked."""

PRICES = ("false_positive", "false_negative")
FEWEST = 3  # trials that make a plot

Trials = Sequence[Mapping[str, Any]]


def data_words(row: DatasetVersion) -> str:
    """Say which rows a training would learn from, and whether they are still being checked."""
    checked = ", still being checked" if row.state == "pending" else ""
    return f"{row.n_rows:,} rows, {row.source} ({ui.utc(row.at)}){checked}"


def best_so_far(trials: Trials, metric: str, *, maximise: bool) -> go.Figure:
    """The value of each trial in the order of trying, and the best until then, per candidate."""
    figure = base(y=metric, height=260, x_type="linear")
    for index, place in enumerate(dict.fromkeys(one["place"] for one in trials)):
        own = [one for one in trials if one["place"] == place and one["state"] == "complete"]
        best: list[float] = []
        for one in own:
            known = [*best[-1:], one["value"]]
            best.append(max(known) if maximise else min(known))
        at = [one["trial"] for one in own]
        color, name = SERIES[index % len(SERIES)], str(_named(trials, place))
        figure.add_scatter(
            x=at,
            y=[one["value"] for one in own],
            name=f"{name}: trials",
            showlegend=False,
            mode="markers",
            marker={"color": color, "opacity": 0.6},
        )
        line = {"color": color, "shape": "hv"}
        figure.add_scatter(x=at, y=best, name=name, mode="lines", line=line)
    figure.update_yaxes(range=_focus([one["value"] for one in trials if one["value"] is not None]))
    return figure.update_xaxes(title="trial (0: the given parameters)")


def _focus(values: Sequence[float]) -> list[float] | None:
    """Return the range of the middle half, widened: a few bad trials must not flatten the rest."""
    if len(values) < FEWEST:
        return None
    ranked = sorted(values)
    quarter = len(ranked) // 4
    low, high = ranked[quarter], ranked[-1 - quarter]
    room = max(1.5 * (high - low), 1e-3)
    return [max(ranked[0], low - room) - room / 10, min(ranked[-1], high + room) + room / 10]


def by_parameter(trials: Trials, name: str, metric: str) -> go.Figure:
    """The value of each trial over one parameter; pruned ones, on fewer folds, are gray."""
    figure = base(y=metric, height=240, x_type="linear")
    own = [one for one in trials if one["value"] is not None and one["parameters"].get(name)]
    for state, color, symbol in (("complete", BLUE, "circle"), ("pruned", GRAY, "x")):
        part = [one for one in own if one["state"] == state]
        figure.add_scatter(
            x=[one["parameters"][name] for one in part],
            y=[one["value"] for one in part],
            name=state,
            mode="markers",
            marker={"color": color, "symbol": symbol, "size": 8},
        )
    values = [one["parameters"][name] for one in own]
    wide = values and min(values) > 0 and max(values) / min(values) > 30
    return figure.update_xaxes(title=name, type="log" if wide else "linear")


def ranking(rows: Trials, metric: str) -> go.Figure:
    """The mean of each candidate over its folds so far, best on top; amber ones lack folds."""
    own = [row for row in rows if row["mean"] is not None]
    figure = base(y="", height=70 + 36 * max(1, len(own)), x_type="linear")
    most = max((row["folds"] for row in own), default=0)
    figure.add_bar(
        x=[row["mean"] for row in own],
        y=[f"{place}. {spelled(row['candidate'])}" for place, row in enumerate(own, start=1)],
        orientation="h",
        marker_color=[BLUE if row["folds"] == most else AMBER for row in own],
        text=[f"{row['mean']:.4f}" for row in own],
        textposition="inside",
        hovertemplate="%{x:.4f}<extra></extra>",
    )
    figure.update_xaxes(title=f"mean {metric} over the folds")
    figure.update_yaxes(type="category", autorange="reversed")
    return figure.update_layout(showlegend=False)


def spelled(kind: object) -> str:
    """Return the name of a kind of candidate in words.

    >>> spelled("linear_svm")
    'linear svm'
    """
    return str(kind).replace("_", " ")


def _named(trials: Trials, place: object) -> str:
    return spelled(next(one["candidate"] for one in trials if one["place"] == place))


def live(board: Mapping[str, Any], key: str) -> None:
    """Show the leaderboard of a training that runs."""
    rows = board.get("rows", [])
    if not any(row["mean"] is not None for row in rows):
        return
    metric = board["metric"]
    ui.chart(ranking(rows, metric), f"{key}-ranking", f"Mean {metric} of each candidate so far")
    ui.small_table(
        {
            "candidate": spelled(row["candidate"]),
            f"mean {metric}": row["mean"] if row["mean"] is not None else "not yet",
            "folds": f"{row['folds']} of {board['of']}",
            "tried": row["trials"],
        }
        for row in rows
    )
    if len(board.get("trials", [])) >= len(rows) + FEWEST:
        shown = best_so_far(board["trials"], metric, maximise=board["maximise"])
        ui.chart(shown, f"{key}-best", f"Best {metric} over the trials so far")


def ended(run: Run, threshold: float | None) -> None:
    """Show leaderboard, parameters and search of a training that has ended."""
    if not run.leaderboard:
        return
    with st.expander(f"Leaderboard: {ui.count(len(run.leaderboard), 'candidate')}"):
        ui.small_table(_row(row) for row in run.leaderboard)
        if threshold is not None:
            st.caption(f"Positive from a probability of {threshold:.3f} on.")
        if run.options:
            st.caption(ui.plain(f"Asked for otherwise than the spec: {_spelled(run.options)}."))
    trials = run.study.get("trials", [])
    if len(trials) > len(run.leaderboard):
        with st.expander(f"Search: {ui.count(len(trials), 'trial')}"):
            study(run.study, run.id)


def study(found: Mapping[str, Any], key: str) -> None:
    """Show what a search tried: the best over time, and the value over each parameter."""
    trials, metric = found["trials"], found["metric"]
    shown = best_so_far(trials, metric, maximise=found["maximise"])
    ui.chart(shown, f"{key}-best", f"Best {metric} over the trials")
    for place in dict.fromkeys(one["place"] for one in trials):
        own = [one for one in trials if one["place"] == place]
        names = dict.fromkeys(name for one in own if one["trial"] for name in one["parameters"])
        for name in names:
            st.caption(f"{_named(trials, place)}: {metric} by {name}".replace("_", " "))
            words = f"{metric} of {_named(trials, place)} by {name}"
            ui.chart(by_parameter(own, name, metric), f"{key}-{place}-{name}", words)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one row of a kept leaderboard: its means as columns, without the single folds."""
    means = row.get("mean", {})
    rest = {k: v for k, v in row.items() if k not in ("kind", "mean", "sd", "folds", "seconds")}
    shown = {"candidate": spelled(row.get("kind", "")), **means, **rest}
    if given := row.get("parameters"):
        shown["parameters"] = {name: ui.figure(value) for name, value in given.items()}
    if "seconds" in row:
        shown["seconds"] = f"{row['seconds']:.1f}"
    return ui.flat(shown)


def _spelled(options: Mapping[str, Any]) -> str:
    """Return what a training was asked for in words.

    >>> _spelled({"threshold": {"by": "cost", "false_positive": 5.0, "false_negative": 1.0}})
    'threshold cost (false positive 5, false negative 1)'
    """
    return ", ".join(f"{name} {_value(value)}".replace("_", " ") for name, value in options.items())


def _value(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    prices = ", ".join(f"{name} {value[name]:g}" for name in PRICES if name in value)
    return f"{value['by']} ({prices})" if value["by"] == "cost" else value["by"]


def options(spec: ModelSpec) -> dict[str, Any]:
    """Ask what this training does otherwise than the spec; return only what differs."""
    search, rules = spec.search, list(RULES)
    with st.expander("Search, metric and threshold"):
        trials = st.number_input(
            "Search: trials per candidate", 0, 1000, search.trials, help="0 tries what is given"
        )
        seconds = st.number_input("Search: seconds at most", 1, 86_400, round(search.seconds))
        metric = st.selectbox("Best by", METRICS, index=METRICS.index(spec.selection_metric))
        rule = st.selectbox(
            "Threshold",
            rules,
            index=rules.index(spec.threshold.by),
            format_func=lambda one: RULES[one],
        )
        st.caption("What a mistake costs counts only for the lowest cost of mistakes:")
        prices = {name: _price(name, getattr(spec.threshold, name)) for name in PRICES}
    usual = spec.threshold.model_dump()
    threshold = {"by": rule, **(prices if rule == "cost" else {})}
    wanted = {
        "trials": (int(trials), search.trials),
        "seconds": (float(seconds), float(round(search.seconds))),
        "selection_metric": (metric, spec.selection_metric),
        "threshold": (threshold, {name: usual[name] for name in threshold}),
    }
    return {name: given for name, (given, before) in wanted.items() if given != before}


def _price(name: str, usual: float) -> float:
    return st.number_input(f"Cost of a {spelled(name)}", 0.01, 1e6, usual)
