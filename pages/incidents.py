"""What is wrong now: incidents with their timelines, and the messages that told of them."""

from datetime import datetime

import streamlit as st

from app import session, ui
from core import incidents, outbox
from core.access import may
from core.tables.entities import Incident

panel, actor = session.panel(), session.actor()
now = panel.clock()


def show(row: Incident, *, expanded: bool) -> None:
    """Show one incident with its timeline and what can be done about it."""
    with st.container(border=True, key=f"incident-{row.id}"):
        with st.container(horizontal=True):
            ui.badge(row.severity)
            ui.badge(row.state)
            st.markdown(f"**{ui.plain(row.title)}**")
        owner = f"taken by {row.owner}" if row.owner else "nobody has taken it"
        st.markdown(f"Opened {ui.plain(ui.when(row.opened_at, now))}; {ui.plain(owner)}")
        with st.expander(f"Timeline ({len(row.timeline)})", expanded=expanded):
            for entry in reversed(row.timeline):
                at = ui.when(datetime.fromisoformat(entry["at"]), now)
                st.markdown(
                    f"{ui.plain(at)} · **{ui.plain(entry['who'])}** {ui.plain(entry['what'])}"
                )
        with st.container(horizontal=True):
            ui.link("drift", "Drift", model=row.model)
            ui.link("performance", "Performance", model=row.model)
            ui.link("releases", "Releases", model=row.model)
        if row.state != "resolved":
            act(row)


def act(row: Incident) -> None:
    """Offer to take the incident and to close it."""
    free = row.owner is None and may(actor, "incident.acknowledge")
    if free and st.button("Acknowledge", key=f"acknowledge-{row.id}", type="primary"):
        with ui.reporting():
            incidents.acknowledge(panel.db, actor, row.id)
            ui.done(f"You have taken: {row.title}")
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
        hint = "No channel is set up; messages show in the inbox only. See Admin."
        ui.empty(
            "No message was sent yet.", "They follow incidents and proposals." if channels else hint
        )


# load
wanted = st.query_params.get("id")
with panel.db.read() as db:
    chosen = [incidents.get(db, wanted)] if wanted else None
    unresolved = sorted(
        incidents.all(db, open_only=True), key=lambda row: incidents.SEVERITIES.index(row.severity)
    )
    past = [row for row in incidents.all(db, limit=50) if row.state == "resolved"]
    deliveries = outbox.recent(db, limit=30)
channels = outbox.channels(panel.settings)

# render
untaken = sum(row.owner is None for row in unresolved)
dead = sum(row.state == "dead" for row in deliveries)
finding = (
    "No incident is open."
    if not unresolved
    else (f"{len(unresolved)} open, {untaken} of them not taken by anybody.")
)
given_up = f" {ui.count(dead, 'message')} could not be sent." if dead else ""
tone = ui.color(unresolved[0].severity) if unresolved else "orange" if dead else "green"
ui.head("Incidents", finding + given_up, tone)

if chosen:
    show(chosen[0], expanded=True)
    ui.link("incidents", "All incidents")
else:
    for row in unresolved:
        show(row, expanded=len(unresolved) == 1)
    if not unresolved:
        ui.empty("Nothing is wrong that we know of.", "Checks run by schedule.", "automation")
    ui.section("Resolved")
    for row in past[:20]:
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(row.severity)
            ui.link("incidents", row.title, id=row.id)
            st.caption(f"resolved {ui.when(row.resolved_at, now)}", width="content")
    if not past:
        st.caption("None yet.")
    ui.section("Messages")
    messages()
