"""Fire drills: would a change be noticed? Start one on a copy of the model, and see how it went."""

import streamlit as st

from app import drill_charts, session, ui
from core import releases, specs
from core.access import may
from core.automation.drill import kinds, rows
from core.errors import NotFoundError
from core.tables.entities import Drill

panel, actor = session.panel(), session.actor()
now = panel.clock()


def state_of(drill: Drill) -> str:
    """Return the state in which a person sees a drill: a queued one may be played by now."""
    with panel.db.read() as db:
        job = rows.job(db, drill.id) if drill.state == "queued" else None
    return job.state if job and job.state == "running" else drill.state


def follow(drill_id: str) -> None:
    """Show how far a drill is; the page runs again when it has ended."""
    with panel.db.read() as db:
        row, job = rows.get(db, drill_id), rows.job(db, drill_id)
    if row.state in ("finished", "failed"):
        ui.done(f"The drill has ended. {row.sentence}")
    if job is None:
        st.info("It is played at a command line.")
        return
    share = min(1.0, job.done / job.total) if job.total else 0.0
    st.progress(share, text=ui.plain(job.note or "waits for a worker"))


def start() -> None:
    """Offer a drill of this model."""
    if not may(actor, "drill.request"):
        st.caption("Starting a drill needs the role operator or higher.")
        return
    with st.form("start-drill"):
        kind = st.selectbox(
            "What should happen?",
            kinds.KINDS,
            format_func=lambda one: f"{one}: {kinds.EXPECTED[one].change}",
        )
        size = st.slider("In which share of the rows?", 0.05, 1.0, rows.SIZE, 0.05)
        seed = st.number_input("Seed (the same one plays the same rows)", 0, 10**6, rows.SEED)
        asked = st.form_submit_button("Start the drill", type="primary")
    st.caption("It is played on a copy: nothing is released, nobody is told, no figure moves.")
    if asked:
        with ui.reporting():
            row = rows.request(panel.db, actor, model, kind, size=size, seed=int(seed))
            st.query_params["id"] = row.id
            ui.done("The drill is queued; a worker plays it in about a minute.")


def show(drill: Drill) -> None:
    """Show one drill: the score, what the agent said, and each check."""
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge(state_of(drill))
        said = f"{drill.kind} in {drill.options['size']:.0%} of the rows, {drill.model}"
        st.markdown(f"**{ui.plain(said)} {ui.plain(drill.version)}**", width="content")
    when, seed = ui.when(drill.at, now), drill.options["seed"]
    st.caption(ui.plain(f"asked for by {drill.author}, {when}; seed {seed}. {drill.sentence}"))
    if drill.state == "queued":
        st.fragment(follow, run_every=2)(drill.id)
    if drill.state != "finished":
        return
    result = drill.result
    ui.small_table(
        {"asked": mark["what"], "good": mark["good"], "how it went": mark["sentence"]}
        for mark in result["score"]["marks"]
    )
    if found := result["diagnosis"]:
        st.markdown(f"**The agent:** {ui.plain(found['title'])}. {ui.plain(found['reasoning'])}")
    alt = f"The checks of this drill, one after the other. {drill.sentence}"
    ui.chart(drill_charts.timeline(result["timeline"]), f"timeline-{drill.id}", alt)
    path = rows.report_path(panel.settings, drill.id)
    if path.is_file():
        st.download_button("Download the report", path.read_bytes, path.name, "text/html")


# load
top = st.container()
model = ui.pick_model(panel)
wanted = st.query_params.get("id")
with panel.db.read() as db:
    spec, served = specs.active(db, model), releases.find_current(db, model)
    history = rows.history(db, model)
    chosen = rows.get(db, wanted) if wanted else next(iter(history), None)
if chosen and chosen.model != model:
    raise NotFoundError(f"there is no drill {wanted} of {model}")

# render
newest = next((row for row in history if row.state == "finished"), None)
good = newest is not None and newest.result["score"]["share"] == 1
finding = (
    f"The last drill ({newest.kind}, {ui.ago(newest.at, now)}): {newest.sentence}"
    if newest
    else f"No drill of {spec.title} has been played yet."
)
ui.head("Fire drill", finding, ("green" if good else "orange") if newest else "gray", at=top)
if served is None:
    ui.empty("Nothing serves yet, so there is nothing to rehearse.", "Release one.", "models")
else:
    start()
if chosen:
    ui.section("One drill")
    show(chosen)
ui.section("History")
for row in history:
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge(state_of(row))
        ui.link("drills", f"{row.kind}, {ui.utc(row.at)}", model=model, id=row.id)
        st.caption(ui.plain(row.sentence), width="content")
if not history:
    ui.empty("No drill yet.", "Start one: it shows whether a change would be noticed.")
