"""What happened over days, weeks and months, how trainings ended, and the answers right now."""

from collections.abc import Sequence

import streamlit as st

from app import performance_charts, ui
from app.performance_charts import Moments
from core import predictions
from core.monitoring import retrainings, trends
from core.monitoring.labels import short
from core.monitoring.retrainings import Training
from core.panel import Panel
from core.tables.telemetry import Prediction

PER: dict[str, trends.Per] = {"Day": "day", "Week": "week", "Month": "month"}
NEWEST = 15
SECONDS = 3
LONGEST_INPUT = 60


def over(panel: Panel, model: str) -> None:
    """Show requests, accuracy and drift by day, week or month; drawn only where they are opened."""
    ui.section("Long trends")
    drawer = st.expander(
        "By day, week or month", key="trends", on_change="rerun", bind="query-params"
    )
    if drawer.open:
        with drawer:
            _periods(panel, model)


def _periods(panel: Panel, model: str) -> None:
    per = PER[st.selectbox("Per", list(PER), key="per", bind="query-params", width=160)]
    now = panel.clock()
    with panel.db.read() as db:
        traffic = trends.traffic(db, model, per, now=now)
        realised = trends.accuracy(db, model, "performance", per, now=now)
        estimated = trends.accuracy(db, model, "estimate", per, now=now)
        drifted = trends.judged(db, model, "drift", per, now=now)
    n = len(traffic)
    if not any(one.requests for one in traffic) and not realised and not drifted:
        ui.empty(f"Nothing happened in {n} {per}s.", "Look again once requests were answered.")
        return
    ui.chart(performance_charts.periods(traffic), "trend-traffic", f"requests per {per}")
    if realised or estimated:
        figure = performance_charts.trend(realised, estimated, traffic)
        ui.chart(figure, "trend-accuracy", f"accuracy per {per}")
    if drifted:
        ui.chart(performance_charts.drifted(drifted, traffic), "trend-drift", f"drift per {per}")
    with st.expander("These trends as a table"):
        by_start = {one.start: one for one in realised}
        ui.table(
            {
                f"{per} from": f"{one.start:%Y-%m-%d}",
                "requests": one.requests,
                "errors": ui.NOTHING if one.error_rate is None else f"{one.error_rate:.2%}",
                "mean latency, ms": ui.figure(one.mean_ms, 1),
                "accuracy": ui.figure(by_start[one.start].value if one.start in by_start else None),
                "windows with drift": _bad([d for d in drifted if d.start == one.start]),
            }
            for one in reversed(traffic)
        )


def _bad(judged: Sequence[trends.Judged]) -> str:
    if not judged:
        return ui.NOTHING
    return f"{sum(one.bad for one in judged)} of {sum(one.windows for one in judged)}"


def trainings(found: Sequence[Training], releases: Moments) -> None:
    """Show how trainings ended over time, and how often they succeed."""
    ui.section("Trainings and releases")
    if not found:
        what = "Start one, or approve one that the agent proposes."
        ui.empty("No training was asked for yet.", what, "training")
        return
    told = retrainings.success(found)
    parts = [f"{n} {outcome}" for outcome, n in told.counts.items() if n]
    rate = "" if told.rate is None else f"**{told.rate:.0%}** of {told.n:,} trainings succeeded: "
    st.markdown(f"{rate}{', '.join(parts)}.")
    drawer = st.expander("Over time", key="timeline", on_change="rerun", bind="query-params")
    if drawer.open:
        with drawer:
            _timeline(found, releases)


def _timeline(found: Sequence[Training], releases: Moments) -> None:
    figure = performance_charts.retrainings(found, releases)
    ui.chart(figure, "trainings", "trainings by how they ended, and releases")
    ui.table(
        {
            "asked for": ui.utc(one.at),
            "how it ended": one.outcome,
            "version": one.version or ui.NOTHING,
            "seconds": ui.figure(one.seconds, 0),
            "asked by": one.trigger,
            "why": short(one.why, 120),
        }
        for one in found[:30]
    )


def feed(panel: Panel, model: str) -> None:
    """Show the newest answers; they are read again every few seconds while somebody wants it."""
    ui.section("Newest predictions")
    live = st.toggle("Follow live", key="live", bind="query-params")
    st.fragment(_newest, run_every=SECONDS if live else None)(panel, model)


def _newest(panel: Panel, model: str) -> None:
    with panel.db.read() as db:
        rows = predictions.recent(db, model, NEWEST)
    if not rows:
        what = "Clients call POST /predict with a key; or try one yourself."
        ui.empty("No prediction is in the log yet.", what, "try_it")
        return
    ui.small_table(
        {
            "at": f"{row.at:%Y-%m-%d %H:%M:%S}",
            "input": _input(row),
            "answer": row.label,
            "p(positive)": f"{row.probability:.3f}",
            "version": row.version,
            "variant": row.variant,
            "ms": f"{row.latency_ms:.1f}",
        }
        for row in rows
    )


def _input(row: Prediction) -> str:
    """Show the beginning of an input, without what could steer a page."""
    message = row.input.get("message")
    if isinstance(message, str):
        return short(message[: 4 * LONGEST_INPUT], LONGEST_INPUT)
    features = row.input.get("features")
    if not isinstance(features, dict):
        return "not stored"
    told = ", ".join(f"{name} {value}" for name, value in list(features.items())[:12])
    return short(told, LONGEST_INPUT)
