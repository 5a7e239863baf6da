"""Compare two versions on live traffic: plan, start through an approval, read, conclude."""

import streamlit as st

from app import session, ui, verdicts
from core import recommendations, registry, releases
from core.access import may
from core.experiments import lifecycle
from core.tables.entities import Experiment

panel, actor = session.panel(), session.actor()
now = panel.clock()


def show(row: Experiment) -> None:
    """Show one experiment: the verdict in a sentence, the arms, what can be done."""
    with panel.db.read() as db:
        status = lifecycle.status(db, row.id)
    with st.container(border=True, key=f"experiment-{row.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(status["state"])
            if status["result"]:
                ui.badge(status["result"])
            st.markdown(f"**{ui.plain(row.name)}**: {ui.plain(row.hypothesis)}", width="content")
        st.markdown(ui.plain(status["sentence"]))
        verdicts.show(row, status)
        began = f"; started {ui.when(row.started_at, now)}" if row.started_at else ""
        st.caption(ui.plain(f"drafted {ui.when(row.at, now)} by {row.author}{began}"))
        if status["state"] == "draft":
            start(row)
        elif status["state"] == "running":
            conclude(row)


def start(row: Experiment) -> None:
    """Offer to propose the start; somebody else approves it."""
    allowed = may(actor, "recommendation.propose")
    if allowed and st.button("Propose to start", key=f"start-{row.id}"):
        with ui.reporting():
            recommendations.propose(
                panel.db,
                actor,
                model=row.model,
                kind="start_experiment",
                arguments={"experiment_id": row.id},
                title=f"Start experiment {row.name}: {row.treatment} to {row.share:.0%} of traffic",
                reasoning=row.hypothesis,
            )
            ui.done("The start waits for an approver in the inbox.")


def conclude(row: Experiment) -> None:
    """Offer to end the experiment."""
    if not may(actor, "experiment.stop"):
        return
    words = f"Stop; {row.control} serves everything"
    if reason := ui.reason_form(f"stop-{row.id}", words, label="Why stop?"):
        with ui.reporting():
            made = lifecycle.stop(panel.db, actor, row.id, reason=reason)
            ui.done(f"{made.name} is stopped: {made.result}.")


def plan() -> None:
    """Set up an experiment; the number of labels it needs follows the choices."""
    names = sorted(usable, key=lambda name: name != serving)
    left, right = st.columns(2)
    control = left.selectbox("Control", names)
    treatment = right.selectbox("Treatment", [name for name in names if name != control])
    percent = left.slider("Share of traffic to the treatment", 1, 50, 10, format="%d %%")
    points = right.slider("Smallest difference that matters", 0.5, 10.0, 2.0, format="%.1f points")
    share, effect = percent / 100, points / 100
    verdicts.calculator(usable[control].metrics.get("accuracy"), effect=effect, share=share)
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
                share=share,
                hypothesis=hypothesis,
                minimum_effect=effect,
            )
            ui.done(f"{made.name} is drafted; propose its start next.")


# load
top = st.container()
model = ui.pick_model(panel)
wanted = st.query_params.get("id")
with panel.db.read() as db:
    chosen = lifecycle.get(db, wanted) if wanted else None
    rows = lifecycle.all(db, model=model)
    versions = registry.versions(db, model)
    release = releases.find_current(db, model)
    live = lifecycle.running(db, model)
    sentence = lifecycle.status(db, live.id)["sentence"] if live else ""
serving = releases.champion(release) if release else ""
usable = {row.version: row for row in versions if row.state in ("candidate", "approved")}

# render
quiet = f"No experiment runs; {ui.count(len(rows), 'experiment')} set up so far."
ui.head(
    "Experiments", f"{live.name}: {sentence}" if live else quiet, "blue" if live else "gray", at=top
)
for row in [chosen] if chosen else rows[:20]:
    show(row)
if chosen:
    ui.link("experiments", "All experiments", model=chosen.model)
elif not rows:
    ui.empty("No experiment was set up yet.", "It takes two versions that may serve.", "training")
if len(usable) > 1 and may(actor, "experiment.draft") and not chosen:
    ui.section("Plan an experiment")
    plan()
