"""How right the answers are: findings, cards, one chart, slices, calibration, labels."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from app import checked, curves, performance_charts, ui
from app.checked import Serving
from app.performance_charts import Moments
from app.series import Bin
from core import releases
from core.monitoring import reports
from core.monitoring.performance import LEVEL, NEWEST, Standard
from core.monitoring.trends import Quality, interval
from core.predictions import Outcome
from core.releases import Served
from core.specs import ModelSpec
from core.statistics.intervals import wilson
from core.tables.entities import ModelVersion
from core.tables.telemetry import MonitorReport

KINDS = {
    "performance": "Accuracy from labels",
    "estimate": "Estimated accuracy",
    "concept": "Concept",
    "service": "Errors and latency",
    "volume": "Traffic",
}
_GRAVITY = ("fail", "error", "warn", "pass", "inconclusive")
_CARDS = {"accuracy": "Accuracy", "f1": "F1", "precision": "Precision"}
_STATES = {
    "ok": "as it was",
    "pass": "as it was",
    "worse": "surely worse",
    "not_enough_evidence": "too few labels to say",
}


def latest(session: Session, serves: Serving | None, kind: str) -> MonitorReport | None:
    """Return what the newest check of a kind found; one that waits for more leaves it as it was."""
    newest = checked.newest(session, serves, kind)
    waits = newest is not None and newest.state == "inconclusive"
    return (checked.newest(session, serves, kind, judged=True) if waits else None) or newest


def gravest(latest: Mapping[str, MonitorReport | None]) -> MonitorReport | None:
    """Return the newest report that matters most; of equals the first kind in `KINDS`."""
    found = [report for kind in KINDS if (report := latest.get(kind))]
    return min(found, key=lambda one: _rank(one.state), default=None)


def _rank(state: str) -> int:
    return _GRAVITY.index(state) if state in _GRAVITY else len(_GRAVITY)


def unjudged(
    serves: Serving | None, n_labelled: int, requests: int, span: str, now: datetime
) -> tuple[str, ui.Color]:
    """Say what is known before any check has told of what serves, and in which colour."""
    said = f"{serves.unchecked(now)} " if serves else ""
    if n_labelled:
        return f"{said}{ui.count(n_labelled, 'labelled answer')} so far.", "gray"
    if requests:
        return f"{said}Requests are answered, but no label has arrived yet.", "orange"
    return f"{said}No request was answered in the last {span}.", "gray"


def fell(
    said: MonitorReport | None,
    labelled: Sequence[Outcome],
    serves: Serving | None,
    spec: ModelSpec,
    version: ModelVersion | None,
) -> str:
    """Say what labels show that no check has judged yet, where an estimate expects no fall.

    `labelled` are newest first. Nothing where the head is of another kind, or where these are too
    few or agree with it.
    """
    if said is None or (said.kind, said.state) != ("estimate", "pass") or not (serves and version):
        return ""
    own = [row for row in labelled if row.version == serves.version and row.at >= serves.since]
    own = own[:NEWEST]
    if "accuracy" not in version.metrics:
        return ""
    standard = Standard.of(spec, version.metrics)
    if len(own) < standard.fewest:
        return ""
    share = wilson(sum(row.correct for row in own), len(own), level=LEVEL)
    if share.high >= standard.accuracy or standard.accuracy - share.value <= standard.warning:
        return ""
    return (
        f"Accuracy {share.value:.1%} ({share.low:.1%} to {share.high:.1%}) on the "
        f"{ui.count(len(own), 'label')} so far; {standard.accuracy:.1%} at registration. Labels "
        "show a fall that the estimate does not; it is not judged yet whether they are typical."
    )


def findings(
    latest: Mapping[str, MonitorReport | None], shown: MonitorReport | None, *, fallen: bool = False
) -> None:
    """Say what the newest check of each kind found, but for what the head has said.

    Where labels show that accuracy has `fallen`, an estimate that expects none is not to be green.
    """
    for kind, title in KINDS.items():
        report = latest.get(kind)
        if report is None or (report is shown and not fallen):
            continue
        doubted = fallen and report is shown
        dot = ui.dot("gray" if doubted else ui.color(report.state))
        more = " Labels say otherwise: believe them." if doubted else ""
        st.markdown(f"{dot} {title}: {ui.plain(report.sentence + more)}")


def what_to_do(shown: MonitorReport | None, model: str) -> None:
    """Say what a person should do about the finding in the head."""
    if shown is None or shown.state not in ("warn", "fail"):
        return
    if shown.kind in ("service", "volume"):
        st.markdown("What to do: look at traffic below; was something released just now?")
        ui.link("releases", "Releases: roll back", model=model)
    else:
        st.markdown("What to do: see since when below, and whether a release or the data changed.")
        with st.container(horizontal=True):
            ui.link("incidents", "Incidents")
            ui.link("drift", "Drift", model=model)
            ui.link("releases", "Releases: roll back", model=model)


def marks(history: Sequence[Served], most: int = 12) -> list[tuple[datetime, str]]:
    """Return the newest releases and rollbacks as moments of a chart, in short words."""
    newest = [one.release for one in history[:most]]
    return [(one.at, f"{'↩ ' if one.undoes else ''}{releases.label(one)}") for one in newest]


def before(session: Session, model: str, history: Sequence[Served]) -> MonitorReport | None:
    """Return the newest judged performance of what served before the present version."""
    served = list(dict.fromkeys(releases.champion(one.release) for one in history))
    for version in served[1:4]:
        if found := reports.judged(session, model, version, "performance", limit=1):
            return found[0]
    return None


def cards(now: MonitorReport, before: MonitorReport | None) -> None:
    """Show accuracy, F1 and precision, with the change since the release before and n."""
    old = _values(before.figures) if before else _registered(now.figures)
    since = f"since {before.version}" if before else "since registration"
    places = st.columns(len(_CARDS))
    for place, (name, title) in zip(places, _CARDS.items(), strict=True):
        value, was = _values(now.figures).get(name), old.get(name)
        change = None
        if value is not None and was is not None:
            change = f"{100 * (value - was):+.1f} points {since}"
        low, high = interval(now.figures, name)
        ends = f"Interval {low:.3f} to {high:.3f}. " if low is not None and high is not None else ""
        n = now.figures.get("n_labelled", now.n_current)
        place.metric(
            f"{title}, n = {n:,}",
            f"{value:.3f}" if value is not None else ui.NOTHING,
            change,
            delta_color="normal",
            help=f"{ends}On {n:,} labelled answers of version {now.version}.",
        )


def _values(figures: Mapping[str, Any]) -> dict[str, float]:
    return {name: figures[name] for name in _CARDS if figures.get(name) is not None}


def _registered(figures: Mapping[str, Any]) -> dict[str, float]:
    metrics = figures.get("metrics") or {}
    told = {name: (metrics.get(name) or {}).get("registered") for name in _CARDS}
    told["accuracy"] = told["accuracy"] or figures.get("baseline_accuracy")
    told["f1"] = told["f1"] or figures.get("baseline_f1")
    return {name: value for name, value in told.items() if value is not None}


def quality(
    bins: Sequence[Bin],
    estimated: Sequence[Quality],
    *,
    marked: Moments,
    spec: ModelSpec,
    version: ModelVersion | None,
) -> None:
    """Show realised beside estimated accuracy by version, on one chart and as a table."""
    if not bins and not estimated:
        ui.empty(
            "No label has arrived in this span.",
            "Clients send the truth to POST /feedback with the prediction's id; accuracy follows.",
        )
        return
    if bins:
        newest = bins[-1]
        words = ui.with_interval(newest.value, (newest.low, newest.high), newest.n)
        alone = f"The newest {ui.count(newest.n, 'label')} alone"
        st.markdown(f"{alone}: accuracy **{ui.plain(words)}**")
    else:
        st.markdown("No label has arrived in this span: all that is known is an estimate.")
    figure = performance_charts.accuracy(
        bins,
        estimated,
        releases=marked,
        baseline=version.metrics.get("accuracy") if version else None,
        floor=spec.policy.accuracy_floor,
    )
    ui.chart(figure, "accuracy", "accuracy over time with intervals")
    if estimated:
        st.caption(
            "An estimate needs no labels. It assumes that the concept has not changed: "
            "where labels say something else, believe the labels. "
            "Where estimates are many, the lowest of each stretch of time is drawn."
        )
    if bins:
        with st.expander("As a table"):
            ui.table(
                {
                    "until": ui.utc(one.end),
                    "version": one.version,
                    "n": one.n,
                    "accuracy": ui.figure(one.value),
                    "95 % interval": f"{one.low:.4f} to {one.high:.4f}",
                }
                for one in reversed(bins)
            )


def slices(figures: Mapping[str, Any], spec: ModelSpec) -> None:
    """Show accuracy per slice with its interval and a verdict in words."""
    ui.section("Slices")
    found = figures.get("slices")
    if not found:
        named = ", ".join(spec.monitoring.slices)
        ui.empty(
            "No slice was judged.",
            f"The next check with labels judges {named}."
            if named
            else "Name features under monitoring: slices in the model's spec, say slices: [sex].",
        )
        return
    order = {"worse": 0, "ok": 2, "pass": 2}
    ui.small_table(
        {
            "slice": one["name"],
            "n": one["n"],
            "accuracy": ui.figure(one.get("accuracy")),
            "interval": _ends(one.get("interval")),
            "at registration": ui.figure(one.get("registered")),
            "verdict": _STATES.get(one["state"], one["state"]),
        }
        for one in sorted(found, key=lambda one: order.get(one["state"], 1))
    )


def _ends(ends: Sequence[float] | None) -> str:
    return f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else ui.NOTHING


def calibration(figures: Mapping[str, Any]) -> None:
    """Show whether what is said with 90 % is true in 90 % of the cases."""
    points = figures.get("calibration")
    if not isinstance(points, list) or not points:
        return
    ui.section("Calibration")
    shown = [[one["mean"], one["share"], one["n"]] for one in points]
    ui.chart(curves.calibration(shown), "calibration", "share that was positive per probability")
    error = ((figures.get("metrics") or {}).get("ece") or {}).get("value")
    off = f" On average the two are {error:.1%} apart." if error is not None else ""
    st.caption(f"On the dotted line, what is said with 90 % is true in 90 % of the cases.{off}")


def labels(report: MonitorReport | None) -> None:
    """Show how many answers have a label, how late labels come, and whether they are typical."""
    told = report.figures.get("labels") if report else None
    if not told:
        return
    ui.section("Labels")
    if told.get("selective"):
        st.warning(ui.plain(f"Take the figures with care. {told.get('sentence', '')}"))
    elif told.get("sentence"):
        st.markdown(ui.plain(told["sentence"]))
    rows = {
        "answers with a label": _share(told.get("coverage")),
        "labels": ui.figure(told.get("n_labelled")),
        "half of the labels come within": _hours(told.get("lag_median_hours")),
        "90 % of the labels come within": _hours(told.get("lag_p90_hours")),
        "an answer is judged once it is older than": _hours(told.get("delay_hours")),
        "said positive: labelled answers": _share(told.get("positive_labelled")),
        "said positive: other answers": _share(told.get("positive_unlabelled")),
    }
    ui.small_table({"fact": name, "value": value} for name, value in rows.items())


def _share(value: float | None) -> str:
    return ui.NOTHING if value is None else f"{value:.1%}"


def _hours(value: float | None) -> str:
    if value is None:
        return ui.NOTHING
    if value < 1 / 30:
        return f"{3600 * value:.0f} s"
    return f"{60 * value:.0f} min" if value < 2 else f"{value:.1f} h"


def service(report: MonitorReport | None) -> None:
    """Show errors and latency of each version, as the newest check judged them."""
    versions = report.figures.get("versions") if report else None
    if not versions:
        return
    ui.small_table(
        {
            "version": one["version"],
            "requests": one["requests"],
            "errors": f"{one['error_rate']:.2%}",
            "errors surely between": _shares(one.get("error_interval")),
            "95 % come within": _within(one.get("latency_p95")),
        }
        for one in versions
    )
    st.caption("Since the check before; latency is known to the bounds of its buckets.")


def _shares(ends: Sequence[float] | None) -> str:
    return f"{ends[0]:.2%} and {ends[1]:.2%}" if ends else ui.NOTHING


def _within(p95: Mapping[str, Any] | None) -> str:
    if not p95 or p95.get("value") is None:
        return ui.NOTHING
    high = p95.get("high")
    upper = f"{high:g} ms" if high is not None else "no known bound"
    return f"{p95['value']:.0f} ms ({p95['low']:g} to {upper})"


def concept(report: MonitorReport | None) -> None:
    """Show what labels say against what was estimated of the same answers."""
    if report is None or report.figures.get("realised") is None:
        return
    ui.section("Has the concept changed?")
    st.markdown(f"{ui.dot(ui.color(report.state))} {ui.plain(report.sentence)}")
    figures = report.figures
    rows = {
        "accuracy from labels": ui.figure(figures["realised"]),
        "accuracy estimated of the same answers": ui.figure(figures.get("estimated")),
        "difference": _difference(figures),
        "evidence, of what raises the alarm": _share(figures.get("evidence")),
    }
    ui.small_table({"fact": name, "value": value} for name, value in rows.items())


def _difference(figures: Mapping[str, Any]) -> str:
    ends, level = figures.get("gap_interval"), figures.get("level")
    told = f" ({level:.0%} interval {ends[0]:+.3f} to {ends[1]:+.3f})" if ends and level else ""
    return f"{figures['gap']:+.3f}{told}" if figures.get("gap") is not None else ui.NOTHING
