"""Compare two versions on live traffic: plan, start through an approval, read, conclude."""

import streamlit as st

from app import session, trials, ui, verdicts
from core import registry, releases
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
        st.caption(
            ui.plain(
                f"{lifecycle.plan(row)}; drafted {ui.when(row.at, now)} by {row.author}{began}"
            )
        )
        waiting = trials.waits(panel, row, status)
        if status["state"] != "draft" and not waiting:
            trials.follow(panel, actor, row, status)
        if status["state"] == "draft" and not waiting:
            trials.start(panel, actor, row)
        elif status["state"] == "running":
            trials.widen(panel, actor, row)
            trials.conclude(panel, actor, row)


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
    trials.plan(panel, actor, model, usable, serving)
