"""What the product may do without asking: the ladder, with its record, and who changes it."""

from collections.abc import Sequence

import streamlit as st

from app import ui
from core import autonomy, outbox
from core.access import Actor, may
from core.autonomy import Rung
from core.autonomy.ladder import ACTS, EARNING, FALLEN, KINDS_ALONE, OFF, bad_outcome
from core.autonomy.leaves import words
from core.panel import Panel
from core.recommendations.wording import verb
from core.tables.decisions import Outcome

COLORS: dict[str, ui.Color] = {ACTS: "green", EARNING: "blue", FALLEN: "red", OFF: "gray"}
ORDER = (FALLEN, ACTS, EARNING, OFF)


def show(panel: Panel, actor: Actor) -> None:
    """Show each leave and how it stands, the form that proposes one, and every record."""
    with panel.db.read() as session:
        rungs = autonomy.ladder(session)
        fallen = {one.bad: bad_outcome(session, one) for one in rungs}
    given = sorted((one for one in rungs if one.state != OFF), key=lambda r: ORDER.index(r.state))
    for one in given:
        _leave(panel, actor, one, fallen[one.bad])
    if not given:
        ui.empty(
            "Nothing is left to the product: a person decides everything.",
            "Two people can give leave for one kind of action on one model; it counts only while"
            " its record is good enough.",
        )
    if rungs and may(actor, "recommendation.propose"):
        with st.expander("Propose a leave"):
            _propose(panel, actor, rungs)
    if rungs:
        drawer = st.expander("The record of every kind", key="record", on_change="rerun")
        if drawer.open:
            with drawer:
                ui.small_table(_row(one) for one in rungs)


def _leave(panel: Panel, actor: Actor, one: Rung, bad: Outcome | None) -> None:
    now, key = panel.clock(), f"{one.model}-{one.kind}"
    with st.container(border=True, key=f"leave-{key}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(one.state, COLORS[one.state])
            st.markdown(f"**{ui.plain(one.model)}**: {ui.plain(words(one.kind))}", width="content")
        st.markdown(ui.plain(one.sentence))
        st.caption(ui.plain(_record(one)))
        if bad is not None:
            when = ui.when(one.since, now)
            st.markdown(f"Fell back {ui.plain(when)}: {ui.plain(bad.sentence)}")
            ui.link("recommendation", "What it did", id=bad.recommendation_id)
        if row := one.leave:
            told = f"Leave given {ui.when(row.at, now)} by {row.changed_by}: {row.reason}"
            st.caption(ui.plain(told))
        if may(actor, "autonomy.withdraw"):
            _withdraw(panel, actor, one, key)


def _record(one: Rung) -> str:
    seen = one.record
    bound = f" {seen.low:.2f} is the lower 95 % bound of the share of good ones." if seen.n else ""
    return f"Record: {seen.sentence}{bound} Ceiling: {one.ceiling}."


def _withdraw(panel: Panel, actor: Actor, one: Rung, key: str) -> None:
    with st.expander("Withdraw the leave"):
        st.caption("At once, and one person is enough: from then on a person decides.")
        reason = ui.reason_form(f"withdraw-{key}", "Withdraw")
    if reason:
        with ui.reporting():
            channels = outbox.channels(panel.settings)
            about = {"model": one.model, "kind": one.kind, "reason": reason}
            autonomy.withdraw(panel.db, actor, **about, channels=channels)
            ui.done(f"A person decides again to {verb(one.kind)} {one.model}.")


def _propose(panel: Panel, actor: Actor, rungs: Sequence[Rung]) -> None:
    left, right = st.columns(2)
    models = list(dict.fromkeys(one.model for one in rungs))
    model = left.selectbox("Model", models, key="leave-model")
    kind = right.selectbox("Kind of action", KINDS_ALONE, format_func=words, key="leave-kind")
    chosen = next(one for one in rungs if (one.model, one.kind) == (model, kind))
    st.caption(ui.plain(_consequence(chosen)))
    if chosen.state != OFF:
        return
    if reason := ui.reason_form("propose-leave", "Propose"):
        with ui.reporting():
            channels = outbox.channels(panel.settings)
            about = {"model": model, "kind": kind, "reason": reason}
            made = autonomy.propose(panel.db, actor, **about, channels=channels)
            ui.done(f"{made.title} is proposed: another person decides in the inbox.")


def _consequence(one: Rung) -> str:
    """Say what a leave would mean now."""
    if one.state != OFF:
        return "It has this leave already."
    if one.more is None:
        then = "No record is ever good enough here, so it would never act."
    elif one.more:
        what = "good outcome" if one.more == 1 else "good outcomes in a row"
        then = f"It would act alone after {one.more} more {what}."
    else:
        then = "Its record is good enough: it would act alone at once."
    return f"{then} Ceiling: {one.ceiling}. The first bad outcome ends it."


def _row(one: Rung) -> dict[str, object]:
    """Say a rung in few columns: that is what a phone has room for."""
    seen = one.record
    counts = f"{seen.good} good, {seen.bad} bad, {seen.neutral} neutral"
    return {
        "action": f"{words(one.kind)}: {one.model}",
        "state": one.state,
        "record": f"{counts}; {seen.streak} good in a row, lower bound {seen.low:.2f}",
        "more needed": one.more,
    }
