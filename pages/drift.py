"""Has the data changed? The finding first, then what to do, how sure, since when, and in what."""

import streamlit as st

from app import checked, drift_columns, drift_past, drifts, full_reports, session, ui
from core import incidents, specs
from core.access import may
from core.incidents import board
from core.monitoring import reports
from core.serving import watched

panel, actor = session.panel(), session.actor()
now = panel.clock()


def check_now() -> None:
    """Offer a check outside the schedule."""
    if may(actor, "report.request") and st.button("Check now", key="check-now"):
        with ui.reporting():
            job = watched.ask(panel.db, actor, model)
            ui.done(f"A check is {job.state}; its result shows here in a few seconds.")


# load
top = st.container()
model = ui.pick_model(panel)
with panel.db.read() as db:
    spec, serves = specs.active(db, model), checked.serving(db, model)
    asked = checked.asked(db, model, ("drift", "quality"))
    newest = checked.newest(db, serves, "drift")
    current = checked.newest(db, serves, "drift", judged=True) or newest
    before = reports.reports(db, model, "drift", 2)  # at most one of them is unfinished
    last = max(before, key=lambda one: one.state in reports.JUDGED, default=None)
    chosen = drifts.beside(db, asked, "drift") or current or last
    inputs = drifts.beside(db, asked or chosen, "quality")
    unresolved = incidents.all(db, open_only=True)
    standing = board.standing(db, spec, "drift")
mine = [one for one in unresolved if one.model == model and one.cause == "drift"]
said = asked or current

# render
if said:
    ui.head("Drift", said.sentence, ui.color(said.state), at=top)
else:
    unchecked = serves.unchecked(now) if serves else "nothing is released."
    ui.head("Drift", f"{spec.title}: {unchecked}", at=top)
if chosen is None:
    need = spec.monitoring.min_samples
    ui.empty(
        "No window was compared yet.",
        f"A check needs a release and {need} predictions.",
        "automation",
    )
    check_now()
    drift_past.offer(panel, actor, model)
else:
    with top:
        drifts.next_step(chosen, current, standing, next(iter(mine), None))
        drifts.where(chosen, current, newest, asked)
    if asked and asked.kind == "quality":
        drifts.inputs(inputs)
    check_now()
    history = drifts.history(panel, chosen)
    if chosen.state in reports.JUDGED:
        ui.section("How sure")
        drifts.budget(chosen, spec)
    drifts.score(history, chosen)
    if "new_terms" in chosen.figures:
        drifts.words(chosen.figures)
    if chosen.figures.get("columns"):
        ui.section("Columns")
        sides = drift_columns.sides(panel, spec, chosen)
        drift_columns.relation(chosen.figures, sides)
        heat = st.container()
        column = drift_columns.pick(chosen.figures)
        with heat:
            drift_columns.over_time(history, column or "")
        if column:
            drift_columns.one(chosen, history, column, sides)
        with st.expander("All columns as a table"):
            drift_columns.table(chosen.figures)
    drifts.limits(chosen)
    if not asked or asked.kind != "quality":
        drifts.inputs(inputs)
    with st.expander("What was compared, and how"):
        drifts.facts(chosen, now)
    with st.expander("Other windows"):
        drifts.others(history, chosen)
    drift_past.offer(panel, actor, model)
    if chosen.state in reports.JUDGED:
        ui.section("Full report")
        full_reports.show(panel, actor, chosen)
