"""Answers whose truth people are asked for: one at a time, the next one follows."""

import streamlit as st

from app import ui
from core import label_requests, labels, predictions
from core.access import Actor, may
from core.panel import Panel
from core.tables.decisions import LabelRequest
from core.tables.telemetry import Prediction

LONGEST = 2_000


def show(panel: Panel, actor: Actor, model: str) -> None:
    """Show how far an open request of a model is, and take the next label; else nothing."""
    with panel.db.read() as db:
        request = label_requests.open_of(db, model)
        if request is None:
            return
        given, wanted = label_requests.given(db, request), len(request.prediction_ids)
        rows = label_requests.unlabelled(db, request, wanted)
        left = st.session_state.setdefault(f"left-{request.id}", set())
        rows = [row for row in rows if row.id not in left][:1]
        classes = predictions.classes(db, [row.id for row in rows])
    ui.section("Labels wanted")
    st.progress(given / wanted, f"{given:,} of {wanted:,} answers have their truth")
    st.caption(ui.plain(f"Asked for by {request.author}: {request.reason}"))
    if rows and may(actor, "label.tell"):
        _ask(panel, actor, request, rows[0], sorted(classes.get(rows[0].id, {rows[0].label})))
    if may(actor, "label_request.close"):
        _close(panel, actor, request, done=not rows)


def _ask(
    panel: Panel, actor: Actor, request: LabelRequest, row: Prediction, classes: list[str]
) -> None:
    """Show what was asked, not what was answered: the answer would lead the eye."""
    with st.container(border=True, key="label-wanted"):
        st.markdown(
            f"What is true of this? It was asked {ui.plain(ui.when(row.at, panel.clock()))}."
        )
        message = row.input.get("message")
        if isinstance(message, str):
            st.text(message[:LONGEST])
        else:
            given = row.input.get("features") or {}
            ui.table({"feature": name, "value": str(value)} for name, value in given.items())
        with st.container(horizontal=True):
            for value in classes:
                if st.button(ui.plain(value), key=f"label-{row.id}-{value}"):
                    _tell(panel, actor, row, value)
            if st.button("I cannot tell", key=f"leave-{row.id}", type="tertiary"):
                st.session_state[f"left-{request.id}"].add(row.id)
                st.rerun()


def _tell(panel: Panel, actor: Actor, row: Prediction, value: str) -> None:
    with ui.reporting():
        labels.tell(panel.db, actor, row.id, value)
        ui.done(f"{value} is noted.")


def _close(panel: Panel, actor: Actor, request: LabelRequest, *, done: bool) -> None:
    with st.expander("Close this request", expanded=done):
        if reason := ui.reason_form(f"close-{request.id}", "Close"):
            with ui.reporting():
                label_requests.close(panel.db, actor, request.id, reason=reason)
                ui.done("No more labels are asked for.")
