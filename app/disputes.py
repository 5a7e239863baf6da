"""Predictions of which two sources say different things, and the form that decides one."""

from collections.abc import Sequence

import streamlit as st

from app import ui
from core import labels
from core.access import Actor, may
from core.labels import Dispute
from core.panel import Panel


def show(panel: Panel, actor: Actor, rows: Sequence[Dispute], total: int) -> None:
    """Show disputes, and let a person decide one of them."""
    if not rows:
        return
    ui.section("Disputed labels")
    n = ui.count(total, "prediction was", "predictions were")
    st.markdown(f"{n} labelled differently by two sources, and counts only once somebody decides.")
    ui.table(
        {
            "prediction": one.prediction.id,
            "at": ui.utc(one.prediction.at),
            "answered": one.prediction.label,
            "said": "; ".join(str(word) for word in one.words),
        }
        for one in rows
    )
    if may(actor, "label.resolve"):
        _decide(panel, actor, {one.prediction.id: one for one in rows})


def _decide(panel: Panel, actor: Actor, rows: dict[str, Dispute]) -> None:
    left, right = st.columns(2)
    chosen = left.selectbox("Prediction", list(rows), key="dispute")
    sides = sorted({word.value for word in rows[chosen].words})
    value = right.selectbox("What was true", sides, key=f"truth-{chosen}")
    if reason := ui.reason_form(f"decide-{chosen}", "Decide"):
        with ui.reporting():
            labels.resolve(panel.db, actor, chosen, value, reason=reason)
            ui.done(f"{value} counts as the truth of this prediction.")
