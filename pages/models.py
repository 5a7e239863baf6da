"""The versions of a model: what serves and served, one with its gate, two side by side."""

from datetime import UTC, datetime

import streamlit as st

from app import explanations, session, ui, version_steps, versions
from core import registry, releases, specs
from core.tables.entities import DatasetVersion, ModelVersion, Run

panel, actor = session.panel(), session.actor()
now = panel.clock()
MOST_RELEASES = 30


def detail(row: ModelVersion) -> None:
    """Show one version, and what may be done with it."""
    stage = registry.stage(row, release)
    with panel.db.read() as db:
        run = db.get(Run, row.run_id)
        ids = (row.train_dataset_id, row.test_dataset_id, row.reference_dataset_id)
        data = [one for one in (db.get(DatasetVersion, id_) for id_ in ids) if one]
        title = specs.active(db, model).title
    versions.head(row, stage, now)
    parts = st.tabs(["Gate", "Figures", "Curves", "Data and parameters"])
    with parts[0]:
        versions.gate(row)
    with parts[1]:
        versions.figures(row, release)
    with parts[2]:
        versions.drawn(row)
    with parts[3]:
        versions.lineage(row, run, data)
    ui.link("try_it", "Try this version", model=model, version=row.version)
    if stage not in ("production", "archived"):
        version_steps.release(panel, actor, row)
    version_steps.move(panel, actor, row, stage)
    version_steps.downloads(panel, actor, row, title=title, run=run, data=data, stage=stage)


def compare() -> None:
    """Let a person choose two versions and set them side by side."""
    names = [row.version for row in found]
    left, right = st.columns(2)
    serving = next((row.version for row in found if row.version in live), names[-1])
    with left:
        first = st.selectbox(
            "Compare", names, index=names.index(serving), key="a", bind="query-params"
        )
    others = [name for name in names if name != first]
    with right:
        second = st.selectbox("with", others, key="b", bind="query-params")
    with ui.reporting():
        with panel.db.read() as db:
            both = registry.compare(db, model, first, second)
        versions.compare(both)
        if both["paired"] and st.button("Ask both about each row"):
            from core.training import versus

            look = versus.look(panel.db, panel.settings, model, first, second)
            versions.changed(look, first, second)


def history() -> None:
    """Show what served when and why, all of it or at one moment."""
    moment = None
    if st.toggle("At one moment"):
        left, right = st.columns(2)
        day = left.date_input("What served on (UTC)", value=now.date(), format="YYYY-MM-DD")
        hour = right.time_input("at (UTC)", value=now.time().replace(second=0, microsecond=0))
        moment = datetime.combine(day, hour, tzinfo=UTC)
    with ui.reporting(), panel.db.read() as db:
        if moment is None:
            versions.past(releases.past(db, model)[:MOST_RELEASES], now)
        else:
            served = releases.served_at(db, model, moment)
            st.markdown(f"**{ui.plain(releases.label(served.release))}** served then.")
            versions.past([served], now)


# load
top = st.container()
model = ui.pick_model(panel)
with panel.db.read() as db:
    found = registry.versions(db, model)
    release = releases.find_current(db, model)
    wanted = st.query_params.get("version")
    chosen = registry.get(db, model, wanted) if wanted else None
live = [arm.version for arm in releases.arms(release) if arm.weight] if release else []

# render
if not found:
    ui.head("Models", "This model has no version yet.", at=top)
    ui.empty("Nothing to compare or release.", "Train a first version.", "training")
else:
    serves = releases.label(release) if release else "nothing"
    newest = f"the newest is {found[0].version}: {versions.verdict(found[0], release)}"
    count = ui.count(len(found), "version")
    ui.head("Models", f"{count}; {serves} serves; {newest}.", "green" if live else "gray", at=top)
    versions.table(found[:200], release, now)
    row = chosen or found[0]
    if len(found) > 1:
        names = [one.version for one in found]
        picked = st.selectbox("Look at", names, index=names.index(row.version))
        row = next(one for one in found if one.version == picked)
    detail(row)
    explanations.importance(row)
    if len(found) > 1:
        ui.section("Side by side")
        compare()
    if release:
        ui.section("What served when")
        history()
version_steps.bring(panel, actor)
