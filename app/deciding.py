"""What a person may do with one proposal: approve, change, reject, and undo what it did."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import cards, ui
from core import actions, outbox, recommendations, registry
from core.access import Actor, may
from core.panel import Panel
from core.tables.entities import ActionRow, Recommendation

ANYTHING = "It is carried out at once."
OPEN = "deciding"
"""Which dialog is open: ("approve" or "change", the proposal's id)."""


def close() -> None:
    """Forget that a dialog was open (Esc, a click beside it)."""
    st.session_state.pop(OPEN, None)


def offer(panel: Panel, actor: Actor, row: Recommendation) -> None:
    """Offer the decision to those who may decide; to others, say why not and who may."""
    if not may(actor, recommendations.DECIDE):
        st.info("You can look, but deciding needs the role operator or higher.")
        return
    with panel.db.read() as db:
        refused = recommendations.why_not(
            db, actor, row, solo=panel.settings.solo, now=panel.clock()
        )
    if not refused.approve:
        st.markdown(f"If you approve: {cards.CONSEQUENCE.get(row.kind, ANYTHING)}")
    else:
        more = "" if refused.reject else " You may reject it."
        st.info(ui.plain(f"{ui.sentence(refused.approve)}{more}"))
    with st.container(horizontal=True):
        locked = bool(refused.approve)
        if st.button("Approve …", type="primary", key="approve", disabled=locked):
            st.session_state[OPEN] = ("approve", row.id)
        can_change = cards.editable(row) and not refused.change
        if can_change and st.button("Change …", key="change"):
            st.session_state[OPEN] = ("change", row.id)
    if st.session_state.get(OPEN) == ("approve", row.id):
        approve(panel, actor, row)
    if st.session_state.get(OPEN) == ("change", row.id):
        change(panel, actor, row)
    if not refused.reject:
        _reject(panel, actor, row)


@st.dialog("Approve", on_dismiss=close)
def approve(panel: Panel, actor: Actor, row: Recommendation) -> None:
    """State the consequence, then approve what was shown."""
    st.markdown(f"**{ui.plain(row.title)}**")
    st.warning(cards.CONSEQUENCE.get(row.kind, ANYTHING))
    with panel.db.read() as db:
        own = recommendations.maybe_own(db, row, actor.name)
    if recommendations.is_risky(row.kind) and own:
        st.info("You proposed this yourself. If nobody else may approve, that is kept on record.")
    note = st.text_input("Note (kept in the audit trail)", max_chars=1000, key="approve-note")
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


@st.dialog("Change", on_dismiss=close)
def change(panel: Panel, actor: Actor, row: Recommendation) -> None:
    """Ask for other arguments and a reason; the change waits for a decision of its own."""
    st.markdown(f"**{ui.plain(row.title)}**")
    risky = recommendations.is_risky(row.kind)
    then = "Another person approves it." if risky else "It waits for approval."
    st.info(f"Your change takes the place of this proposal, with the same evidence. {then}")
    with st.form("change-form", border=False):
        given = {name: _argument(panel, row, name) for name in cards.editable(row)}
        reason = st.text_input("Why? (kept on record)", max_chars=500, key="change-why")
        submitted = st.form_submit_button("Propose the change", type="primary")
    if submitted:
        with ui.reporting():
            made = recommendations.edit(
                panel.db,
                actor,
                row.id,
                digest=row.digest,
                arguments={**row.arguments, **given},
                reason=reason,
                channels=outbox.channels(panel.settings),
            )
            close()
            st.query_params["id"] = made.id
            ui.done(f"Changed: {made.title}")


def _argument(panel: Panel, row: Recommendation, name: str) -> str:
    """Ask for one argument: a version that may serve, or a figure as it is typed."""
    now = str(row.arguments[name])
    if name not in ("version", "to"):
        return st.text_input(cards.LABELS[name], now, max_chars=100, key=f"change-{name}").strip()
    with panel.db.read() as db:
        found = [one for one in registry.versions(db, row.model) if registry.releasable(one)]
    names = [now, *(one.version for one in found if one.version != now)]
    return str(st.selectbox(cards.LABELS[name], names, key=f"change-{name}"))


def _reject(panel: Panel, actor: Actor, row: Recommendation) -> None:
    with st.form("reject", border=True):
        reason = st.text_area("Reason for rejecting", max_chars=1000, height=80)
        submitted = st.form_submit_button("Reject")
    if submitted:
        with ui.reporting():
            recommendations.reject(panel.db, actor, row.id, reason=reason)
            ui.done(f"Rejected: {row.title}")


def undo(panel: Panel, actor: Actor, action: ActionRow) -> None:
    """Offer to take an action back, saying first what that does; or say why it cannot be."""
    inverse = actions.inverse_of(action)
    if action.state == "succeeded" and (why := actions.final(action)):
        st.caption(f"There is no undo: {ui.plain(why)}.")
    if inverse is None or not may(actor, "action.undo"):
        return
    with panel.db.read() as db:
        why_not = actions.why_no_undo(db, action, panel.clock())
    if why_not:
        st.caption(ui.plain(f"An undo would be refused: {why_not}."))
        return
    with st.expander(f"Undo: {ui.plain(words(action.model, inverse))}"):
        reason = ui.reason_form(f"undo-{action.id}", "Undo now")
    if reason:
        with ui.reporting():
            told = outbox.channels(panel.settings)
            ui.done(actions.undo(panel.db, actor, action.id, reason=reason, channels=told))


def words(model: str, inverse: Mapping[str, Any]) -> str:
    """Say what undoing would do.

    >>> words("spam", {"kind": "rollback", "arguments": {"to": "1.0.0"}})
    'Roll spam back to 1.0.0'
    """
    return recommendations.title(model, str(inverse["kind"]), inverse.get("arguments") or {})
