"""How versions of a model are shown: all in a table, one with its gate, and the past."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from app import curves, ui
from core import registry, releases
from core.registry.card import FIGURES
from core.releases import Served
from core.tables.entities import DatasetVersion, ModelVersion, Release, Run

ANSWERS = {
    "pass": ("green", "not worse"),
    "refuse": ("red", "worse"),
    "not_enough_evidence": ("orange", "too few rows to pass"),
}
SMALLEST = 0.00005
"""A difference below it is shown as 0.0000."""


def table(rows: Sequence[ModelVersion], release: Release | None, now: datetime) -> None:
    """Show versions, newest first."""
    frame = pd.DataFrame(
        {
            "version": row.version,
            "stage": registry.stage(row, release),
            "state": row.state,
            "accuracy": ui.figure(row.metrics.get("accuracy")),
            "F1": ui.figure(row.metrics.get("f1")),
            "n": row.metrics.get("n_test"),
            "gate": verdict(row, release),
            "algorithm": row.algorithm,
            "registered": ui.when(row.at, now),
        }
        for row in rows
    )
    st.dataframe(frame, hide_index=True, height=min(320, 38 + 35 * len(rows)))


def verdict(row: ModelVersion, release: Release | None) -> str:
    """Say what the gate answered, in words that fit whether the version serves."""
    return registry.verdict(row, serves=registry.stage(row, release) == "production")


def head(row: ModelVersion, stage: str, now: datetime) -> None:
    """Name one version: its stage, its state and what the gate said."""
    ui.section(f"Version {row.version}")
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge("serves" if stage == "production" else stage)
        if row.state != stage:
            ui.badge(row.state)
        said = registry.verdict(row, serves=stage == "production")
        st.markdown(ui.plain(ui.sentence(said)), width="content")
    st.caption(
        ui.plain(
            f"{row.algorithm}; registered {ui.when(row.at, now)}; artifact {row.artifact[:16]}; "
            f"served by {row.plan_note or 'scikit-learn'}"
        )
    )


def gate(row: ModelVersion) -> None:
    """Show why the gate answered what it did, slice by slice, and who overrode it."""
    for reason in row.gate.get("reasons") or ["The gate has not judged it."]:
        st.markdown(f"- {ui.plain(reason)}")
    more = row.gate.get("more_rows_needed")
    if more and "more labelled rows" not in str(row.gate.get("reasons")):
        st.markdown(f"- {more:,} more labelled rows are needed")
    if over := row.overridden:
        st.warning(ui.plain(f"Overridden by {over['by']} at {over['at'][:16]}: {over['reason']}"))
    if slices := row.gate.get("slices"):
        st.markdown("**Per slice**, this version minus what served:")
        least = row.gate.get("min_slice")
        _marked(_slice(one, least) for one in slices)
        if any(one["answer"] == "not_enough_evidence" for one in slices):
            st.caption("Too few rows can show that a version is worse, but not that it is not.")
    if champion := row.gate.get("champion"):
        st.caption(ui.plain(f"Judged against {champion} on n = {row.gate.get('n')} rows."))
    for one in reversed(row.gate.get("earlier") or []):
        said = str(one["answer"]).replace("_", " ")
        st.caption(ui.plain(f"Before, on {one['at'][:10]}: {said} (n = {one['n']})."))


def _slice(part: Mapping[str, Any], least: int | None = None) -> dict[str, str]:
    tone, words = ANSWERS.get(str(part["answer"]), ("gray", str(part["answer"])))
    if least and part["answer"] == "not_enough_evidence":
        words = f"under {least:,} rows: too few to pass"
    return {
        "slice": part["name"],
        "rows": ui.figure(part["n"]),
        "difference": ui.plain(change(part.get("difference") or {})),
        "answer": f":{tone}[●] {words}",
    }


def change(one: Mapping[str, Any]) -> str:
    """Say a difference in accuracy with its interval.

    >>> change({"value": 0.02, "low": -0.01, "high": 0.05})
    '+2.0% (-1.0% to +5.0%)'
    """
    if one.get("value") is None:
        return ui.NOTHING
    return f"{one['value']:+.1%} ({one['low']:+.1%} to {one['high']:+.1%})"


def figures(row: ModelVersion, release: Release | None) -> None:
    """Show the figures on held-out rows with their intervals, and the confusion."""
    metrics, intervals = row.metrics, row.metrics.get("intervals") or {}
    n = metrics.get("n_test")
    st.markdown(f"On **{ui.figure(n)}** held-out rows; positive from {row.threshold:g}.")
    if (cut := releases.threshold(release, row)) != row.threshold:
        st.info(f"It serves with another threshold, set by people: positive from {cut:g}.")
    ui.small_table(
        {
            "figure": name,
            "value": metrics[key],
            "95 % interval": " to ".join(ui.figure(edge) for edge in intervals.get(key) or ())
            or ui.NOTHING,
        }
        for key, name in FIGURES.items()
        if metrics.get(key) is not None
    )
    if cells := metrics.get("confusion"):
        positive = row.signature.get("positive", "positive")
        other = next((x for x in row.signature.get("labels", ()) if x != positive), "negative")
        ui.small_table(
            [
                {"truth": positive, f"said {positive}": cells["tp"], f"said {other}": cells["fn"]},
                {"truth": other, f"said {positive}": cells["fp"], f"said {other}": cells["tn"]},
            ]
        )


def drawn(row: ModelVersion) -> None:
    """Show the ROC, precision-recall and calibration curves."""
    metrics, key = row.metrics, row.version
    if not metrics.get("roc"):
        st.caption("No curves were kept: the held-out rows had one class only.")
        return
    share = (metrics.get("n_positive") or 0) / (metrics.get("n_test") or 1)
    left, right = st.columns(2)
    with left:
        roc = curves.curve(metrics["roc"], x="false positive rate", y="true positive rate",
                           chance=[[0, 0], [1, 1]])  # fmt: skip
        ui.chart(roc, f"roc-{key}", f"ROC curve; area {ui.figure(metrics.get('roc_auc'))}")
    with right:
        pr = curves.curve(metrics["pr"], x="recall", y="precision",
                          chance=[[0, share], [1, share]])  # fmt: skip
        ui.chart(pr, f"pr-{key}", f"Precision over recall; {share:.1%} are positive")
    words = f"Calibration; Brier score {ui.figure(metrics.get('brier'))}, smaller is better"
    ui.chart(curves.calibration(metrics["calibration"]), f"calibration-{key}", words)
    st.caption(words)


def lineage(row: ModelVersion, run: Run | None, data: Sequence[DatasetVersion]) -> None:
    """Show what a version was trained on, by whom and with which parameters."""
    if data:
        ui.small_table(
            {"role": one.role, "rows": one.n_rows, "source": one.source, "id": one.id[:13]}
            for one in data
        )
    if run is None:
        st.caption(ui.plain(f"Run {row.run_id} is not described here."))
        return
    words = f"A {run.kind} by {run.author} through the {run.trigger}"
    st.markdown(ui.plain(ui.sentence(f"{words}: {run.reason}" if run.reason else words)))
    if run.parameters:
        ui.small_table({"parameter": k, "value": str(v)} for k, v in sorted(run.parameters.items()))


def compare(both: dict[str, Any]) -> None:
    """Show what `registry.compare` found: figures, paired rows, slices, parameters, data."""
    first, second = both["versions"]
    minus = f"{second} minus {first}"
    rows = []
    for name, pair in both["metrics"].items():
        one, other = (
            ui.plain(ui.with_interval(value, interval).replace("95 % interval ", ""))
            for value, interval in zip(pair["values"], pair["intervals"], strict=True)
        )
        paired = both["paired"] if name == "accuracy" else None
        better = _better(pair, paired)
        rows.append({"figure": FIGURES[name], first: one, second: other, minus: better})
    _marked(rows)
    _paired(both)
    if both["slices"]:
        st.markdown(f"**Per slice**, {ui.plain(minus)}:")
        _marked(
            _slice({**one, "difference": {**one, "value": one["difference"]}})
            for one in both["slices"]
        )
    sides = both["sides"]
    told = [("threshold", *(side["threshold"] for side in sides)),
            ("training rows", *(side["train_rows"] for side in sides)),
            ("trained on", *(side["train_source"] for side in sides))]  # fmt: skip
    ui.small_table(
        {"differs": name, first: _said(a), second: _said(b)}
        for name, a, b in [*told, *both["parameters"]]
        if a != b
    )


def _said(value: object) -> str:
    return ui.figure(value)


def _better(pair: Mapping[str, Any], paired: Mapping[str, Any] | None) -> str:
    """Say a difference and whether it is the better; the words say what the colour says.

    One that rounds to nothing, or that the intervals do not tell from nothing, is neither.
    """
    value = pair["difference"]
    if value is None:
        return ui.plain(ui.NOTHING)  # a bare dash would be a list
    if abs(value) < SMALLEST:
        return "0.0000" if value else "0.0000 the same"
    shown = ui.plain(f"{value:+.4f}")
    if _may_be_chance(pair, paired):
        return f"{shown} may be chance"
    good = (value < 0) == pair["smaller_is_better"]
    return f":{'green' if good else 'red'}[●] {shown} {'better' if good else 'worse'}"


def _may_be_chance(pair: Mapping[str, Any], paired: Mapping[str, Any] | None) -> bool:
    """Say whether a difference may be none: by that on the same rows, else by both intervals."""
    if paired:
        surely = paired["low"] if pair["difference"] > 0 else -paired["high"]
        return bool(surely <= 0)
    (one, other), spreads = pair["values"], pair["intervals"]
    if None in spreads:
        return False
    (low, high), (least, most) = spreads
    return bool(low <= other <= high and least <= one <= most)


def _paired(both: dict[str, Any]) -> None:
    first, second = both["versions"]
    if paired := both["paired"]:
        words = (
            f"On the same {paired['n']:,} rows: only {first} was right "
            f"{paired['only_first_right']} times, only {second} {paired['only_second_right']} "
            f"times; {second} minus {first} is {paired['difference']:+.2%} "
            f"({paired['low']:+.2%} to {paired['high']:+.2%})."
        )
        st.markdown(f"**{ui.plain(words)}**")
    else:
        st.caption("They were not judged on the same rows, so a difference may be chance.")


def changed(found: Any, first: str, second: str) -> None:  # noqa: ANN401, loaded on demand
    """Show which answers differ between two versions, and how each slice fares."""
    n, of = f"{found.changed:,}", f"{found.n:,}"
    st.markdown(f"**{n} of {of}** held-out rows get another answer.")
    if found.left_out:
        st.caption(f"{found.left_out:,} rows are left out: one of the two has learnt them.")
    if found.slices:
        st.markdown(f"**Per slice**, {ui.plain(f'{second} minus {first}')}:")
        _marked(_slice(one) for one in found.to_dict()["slices"])
    if found.rows:
        ui.table(
            {
                "input": ui.flat(one["input"]) if isinstance(one["input"], dict) else one["input"],
                "true": one["true"],
                first: f"{one['first']} ({one['first_confidence']:.0%})",
                second: f"{one['second']} ({one['second_confidence']:.0%})",
                "right": first if one["better"] == "first" else second,
            }
            for one in found.rows
        )


def past(found: Sequence[Served], now: datetime) -> None:
    """Show what served when, why and by whom, in as few columns as a phone has room for."""
    ui.small_table(
        {
            "release": f"{one.release.seq}: {told['serves']} ({one.state})",
            "served": f"since {ui.when(one.release.at, now)}"
            + (f" until {ui.utc(one.until)}" if one.until else ""),
            "why": f"{ui.sentence(told['why'])} By {told['by']}.",
        }
        for one in found
        for told in [one.to_dict()]
    )


def _marked(rows: Any) -> None:  # noqa: ANN401, an iterable of rows with marks of our own
    frame = pd.DataFrame(list(rows))
    if len(frame):
        st.table(frame.set_index(frame.columns[0]))
