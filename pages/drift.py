"""Has the data changed? The finding first, then what to do, how sure, since when, and in what."""

import streamlit as st

from app import drift_columns, drifts, full_reports, session, ui
from core import incidents, jobs, specs
from core.access import may
from core.monitoring import reports

panel, actor = session.panel(), session.actor()
now = panel.clock()


def check_now() -> None:
    """Offer a check outside the schedule."""
    if may(actor, "report.request") and st.button("Check now", key="check-now"):
        with ui.reporting():
            key = f"monitor-now:{model}:{now:%Y%m%d%H%M}"
            jobs.request(panel.db, actor, "monitor", {"model": model}, key=key)
            ui.done("A check is queued; its result shows here in a few seconds.")


# load
top = st.container()
model = ui.pick_model(panel)
with panel.db.read() as db:
    spec = specs.active(db, model)
    history = reports.reports(db, model, "drift", limit=120)
    wanted = st.query_params.get("report")
    asked = reports.get(db, wanted) if wanted else None
    inputs = next(iter(reports.reports(db, model, "quality", limit=1)), None)
    unresolved = incidents.all(db, open_only=True)
judged = [row for row in history if row.state in reports.JUDGED]
newest = next(iter(history), None)
chosen = asked or next(iter(judged), newest)
mine = [one for one in unresolved if one.model == model and one.cause == "drift"]

# render
if chosen is None:
    ui.head("Drift", f"{spec.title} was not checked yet.", at=top)
    need = spec.monitoring.min_samples
    ui.empty(
        "No window was compared yet.",
        f"A check needs a release and {need} predictions.",
        "automation",
    )
    check_now()
else:
    ui.head("Drift", chosen.sentence, ui.color(chosen.state), at=top)
    with top:
        drifts.next_step(chosen, next(iter(mine), None))
    if wanted:
        origin = ", judged afterwards from history" if chosen.origin == "backfill" else ""
        st.caption(f"You look at an earlier window{origin}.")
        ui.link("drift", "The newest window", model=model)
    elif newest and newest.id != chosen.id:
        st.caption(ui.plain(f"Since then: {newest.sentence}"))
    check_now()
    if judged:
        ui.section("How sure")
        drifts.budget(chosen, spec)
        drifts.score(judged, chosen.figures.get("threshold"))
    if "new_terms" in chosen.figures:
        drifts.words(chosen.figures)
    if chosen.figures.get("columns"):
        ui.section("Columns")
        sides = drift_columns.sides(panel, spec, chosen)
        drift_columns.relation(chosen.figures, sides)
        heat = st.container()
        column = drift_columns.pick(chosen.figures)
        with heat:
            drift_columns.over_time(judged, column or "")
        if column:
            drift_columns.one(chosen, judged, column, sides)
        with st.expander("All columns as a table"):
            drift_columns.table(chosen.figures)
    drifts.beside(chosen, inputs)
    with st.expander("What was compared, and how"):
        drifts.facts(chosen, now)
    with st.expander("Other windows"):
        drifts.others(history, chosen, model=model)
    if chosen.state in reports.JUDGED:
        ui.section("Full report")
        full_reports.show(panel, actor, chosen, history)
