"""People, API keys and the channels that messages go out through."""

import streamlit as st

from app import client_keys, nav, session, ui
from core import keys, outbox, users
from core.access import Role
from core.tables.access import User

panel, actor = session.panel(), session.actor(nav.BY_STEM["admin"].action)
now = panel.clock()
ROLES = list(Role)


def person(row: User) -> None:
    """Show one person with what may be changed."""
    last = ui.when(last_seen.get(row.name), now)
    state = "active" if row.active else "switched off"
    with st.expander(
        f"{ui.plain(row.name)} · {row.role} · {state} · last sign-in {ui.plain(last)}"
    ):
        with st.form(f"role-{row.name}", border=False):
            role = st.selectbox("Role", ROLES, index=ROLES.index(Role(row.role)))
            active = st.checkbox("May sign in", value=row.active)
            password = st.text_input("New password (empty: keep it)", type="password")
            submitted = st.form_submit_button("Save")
        if st.button("Sign out everywhere", key=f"end-{row.name}"):
            with ui.reporting():
                ended = users.end_all_sessions(panel.db, actor, row.name)
                ui.done(f"{row.name}: {ended} sign-ins ended.")
        if submitted:
            with ui.reporting():
                if role != row.role:
                    users.set_role(panel.db, actor, row.name, role)
                if active != row.active:
                    users.set_active(panel.db, actor, row.name, active=active)
                if password:
                    users.reset_password(panel.db, actor, row.name, new=password)
                ui.done(f"{row.name} is saved.")


def add_person() -> None:
    """Add somebody."""
    with st.form("add-person", clear_on_submit=True):
        name = st.text_input("Name")
        role = st.selectbox("Role", ROLES, index=1)
        password = st.text_input("Password (at least 10 characters)", type="password")
        submitted = st.form_submit_button("Add the person", type="primary")
    if submitted:
        with ui.reporting():
            made = users.create(panel.db, actor, name=name, role=role, password=password)
            ui.done(f"{made.name} may sign in as {made.role}.")


def send_test(channel: str) -> None:
    """Leave a test message for a channel; a worker sends it."""
    with ui.reporting():
        with panel.db.command(actor, "alert.test") as command:
            command.note(channel=channel)
            outbox.post(command, [channel], "Test message from Pilothouse", text="It works.")
        ui.done(f"A test is on its way to {channel}; see Incidents for what became of it.")


# load
with panel.db.read() as db:
    people = users.all(db)
    last_seen = users.last_sign_ins(db)
    api_keys = keys.all(db)
channels = outbox.channels(panel.settings)
live = sum(keys.state(row, now) == "live" for row in api_keys)

# render
approvers = [p for p in people if p.active and p.role in (Role.APPROVER, Role.ADMIN)]
few = len(approvers) < 2
alone = " Only one may approve: add a second for four eyes." if few else ""
active = sum(row.active for row in people)
set_up = ", ".join(channels) or "no channel"
people_words = ui.count(active, "person", "people")
finding = f"{people_words} may sign in, {ui.count(live, 'key')} live, {set_up} set up.{alone}"
ui.head("Admin", finding, "orange" if few else "green")
ui.section("People")
for row in people:
    person(row)
add_person()
ui.section("API keys")
for api_key in api_keys[:50]:
    client_keys.show(panel, actor, api_key)
if not api_keys:
    ui.empty("No client has a key yet.", "Make one below; clients send it in X-API-Key.")
client_keys.add(panel, actor)
ui.section("Channels")
for channel in channels:
    if st.button(f"Send a test to {channel}", key=f"test-{channel}"):
        send_test(channel)
if not channels:
    names = "SLACK_WEBHOOK_URL, ALERT_EMAIL or MONITORING_WEBHOOK_URL"
    ui.empty("No channel is set up; messages show in the inbox only.", f"Set {names} and restart.")
