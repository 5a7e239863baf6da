"""How versions of a model are shown: one with its gate, two side by side, all in a table."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from app import ui
from core.tables.entities import ModelVersion

GATE = {
    "promote": "the gate says: better, release it",
    "refuse": "the gate refuses it",
    "not_enough_evidence": "the gate says: not enough evidence yet",
}


def gate_words(row: ModelVersion) -> str:
    """Say what the gate answered."""
    return GATE.get(str(row.gate.get("answer")), "the gate has not judged it")


def detail(row: ModelVersion, live: Collection[str], now: datetime) -> None:
    """Show one version: what the gate said, its figures, where it came from."""
    ui.section(f"Version {row.version}")
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge("serves" if row.version in live else row.state)
        st.markdown(ui.plain(gate_words(row)), width="content")
    for reason in row.gate.get("reasons") or []:
        st.markdown(f"- {ui.plain(reason)}")
    if more := row.gate.get("more_rows_needed"):
        st.markdown(f"- {more:,} more labelled rows are needed")
    _figures(row)
    st.caption(
        ui.plain(
            f"{row.algorithm}; registered {ui.when(row.at, now)}; artifact {row.artifact[:16]}"
        )
    )


def _figures(row: ModelVersion) -> None:
    metrics = row.metrics
    names = [n for n in ("accuracy", "f1", "precision", "recall", "roc_auc") if n in metrics]
    if not names:
        return
    for column, name in zip(st.columns(len(names)), names, strict=True):
        column.metric(name.replace("_", " "), ui.figure(metrics[name]))
    interval = (metrics.get("intervals") or {}).get("accuracy")
    known = ui.with_interval(metrics.get("accuracy"), interval, metrics.get("n_test"))
    st.caption(f"On held-out rows: accuracy {known}")


def table(rows: Sequence[ModelVersion], live: Collection[str], now: datetime) -> None:
    """Show versions, newest first."""
    frame = pd.DataFrame(
        {
            "version": row.version,
            "state": "serves" if row.version in live else row.state,
            "accuracy": ui.figure(row.metrics.get("accuracy")),
            "F1": ui.figure(row.metrics.get("f1")),
            "n": row.metrics.get("n_test"),
            "gate": gate_words(row),
            "algorithm": row.algorithm,
            "registered": ui.when(row.at, now),
        }
        for row in rows
    )
    st.dataframe(frame, hide_index=True, height=min(320, 38 + 35 * len(rows)))


def compare(both: dict[str, Any]) -> None:
    """Show what `registry.compare` found: figures, paired rows, parameters."""
    first, second = both["versions"]
    ui.small_table(
        {
            "figure": name,
            first: ui.figure(pair["values"][0]),
            second: ui.figure(pair["values"][1]),
            "difference": ui.figure(pair["difference"]),
        }
        for name, pair in both["metrics"].items()
    )
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
    if both["parameters"]:
        ui.small_table(
            {"parameter": name, first: ui.figure(a), second: ui.figure(b)}
            for name, a, b in both["parameters"]
        )
