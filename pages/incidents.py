"""What is wrong now: incidents, what fires, silences, the rules, and the messages that told."""

import streamlit as st

from app import alert_rules, session, silences, ui
from app import incidents as parts
from core import incidents, outbox, recommendations
from core.access import may
from core.incidents import board, reading
from core.incidents import silences as silenced
from core.tables.entities import Incident

panel, actor = session.panel(), session.actor()
now = panel.clock()


def show(row: Incident, *, expanded: bool) -> None:
    """Show one incident with its alerts and timeline, and what can be done about it."""
    with panel.db.read() as db:
        found = incidents.alerts(db, row.id)
        n = board.samples(db, found)
    with st.container(border=True, key=f"incident-{row.id}"):
        parts.head(row, now)
        parts.figures(found, n, now)
        parts.timeline(row, now, expanded=expanded)
        parts.links(row, found, [one for one in waiting if one.incident_id == row.id])
        if row.state != "resolved":
            act(row)


def act(row: Incident) -> None:
    """Offer to take the incident, to silence it, and to close it."""
    with st.container(horizontal=True):
        free = row.owner is None and may(actor, "incident.acknowledge")
        if free and st.button("Acknowledge", key=f"acknowledge-{row.id}", type="primary"):
            with ui.reporting():
                incidents.acknowledge(panel.db, actor, row.id)
                ui.done(f"You have taken: {row.title}")
        if may(actor, "silence.create"):
            silences.offer(row.id, row)
    if may(actor, "incident.resolve"):
        with st.expander("Resolve"):
            reason = ui.reason_form(f"resolve-{row.id}", "Resolve", label="Why is it over?")
        if reason:
            with ui.reporting():
                incidents.resolve(panel.db, actor, row.id, reason)
                ui.done(f"Resolved: {row.title}")


def messages() -> None:
    """Show what was sent, and offer to send again what was given up."""
    for row in deliveries:
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(row.state)
            at = ui.when(row.sent_at or row.created_at, now)
            words = f"{row.channel}: **{ui.plain(row.subject)}**, {ui.plain(at)}"
            st.markdown(words, width="content")
            if row.last_error and row.state != "sent":
                st.caption(ui.plain(f"attempt {row.attempts}: {row.last_error}"), width="content")
            dead = row.state == "dead" and may(actor, "delivery.resend")
            if dead and st.button("Send again", key=f"resend-{row.id}"):
                with ui.reporting():
                    outbox.resend(panel.db, actor, row.id)
                    ui.done("The message is in the queue again.")
    if not deliveries:
        hint = "They follow incidents and proposals." if channels else parts.NO_CHANNEL
        ui.empty("No message was sent yet.", hint)


# load
wanted = st.query_params.get("id")
with panel.db.read() as db:
    chosen = [incidents.get(db, wanted)] if wanted else None
    unresolved = parts.by_severity(incidents.all(db, open_only=True))
    past = [row for row in incidents.all(db, limit=50) if row.state == "resolved"]
    loose = [one for one in reading.found(db, live=True) if one.incident_id is None]
    quiet, n = silenced.all(db), board.samples(db, loose)
    deliveries, waiting = outbox.recent(db, limit=30), recommendations.waiting(db)
channels = outbox.channels(panel.settings)

# render
ui.head("Incidents", *parts.finding(unresolved, loose, quiet, deliveries, now))

if chosen:
    show(chosen[0], expanded=True)
    ui.link("incidents", "All incidents")
else:
    for row in unresolved:
        show(row, expanded=len(unresolved) == 1)
    if not unresolved:
        ui.empty("Nothing is wrong that we know of.", "Checks run by schedule.", "automation")
    if loose:
        ui.section("Not told yet")
        parts.figures(loose, n, now, models=True)
    ui.section("Resolved")
    parts.past(past[:20], now)
    ui.section("Silences")
    if may(actor, "silence.create"):
        silences.offer("new")
    silences.show(quiet, panel, actor, may_end=may(actor, "silence.end"))
    ui.section("Rules")
    asked = unresolved[0].model if unresolved else None
    alert_rules.show(panel, st.query_params.get("model", asked))
    ui.section("Messages")
    messages()

if st.session_state.get(silences.OPEN) is not None:
    silences.dialog(panel, actor, st.session_state[silences.OPEN])
