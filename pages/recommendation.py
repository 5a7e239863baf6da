"""One proposal: what, why, what would change, and the decision."""

import streamlit as st

from app import cards, session, ui
from core import recommendations
from core.access import may
from core.errors import NotFoundError
from core.tables.entities import Recommendation

panel, actor = session.panel(), session.actor()
now = panel.clock()


def close() -> None:
    """Forget that the dialog was open (Esc, a click beside it)."""
    st.session_state.pop("approving", None)


@st.dialog("Approve", on_dismiss=close)
def approve(row: Recommendation) -> None:
    """State the consequence, then approve what was shown."""
    st.markdown(f"**{ui.plain(row.title)}**")
    st.warning(cards.CONSEQUENCE.get(row.kind, "It is carried out at once."))
    if recommendations.is_risky(row.kind) and recommendations.same_person(
        row.proposed_by, actor.name
    ):
        st.info("You proposed this yourself. If nobody else may approve, that is kept on record.")
    note = st.text_input("Note (kept in the audit trail)", key="approve-note")
    if st.button("Approve now", type="primary", key="approve-now"):
        with ui.reporting():
            recommendations.approve(
                panel.db,
                actor,
                row.id,
                digest=row.digest,
                solo=panel.settings.solo,
                reason=note,
            )
            close()
            ui.done(f"Approved: {row.title}")


def decide(row: Recommendation) -> None:
    """Offer the decision to those who may decide."""
    if not may(actor, "recommendation.decide"):
        st.info("You can look, but deciding needs the role operator or higher.")
        return
    if st.button("Approve …", type="primary", key="approve"):
        st.session_state["approving"] = row.id
    if st.session_state.get("approving") == row.id:
        approve(row)
    with st.form("reject", border=True):
        reason = st.text_area("Reason for rejecting", max_chars=1000, height=80)
        submitted = st.form_submit_button("Reject")
    if submitted:
        with ui.reporting():
            recommendations.reject(panel.db, actor, row.id, reason=reason)
            ui.done(f"Rejected: {row.title}")


# load
wanted = st.query_params.get("id", "")
if not wanted:
    raise NotFoundError("the address names no recommendation")
with panel.db.read() as db:
    row = recommendations.get(db, wanted)
    changes = recommendations.difference(db, row)
    record = [one for one in recommendations.decided(db, limit=200) if one.kind == row.kind]

# render
open_now = row.state == "proposed" and row.expires_at > now
who = "an approver" if recommendations.is_risky(row.kind) else "an operator or approver"
if open_now:
    finding, tone = f"Waits for {who}.", ui.color(row.severity)
elif row.state == "proposed":
    finding, tone = f"Lapsed {ui.when(row.expires_at, now)}; nobody decided in time.", ui.color("")
else:
    finding, tone = ui.sentence(recommendations.outcome(row)), ui.color(row.state)
ui.head(row.title, finding, tone)
cards.facts(row, now)
if row.decision_reason:
    st.markdown(f"Reason given: {ui.plain(row.decision_reason)}")
if recommendations.approved_alone(row):
    st.warning("Proposed and approved by the same person: nobody else could approve.")

if open_now:
    st.session_state["seen_open"] = row.id
    decide(row)
elif st.session_state.pop("seen_open", "") == row.id and row.decided_by not in (None, actor.name):
    st.warning(ui.plain(f"{row.decided_by} was faster; nothing that you clicked was counted."))

ui.section("Why")
st.markdown(ui.plain(row.reasoning) or "No reasoning was given.")
told = {"rules": "the rules", "person": "a person", "gate": "the gate"}
st.caption(f"Reasoned by {ui.plain(told.get(row.reasoner, row.reasoner))}")
if row.fallback:
    st.caption(f"The rules answered instead of the language model: {ui.plain(row.fallback)}")
ui.section("Evidence")
cards.evidence(row.evidence)
st.markdown(f"Expected effect: **{ui.plain(cards.expected(row.expected))}**")
ui.section("What would change" if open_now else "What it changes")
cards.difference(changes)

ui.section(f"Earlier decisions to {row.kind.replace('_', ' ')}")
earlier = [one for one in record if one.id != row.id and one.model == row.model][:10]
for one in earlier:
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge(one.state)
        ui.link("recommendation", one.title, id=one.id)
        st.caption(ui.plain(recommendations.outcome(one)), width="content")
if not earlier:
    st.caption("None yet for this model.")
if row.incident_id:
    ui.link("incidents", "The incident behind this", id=row.incident_id)
st.caption(f"Sealed as {row.digest[:16]}: an approval counts for exactly this proposal.")
