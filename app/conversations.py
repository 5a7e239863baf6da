"""Asking about a proposal: the questions, the answers, and a form for another question."""

import streamlit as st

from app import cards, ui
from core import recommendations
from core.access import Actor, may
from core.panel import Panel
from core.recommendations.conversation import LONGEST, PATIENCE, unanswered
from core.tables.decisions import Message
from core.tables.entities import Recommendation

SECONDS = 2
"""How often the page looks for an answer, while one is waited for."""


def show(panel: Panel, actor: Actor, row: Recommendation) -> None:
    """Show the conversation; while a question is open, its answer appears without a reload."""
    waits = bool(_open(panel, _messages(panel, row)))
    st.fragment(run_every=SECONDS if waits else None)(_talk)(panel, row, waits)
    if may(actor, "recommendation.ask"):
        _ask(panel, actor, row)


def _talk(panel: Panel, row: Recommendation, waited: bool) -> None:
    messages = _messages(panel, row)
    still = {one.id for one in _open(panel, messages)}
    if waited and not still:
        st.rerun()  # the last answer is here: nothing looks for one any more
    alone = {one.id for one in unanswered(messages)}
    for one in messages:
        _message(panel, one)
        if one.id in still:
            st.caption("The agent looks at the facts …")
        elif one.id in alone:
            st.caption("No answer came. Ask again; if that does not help, look under Automation.")
    if not messages:
        st.caption("Nobody has asked anything yet.")


def _message(panel: Panel, one: Message) -> None:
    with st.container(border=True, key=f"message-{one.id}"):
        who = one.author if one.role == "person" else f"the agent ({one.author})"
        when = ui.ago(one.at, panel.clock())
        st.markdown(f"**{ui.plain(who)}** · {ui.plain(when)}")
        st.markdown(ui.plain(one.text))
        if one.evidence:
            cards.evidence(one.evidence)


def _ask(panel: Panel, actor: Actor, row: Recommendation) -> None:
    with st.form("ask", clear_on_submit=True, border=False):
        text = st.text_input(
            "Ask the agent about this",
            max_chars=LONGEST,
            placeholder="What changed since the last release?",
        )
        submitted = st.form_submit_button("Ask")
    if submitted:
        with ui.reporting():
            recommendations.ask(panel.db, actor, row.id, text=text)
            ui.done("Asked. The answer appears here.")


def _messages(panel: Panel, row: Recommendation) -> list[Message]:
    with panel.db.read() as db:
        return recommendations.conversation(db, row.id)


def _open(panel: Panel, messages: list[Message]) -> list[Message]:
    return unanswered(messages, since=panel.clock() - PATIENCE)
