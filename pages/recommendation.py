"""One proposal: what, why, what would change, and the decision."""

import streamlit as st

from app import afterwards, cards, conversations, deciding, notes, reasons, session, ui
from core import outcomes, recommendations
from core.agent import lapsing
from core.errors import NotFoundError
from core.tables.entities import Recommendation

panel, actor = session.panel(), session.actor()
now = panel.clock()
NOW = "What it would change now"


def edited(row: Recommendation) -> None:
    """Show what a person changed, and lead to the other side of the change."""
    if before is not None:
        st.markdown(f"**{ui.plain(row.proposed_by)}** changed this from another proposal:")
        cards.difference(recommendations.changed(before, row))
        ui.link("recommendation", f"The original: {before.title}", id=before.id)
        st.caption(ui.plain(f"The original said: {before.reasoning}"))
    for later in after:
        ui.link("recommendation", "The changed proposal took its place: look there", id=later)


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
    undone = recommendations.taken_back(db, earlier)
    book, calls = recommendations.behind(db, row)
    before, after = recommendations.edits(db, row)
    action = recommendations.action(db, row.id)
    record, came = outcomes.record(db, row.model, row.kind), outcomes.of(db, row.id)
    alone = cards.only_approver(panel.settings.solo, recommendations.approvers(db))
    decided_alone = recommendations.approved_alone(db, row)
    figures = lapsing.fresh(db, row, panel.clock) if open_now else []

# render
ui.head(row.title, *afterwards.standing(row, action, now))
cards.facts(row, now, alone)
if row.decision_reason:
    st.markdown(f"Reason given: {ui.plain(row.decision_reason)}")
if decided_alone:
    st.warning("Proposed and approved by the same person: nobody else could approve.")
if action is not None:
    afterwards.show(panel, actor, action, came)
seen = "" if open_now else st.session_state.pop("seen_open", "")
if seen == row.id and row.decided_by not in (None, actor.name):
    st.warning(ui.plain(f"{row.decided_by} was faster; nothing that you clicked was counted."))

edited(row)
ui.section("Why")
reasons.show(row, book, calls)
ui.section("Evidence")
if open_now and row.evidence:
    cards.figures(figures)
else:
    cards.evidence(row.evidence)
changed = action is not None and action.after
ui.section("What would change" if open_now else "What it changed" if changed else NOW)
cards.difference(cards.happened(action) if action and changed else changes, past=bool(changed))
cards.more(row)
st.markdown(f"Expected: **{ui.plain(cards.expected(row))}**")
if open_now:
    if words := cards.record(record, row):
        st.markdown(ui.plain(words))
    ui.section("Decide")
    st.session_state["seen_open"] = row.id
    if row.kind in recommendations.KINDS and recommendations.KINDS[row.kind].frozen:
        notes.frozen(panel, row.model)
    deciding.offer(panel, actor, row)

ui.section("Questions")
conversations.show(panel, actor, row)

ui.section(f"Earlier decisions to {cards.what_to_do(row)}")
cards.lines(row.id, earlier, "None yet.", undone=undone)
if row.incident_id:
    ui.link("incidents", "The incident behind this", id=row.incident_id)
st.caption(f"Sealed as {row.digest[:16]}: an approval counts for exactly this proposal.")
