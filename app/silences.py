"""Silences on a page: a dialog shows first what one would cover; each ends with a reason."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import streamlit as st

from app import ui
from core import specs
from core.access import Actor
from core.errors import PilothouseError
from core.incidents import silences
from core.panel import Panel
from core.specs.alerts import RULES, SEVERITIES
from core.tables.entities import Incident, Silence

ANY = "any"
HOURS = {"1 hour": 1, "4 hours": 4, "12 hours": 12, "1 day": 24, "3 days": 72, "1 week": 168}
HOURS |= {"30 days": 720}
BEGINS = {"now": 0, "in 1 hour": 1, "in 4 hours": 4, "in 12 hours": 12, "in 1 day": 24}
OPEN = "silencing"


def close() -> None:
    """Forget that the dialog was open (Esc, a click beside it)."""
    st.session_state.pop(OPEN, None)


def offer(key: str, row: Incident | None = None) -> None:
    """Show the button that opens the dialog, filled in for an incident."""
    if st.button("Silence …", key=f"silence-{key}"):
        about = {"model": row.model, "cause": row.cause} if row else {}
        st.session_state[OPEN] = about | ({"severity": row.severity} if row else {})


@st.dialog("Silence alerts", on_dismiss=close)
def dialog(panel: Panel, actor: Actor, given: dict[str, str]) -> None:
    """Ask what is to be silent and for how long, and show what that covers before it is made."""
    matchers = _matchers(panel, given)
    left, right = st.columns(2)
    begins = left.selectbox("Begins", list(BEGINS), key="silence-begins")
    length = right.selectbox("For", list(HOURS), index=1, key="silence-hours")
    comment = st.text_input("Why? (kept on record)", max_chars=500, key="silence-comment")
    try:
        with panel.db.read() as db:
            shown = silences.preview(db, matchers, panel.clock())
    except PilothouseError as error:
        st.warning(ui.plain(ui.sentence(str(error))))
        return
    st.info(ui.plain(shown.sentence))
    for alert in shown.now[:5]:
        st.caption(ui.plain(f"{alert.state}: {alert.model}, {alert.sentence or alert.rule}"))
    if st.button("Silence now", type="primary", key="silence-now"):
        start = panel.clock() + timedelta(hours=BEGINS[begins]) if BEGINS[begins] else None
        with ui.reporting():
            row = silences.create(
                panel.db,
                actor,
                matchers=matchers,
                hours=HOURS[length],
                comment=comment,
                starts_at=start,
            )
            close()
            ui.done(f"{silences.describe(row.matchers)}: silent until {ui.utc(row.ends_at)}.")


def _matchers(panel: Panel, given: dict[str, str]) -> dict[str, str]:
    with panel.db.read() as db:
        models = [*(spec.name for spec in specs.all_active(db)), silences.NO_MODEL]
        causes = silences.known_causes(db)
    critical = given.get("severity") == "critical"
    chosen = {
        "model": _choose("Model", models, given.get("model")),
        "cause": _choose("Cause", causes, given.get("cause")),
        "rule": _choose("Rule", [*RULES], None),
        "severity": _choose("Severity", [*SEVERITIES], "critical" if critical else None),
    }
    return {name: value for name, value in chosen.items() if value != ANY}


def _choose(label: str, options: Sequence[str], chosen: str | None) -> str:
    every = [ANY, *options]
    index = every.index(chosen) if chosen in every else 0
    key = f"silence-{label.lower()}"
    return str(st.selectbox(label, every, index=index, key=key, format_func=_option))


def _option(value: str) -> str:
    return "those that name no model" if value == silences.NO_MODEL else value


def show(rows: Sequence[Silence], panel: Panel, actor: Actor, *, may_end: bool) -> None:
    """Show silences: active, coming and past, with the form that ends one early."""
    now = panel.clock()
    if not rows:
        st.caption("None: every alert is told.")
    order = {"active": 0, "pending": 1, "expired": 2}
    states = {row.id: silences.state(row, now) for row in rows}
    for row in sorted(rows, key=lambda one: order[states[one.id]])[:30]:
        with st.container(border=True, key=f"silenced-{row.id}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                over = states[row.id] == "expired"
                ui.badge(states[row.id], "gray" if over else None)
                st.markdown(f"**{ui.plain(silences.describe(row.matchers))}**", width="content")
            st.caption(ui.plain(_words(row, states[row.id], now)))
            if may_end and states[row.id] != "expired":
                end(row, panel, actor)


def _words(row: Silence, state: str, now: datetime) -> str:
    begins = f"starts {ui.when(row.starts_at, now)}, " if state == "pending" else ""
    ends = (
        f"ended {ui.when(row.ends_at, now)}"
        if state == "expired"
        else (f"ends {ui.when(row.ends_at, now)}")
    )
    early = f" by {row.ended_by}" if row.ended_by else ""
    return f"{begins}{ends}{early}; {row.author}: {row.comment}"


def end(row: Silence, panel: Panel, actor: Actor) -> None:
    """Offer to end a silence early, or to call off one to come."""
    with st.expander("End it now"):
        reason = ui.reason_form(f"unsilence-{row.id}", "End the silence")
    if reason:
        with ui.reporting():
            silences.end(panel.db, actor, row.id, reason)
            ui.done("The silence is over: what still fires is told within a minute.")
