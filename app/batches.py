"""Several proposals at once: which cards are shown, which are selected, and what came of each."""

from collections.abc import Iterable, Sequence

import streamlit as st

from app import cards, deciding, ui
from core import recommendations
from core.access import Actor
from core.panel import Panel
from core.recommendations.batch import Decided, Decision, Verb
from core.specs.alerts import SEVERITIES
from core.tables.entities import Recommendation

ALL = "all"
OPEN, RESULTS = "deciding_several", "decided_several"
DONE = {"approve": "approved", "reject": "rejected"}


FILTERS = {"model": "of", "severity": "severity", "kind": "kind"}
"""What cards are filtered by, and its name in the address; other pages have a `model` there."""


def filtered(rows: Sequence[Recommendation]) -> list[Recommendation]:
    """Show the filters, which live in the address, and return the rows that match."""
    if len(rows) < 2 and not any(key in st.query_params for key in FILTERS.values()):
        return list(rows)
    active = any(st.query_params.get(key, ALL) != ALL for key in FILTERS.values())
    places = st.expander("Filter", expanded=active).columns(3)
    options = [_options(rows, name) for name in FILTERS]
    chosen = [
        place.selectbox(name.capitalize(), options, key=FILTERS[name], bind="query-params")
        for place, name, options in zip(places, FILTERS, options, strict=True)
    ]
    wanted = {name: value for name, value in zip(FILTERS, chosen, strict=True) if value != ALL}
    return [
        row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())
    ]


def _options(rows: Sequence[Recommendation], name: str) -> list[str]:
    """Return what can be chosen; what the address asks for too, so that a kept link stays."""
    order: list[str] = [*SEVERITIES]
    found = {str(getattr(row, name)) for row in rows} | (
        {st.query_params.get(FILTERS[name], ALL)} - {ALL}
    )
    by_rank = {word: rank for rank, word in enumerate(order)} if name == "severity" else {}
    return [ALL, *sorted(found, key=lambda word: (by_rank.get(word, 0), word))]


def pick(row: Recommendation) -> None:
    """Let a card be selected."""
    st.checkbox("Select", key=_key(row))


def chosen(rows: Iterable[Recommendation]) -> list[Recommendation]:
    """Return the rows whose cards are selected."""
    return [row for row in rows if st.session_state.get(_key(row))]


def _key(row: Recommendation) -> str:
    return f"pick-{row.id}"


def close() -> None:
    """Forget that the dialog was open (Esc, a click beside it)."""
    st.session_state.pop(OPEN, None)


def offer(panel: Panel, actor: Actor, rows: Sequence[Recommendation]) -> None:
    """Offer to decide all that is selected, and show what came of the last time."""
    several = chosen(rows)
    with st.container():  # a place of its own, so that the cards stay where they are
        results()
        if not several:
            close()
            return
        if st.button(f"Decide {ui.count(len(several), 'selected card')} …", key="decide-several"):
            st.session_state[OPEN] = True
    if st.session_state.get(OPEN):
        dialog(panel, actor, several)


@st.dialog("Decide several", width="medium", on_dismiss=close)
def dialog(panel: Panel, actor: Actor, rows: Sequence[Recommendation]) -> None:
    """State each consequence, or why it would be refused; then decide one by one."""
    solo, now = panel.settings.solo, panel.clock()
    with panel.db.read() as db:
        refused = [recommendations.why_not(db, actor, row, solo=solo, now=now) for row in rows]
    for row, why in zip(rows, refused, strict=True):
        then = cards.CONSEQUENCE.get(row.kind, deciding.ANYTHING)
        if why.approve:
            then = f"An approval would be refused: {ui.sentence(why.approve)}"
        st.markdown(f"**{ui.plain(row.title)}**  \n{ui.plain(then)}")
    n = len(rows)
    with st.form("several", border=False):
        reason = st.text_input("Reason (kept with each)", max_chars=1000, key="several-reason")
        with st.container(horizontal=True):
            approve = st.form_submit_button(f"Approve {n}", type="primary", key="approve-several")
            reject = st.form_submit_button(f"Reject {n}", key="reject-several")
    if reject and not reason.strip():
        st.error("Say why these are rejected: the reason is kept with each of them.")
    elif approve or reject:
        _decide(panel, actor, rows, "reject" if reject else "approve", reason)


def _decide(
    panel: Panel, actor: Actor, rows: Sequence[Recommendation], verb: Verb, reason: str
) -> None:
    decisions = [Decision(row.id, row.digest, verb, reason) for row in rows]
    solo = panel.settings.solo
    found = recommendations.decide_each(panel.db, actor, decisions, solo=solo)
    titles = {row.id: row.title for row in rows}
    st.session_state[RESULTS] = [(titles[one.id], one) for one in found]
    close()
    n = sum(one.done for one in found)
    ui.done(f"{n} of {len(found)} {DONE[verb]}.")


def results() -> None:
    """Show what came of each decision, until the person has seen it."""
    found: list[tuple[str, Decided]] = st.session_state.get(RESULTS) or []
    if not found:
        return
    with st.container(border=True, key="results"):
        for title, one in found:
            with st.container(horizontal=True, vertical_alignment="center"):
                ui.badge(DONE[one.verb] if one.done else "refused")
                ui.link("recommendation", title, id=one.id)
                if not one.done:
                    st.caption(ui.plain(ui.sentence(one.sentence)), width="content")
        if st.button("Close the list", key="results-seen"):
            st.session_state.pop(RESULTS)
            st.rerun()
