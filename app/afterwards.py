"""What became of a proposal: carried out or failed, taken back, and what came of it."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from app import deciding, health, ui
from core import audit, recommendations
from core.access import Actor
from core.panel import Panel
from core.tables.access import AuditEvent
from core.tables.decisions import Outcome
from core.tables.entities import ActionRow, Recommendation

ENDS = {
    "queued": "a worker has yet to carry it out",
    "running": "a worker carries it out now",
    "succeeded": "it was carried out",
    "failed": "carrying it out failed",
    "reverted": "it was carried out and taken back",
    "cancelled": "it was called off",
}
UNDO = "action.undo"


def standing(row: Recommendation, action: ActionRow | None, now: datetime) -> tuple[str, ui.Color]:
    """Say in one sentence where a proposal stands, and in which colour."""
    if row.state == "proposed" and row.expires_at <= now:
        return f"Lapsed {ui.when(row.expires_at, now)}; nobody decided in time.", "gray"
    if row.state == "proposed":
        risky = recommendations.is_risky(row.kind)
        who = "an approver" if risky else "an operator or approver"
        return f"Waits for {who}.", ui.color(row.severity)
    decided = recommendations.outcome(row)
    if action is None:
        return ui.sentence(decided), ui.color(row.state)
    tone: ui.Color = "gray" if action.state == "reverted" else ui.color(action.state)
    return ui.sentence(f"{decided}; {ENDS.get(action.state, action.state)}"), tone


def show(panel: Panel, actor: Actor, action: ActionRow, came: Outcome | None) -> None:
    """Show what the approval set in motion, what came of it, and the way back."""
    with panel.db.read() as db:
        undone = audit.tail(db, action=UNDO, model=action.model, outcome="done")
        idle = action.finished_at is None and not health.worker_lives(db, panel.clock())
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge(action.state)
        st.markdown(ui.plain(_words(action, undone, panel.clock())), width="content")
    if idle:
        st.warning("No worker is heard of: nothing is carried out until one runs.")
        ui.link("automation", "See what runs")
    if action.state == "failed" and action.model != recommendations.EVERYWHERE:
        ui.link("releases", "What serves now, and where to propose it again", model=action.model)
    if came is not None:
        st.markdown(f"Outcome: **{ui.plain(came.grade)}**. {ui.plain(came.sentence)}")
    deciding.undo(panel, actor, action)


def _words(action: ActionRow, undone: Sequence[AuditEvent], now: datetime) -> str:
    if action.error:
        return ui.sentence(action.error)
    mine = (one for one in undone if one.detail.get("action_id") == action.id)
    back = next(mine, None) if action.state == "reverted" else None
    if back is not None:
        why = f": {back.reason}" if back.reason else ""
        return ui.sentence(f"taken back by {back.actor} {ui.when(back.at, now)}{why}")
    if action.finished_at is None:
        return ui.sentence(ENDS.get(action.state, action.state))
    return f"Carried out {ui.when(action.finished_at, now)}."
