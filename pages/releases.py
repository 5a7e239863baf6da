"""What serves, since when and why; roll it back, or undo what was approved."""

import streamlit as st

from app import deciding, notes, proposals, session, ui
from core import actions, outbox, recommendations, releases
from core.access import may
from core.errors import ConflictError
from core.tables.entities import ActionRow, Release

panel, actor = session.panel(), session.actor()
now = panel.clock()
channels = outbox.channels(panel.settings)


def ladder(row: Release, by: str) -> None:
    """Show one release of the ladder."""
    state = releases.state(row, history)
    with st.container(border=True, key=f"release-{row.seq}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(state)
            st.markdown(f"**#{row.seq}: {ui.plain(releases.label(row))}**", width="content")
            if row.mode != "live":
                ui.badge(row.mode)
        undone = f"; takes back #{row.undoes}" if row.undoes else ""
        words = f"{ui.when(row.at, now)} by {by}{undone}. {ui.sentence(row.reason)}"
        st.caption(ui.plain(words))
        arms, cuts = releases.arms(row), releases.set_thresholds(row)
        if cuts:
            told = "; ".join(f"{name} from a probability of {cut:g}" for name, cut in cuts.items())
            st.caption(ui.plain(f"Set by people: positive is {told}."))
        if len(arms) > 1:
            ui.small_table(
                {"version": a.version, "variant": a.variant, "traffic": f"{a.weight / 10:g} %"}
                for a in arms
            )
        for arm in arms[:3]:
            ui.link("models", f"Version {arm.version}", model=row.model, version=arm.version)


def roll_back(bad: Release, good: Release) -> None:
    """Show what a rollback would do, and do it with a reason."""
    target = releases.champion(good)
    st.markdown(
        f"A rollback serves **{ui.plain(target)}** to everybody instead of "
        f"**{ui.plain(releases.label(bad))}**, within a second. It served before, from release "
        f"#{good.seq} on, {ui.plain(ui.when(good.at, now))}. You can release the other again."
    )
    if reason := ui.reason_form(f"roll-back-{bad.seq}", f"Roll back to {target}", primary=True):
        with ui.reporting():
            made = releases.roll_back(
                panel.db, actor, model, reason=reason, seen=bad.seq, channels=channels
            )
            ui.done(f"{model} now serves {releases.label(made)}")


def carried_out(row: ActionRow) -> None:
    """Show one action that was carried out, with the way back, or why there is none."""
    with st.container(border=True, key=f"action-{row.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(row.state)
            words = recommendations.title(row.model, row.kind, row.arguments)
            if row.recommendation_id:
                ui.link("recommendation", words, id=row.recommendation_id)
            else:
                st.markdown(ui.plain(words), width="content")
            st.caption(ui.plain(ui.when(row.finished_at or row.at, now)), width="content")
        if row.error:
            st.caption(ui.plain(ui.sentence(row.error)))
        deciding.undo(panel, actor, row)


# load
top = st.container()
model = ui.pick_model(panel)
good, why_not = None, ""
with panel.db.read() as db:
    history = releases.history(db, model)
    by = releases.deciders(db, history[:20])
    done = actions.recent(db, model=model, limit=10)
    if history:
        try:
            good = releases.last_good_before(db, history[0])
        except ConflictError as error:
            why_not = str(error)

# render
if not history:
    ui.head("Releases", f"Nothing of {model} is released yet.", at=top)
    ui.empty("No version serves.", "Train one, then propose it for release.", "models")
else:
    current = history[0]
    splits = ": an experiment splits" if current.experiment_id else " split"
    what = splits if len(releases.arms(current)) > 1 else " serves all"
    since = f"since {ui.utc(current.at)} ({ui.ago(current.at, now)})"
    finding = f"{releases.label(current)}{what} traffic {since}."
    ui.head("Releases", finding, "green", at=top)
    notes.frozen(panel, model)
    ui.section("Roll back")
    if good is None:
        st.info(ui.plain(ui.sentence(why_not)))
    elif may(actor, "release.rollback"):
        roll_back(current, good)
    else:
        st.info("Rolling back needs the role operator or higher.")
    proposals.show(panel, actor, model)
    ui.section("Ladder")
    for row, who in zip(history, by, strict=False):
        ladder(row, who)
    if len(history) > 20:
        st.caption(f"and {len(history) - 20} earlier ones; the audit trail has them all")
ui.section("Approved actions")
for action in done:
    carried_out(action)
if not done:
    st.caption("No approved action was carried out on this model yet.")
