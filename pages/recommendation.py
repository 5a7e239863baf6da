"""One proposal: what, why, what would change, and the decision."""

import streamlit as st

from app import cards, conversations, deciding, reasons, session, ui
from core import outcomes, recommendations
from core.agent import lapsing
from core.errors import NotFoundError
from core.tables.entities import Recommendation

panel, actor = session.panel(), session.actor()
now = panel.clock()


def standing(row: Recommendation) -> tuple[str, ui.Color]:
    """Say in one sentence where the proposal stands."""
    if open_now:
        risky = recommendations.is_risky(row.kind)
        who = "an approver" if risky else "an operator or approver"
        return f"Waits for {who}.", ui.color(row.severity)
    if row.state == "proposed":
        return f"Lapsed {ui.when(row.expires_at, now)}; nobody decided in time.", ui.color("")
    return ui.sentence(recommendations.outcome(row)), ui.color(row.state)


def edited(row: Recommendation) -> None:
    """Show what a person changed, and lead to the other side of the change."""
    if before is not None:
        st.markdown(f"**{ui.plain(row.proposed_by)}** changed this from another proposal:")
        cards.difference(recommendations.changed(before, row))
        ui.link("recommendation", f"The original: {before.title}", id=before.id)
        st.caption(ui.plain(f"The original said: {before.reasoning}"))
    for later in after:
        ui.link("recommendation", "The changed proposal took its place: look there", id=later)


def became(row: Recommendation) -> None:
    """Show what the approval set in motion, what came of it, and the way back."""
    if action is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge(action.state)
        did = f"carried out {ui.when(action.finished_at, now)}"
        words = action.error or (did if action.finished_at else "a worker carries it out")
        st.markdown(ui.plain(words), width="content")
    if came is not None:
        st.markdown(f"Outcome: **{ui.plain(came.grade)}**. {ui.plain(came.sentence)}")
    deciding.undo(panel, actor, action)


# load
wanted = st.query_params.get("id", "")
if not wanted:
    raise NotFoundError("the address names no recommendation")
with panel.db.read() as db:
    row = recommendations.get(db, wanted)
    open_now = row.state == "proposed" and row.expires_at > now
    changes = recommendations.difference(db, row)
    alike = {"model": row.model, "kind": row.kind, "besides": row.id}
    earlier = recommendations.decided(db, cards.shown(row.id) + 1, **alike)
    book, calls = recommendations.behind(db, row)
    before, after = recommendations.edits(db, row)
    action = recommendations.action(db, row.id)
    record, came = outcomes.record(db, row.model, row.kind), outcomes.of(db, row.id)
    alone = cards.only_approver(panel.settings.solo, recommendations.approvers(db))
    decided_alone = recommendations.approved_alone(db, row)
    figures = lapsing.fresh(db, row, panel.clock) if open_now else []

# render
ui.head(row.title, *standing(row))
cards.facts(row, now, alone)
if row.decision_reason:
    st.markdown(f"Reason given: {ui.plain(row.decision_reason)}")
if decided_alone:
    st.warning("Proposed and approved by the same person: nobody else could approve.")
became(row)

if open_now:
    st.session_state["seen_open"] = row.id
    deciding.offer(panel, actor, row)
elif st.session_state.pop("seen_open", "") == row.id and row.decided_by not in (None, actor.name):
    st.warning(ui.plain(f"{row.decided_by} was faster; nothing that you clicked was counted."))

edited(row)
ui.section("Why")
reasons.show(row, book, calls)
ui.section("Evidence")
if open_now and row.evidence:
    cards.figures(figures)
else:
    cards.evidence(row.evidence)
what = "What it changed" if action and action.after else "What it would change now"
ui.section("What would change" if open_now else what)
cards.difference(cards.happened(action) if action and action.after else changes)
st.markdown(f"Expected: **{ui.plain(cards.expected(row))}**")
if words := cards.record(record, row):
    st.markdown(ui.plain(words))

ui.section("Questions")
conversations.show(panel, actor, row)

ui.section(f"Earlier decisions to {cards.what_to_do(row)}")
cards.lines(row.id, earlier, "None yet.")
if row.incident_id:
    ui.link("incidents", "The incident behind this", id=row.incident_id)
st.caption(f"Sealed as {row.digest[:16]}: an approval counts for exactly this proposal.")
