"""What can be done with an experiment: set it up, propose its start or another share, end it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import ui, verdicts
from core import recommendations, registry, releases
from core.access import Actor, may
from core.experiments import lifecycle, results
from core.panel import Panel
from core.tables.entities import Experiment, ModelVersion, Recommendation

MODES = {
    "canary": "Canary: it answers a part of the users",
    "shadow": "Shadow: it answers for the log only",
}


def waits(panel: Panel, row: Experiment, status: Mapping[str, Any]) -> list[Recommendation]:
    """Link to what waits for a decision about an experiment, and return it.

    That is also the release of its winner; what was proposed of an earlier release is left out.
    """
    with panel.db.read() as db:
        current = releases.find_current(db, row.model)
        found = [one for one in recommendations.waiting(db, model=row.model)
                 if current is None or one.release_seq == current.seq]  # fmt: skip
    won = {"version": row.treatment} if status["result"] == "won" else None
    about = [one for one in found
             if one.arguments.get("experiment_id") == row.id
             or (one.kind == "promote" and one.arguments == won)]  # fmt: skip
    for one in about:
        ui.link("recommendation", f"Waits for a decision: {one.title}", id=one.id)
    return about


def follow(panel: Panel, actor: Actor, row: Experiment, status: Mapping[str, Any]) -> None:
    """Say what to do next while the control serves; offer to propose the release of a winner."""
    with panel.db.read() as db:
        current = releases.find_current(db, row.model)
        winner = registry.get(db, row.model, row.treatment)
    if current is None or releases.champion(current) != row.control:
        return
    st.markdown(ui.plain(results.advice(status)))
    if status["result"] != "won" or status["state"] != "stopped":
        return
    if not registry.releasable(winner):
        st.caption("The gate does not let it through: an approver may override that on its page.")
        ui.link("models", f"Version {row.treatment}", model=row.model, version=row.treatment)
    elif may(actor, "recommendation.propose"):
        _release(panel, actor, row, str(status["sentence"]))


def _release(panel: Panel, actor: Actor, row: Experiment, sentence: str) -> None:
    if st.button(f"Propose to release {row.treatment}", key=f"release-{row.id}", type="primary"):
        with ui.reporting():
            recommendations.propose_promotion(
                panel.db,
                panel.settings,
                actor,
                model=row.model,
                version=row.treatment,
                reason=f"It won experiment {row.name}: {sentence}",
            )
            ui.done(f"{row.treatment} waits for an approver in the inbox.")


def start(panel: Panel, actor: Actor, row: Experiment) -> None:
    """Offer to propose the start; somebody else approves it."""
    if not may(actor, "recommendation.propose"):
        return
    if st.button("Propose to start", key=f"start-{row.id}"):
        with ui.reporting():
            recommendations.propose(
                panel.db,
                actor,
                model=row.model,
                kind="start_experiment",
                arguments={"experiment_id": row.id},
                title=f"Start experiment {row.name}: {lifecycle.plan(row)}",
                reasoning=row.hypothesis,
            )
            ui.done("The start waits for an approver in the inbox.")


def widen(panel: Panel, actor: Actor, row: Experiment) -> None:
    """Offer to propose another share of the traffic for a canary."""
    if row.mode != "canary" or not may(actor, "recommendation.propose"):
        return
    with st.form(f"widen-{row.id}", border=False):
        percent = st.number_input("Share of traffic, %", 0.1, 99.9, row.share * 100, 0.1)
        submitted = st.form_submit_button("Propose this share")
    if submitted:
        with ui.reporting():
            recommendations.propose(
                panel.db,
                actor,
                model=row.model,
                kind="widen_experiment",
                arguments={"experiment_id": row.id, "share": f"{percent / 100:.3f}"},
                title=f"Give {row.treatment} {percent:g} % of traffic ({row.name})",
                reasoning=row.hypothesis,
            )
            ui.done("The new share waits for an approver in the inbox.")


def conclude(panel: Panel, actor: Actor, row: Experiment) -> None:
    """Offer to end the experiment."""
    if not may(actor, "experiment.stop"):
        return
    words = f"Stop; {row.control} serves everything"
    if reason := ui.reason_form(f"stop-{row.id}", words, label="Why stop?"):
        with ui.reporting():
            made = lifecycle.stop(panel.db, actor, row.id, reason=reason)
            ui.done(f"{made.name} is stopped: {made.result}.")


def plan(
    panel: Panel, actor: Actor, model: str, usable: Mapping[str, ModelVersion], serving: str
) -> None:
    """Set up an experiment; the number of labels it needs follows the choices."""
    names = sorted(usable, key=lambda name: name != serving)
    left, right = st.columns(2)
    control = left.selectbox("Control", names)
    treatment = right.selectbox("Treatment", [name for name in names if name != control])
    mode = left.radio("How", list(MODES), format_func=MODES.__getitem__)
    points = right.slider("Smallest difference that matters", 0.5, 10.0, 2.0, format="%.1f points")
    share = _share() if mode == "canary" else 0.0
    accuracy = usable[control].metrics.get("accuracy")
    verdicts.calculator(accuracy, effect=points / 100, share=share)
    with st.form("draft", border=False):
        name = st.text_input("Name", max_chars=100)
        hypothesis = st.text_input("What do you expect?", max_chars=500)
        submitted = st.form_submit_button("Draft the experiment", type="primary")
    if submitted:
        with ui.reporting():
            made = lifecycle.draft(
                panel.db,
                actor,
                model=model,
                name=name,
                control=control,
                treatment=treatment,
                mode=mode,
                share=share,
                hypothesis=hypothesis,
                minimum_effect=points / 100,
            )
            ui.done(f"{made.name} is drafted; propose its start next.")


def _share() -> float:
    percent = st.number_input("Share of traffic to the treatment, %", 0.1, 99.9, 10.0, 0.1)
    return round(percent / 100, 3)
