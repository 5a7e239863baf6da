"""The versions of a model: compare two, read what the gate said, propose one for release."""

import streamlit as st

from app import session, ui, versions
from core import recommendations, registry, releases
from core.access import may
from core.tables.entities import ModelVersion

panel, actor = session.panel(), session.actor()
now = panel.clock()


def propose(row: ModelVersion) -> None:
    """Offer to propose the version for release; somebody else decides."""
    if not may(actor, "recommendation.propose"):
        return
    st.markdown(f"Propose {ui.plain(row.version)} for release; an approver decides in the inbox.")
    form = f"propose-{row.version}"
    if reason := ui.reason_form(form, "Propose for release", primary=True):
        with ui.reporting():
            recommendations.propose_promotion(
                panel.db, panel.settings, actor, model=model, version=row.version, reason=reason
            )
            ui.done(f"{row.version} waits for an approver in the inbox.")


def compare() -> None:
    """Let a person choose two versions and set them side by side."""
    names = [row.version for row in found]
    left, right = st.columns(2)
    serving = next((v for v in names if v in live), names[-1])
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
    newest = f"the newest is {found[0].version}: {versions.gate_words(found[0])}"
    count = f"{len(found)} version{'s' * (len(found) > 1)}"
    ui.head("Models", f"{count}; {serves} serves; {newest}.", "green" if live else "gray", at=top)
    versions.table(found[:200], live, now)
    row = chosen or found[0]
    if len(found) > 1:
        names = [one.version for one in found]
        picked = st.selectbox("Look at", names, index=names.index(row.version))
        row = next(one for one in found if one.version == picked)
    versions.detail(row, live, now)
    ui.link("try_it", "Try this version", model=model, version=row.version)
    if row.version not in live and row.state not in ("rejected", "archived"):
        propose(row)
    if len(found) > 1:
        ui.section("Side by side")
        compare()
