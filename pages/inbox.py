"""What needs a person now: decisions that wait, then how every model is."""

from datetime import timedelta

import streamlit as st

from app import batches, cards, deciding, health, session, ui
from core import outcomes, recommendations
from core.access import may
from core.tables.entities import ActionRow, Recommendation

panel, actor = session.panel(), session.actor()
now = panel.clock()


def card(row: Recommendation) -> None:
    """Show one decision that waits, and what this person may do about it."""
    mine = refused[row.id]
    with st.container(border=True, key=f"card-{row.id}"):
        st.markdown(f"## {ui.plain(row.title)}")
        cards.facts(row, now, alone)
        cards.why(row)
        cards.evidence(row.evidence, limit=3)
        if words := cards.record(records[row.model, row.kind], row):
            st.caption(ui.plain(words))
        with st.expander("What would change"):
            cards.difference(changes[row.id])
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.link("recommendation", "Look" if mine.both else "Look and decide", id=row.id)
            if len(waiting) > 1 and not mine.both:
                batches.pick(row)
        if mine.approve and may(actor, recommendations.DECIDE):
            st.caption(ui.plain(ui.sentence(mine.approve)))


def by_itself(action: ActionRow) -> None:
    """Show one action that the product carried out without asking."""
    with st.container(border=True, key=f"alone-{action.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(action.state)
            words = recommendations.title(action.model, action.kind, action.arguments)
            ui.link("recommendation", words, id=str(action.recommendation_id))
            st.caption(ui.plain(ui.when(action.finished_at or action.at, now)), width="content")
        if action.error:
            st.caption(ui.plain(action.error))
        deciding.undo(panel, actor, action)


# load
with panel.db.read() as db:
    waiting = recommendations.waiting(db)
    changes = {row.id: recommendations.difference(db, row) for row in waiting}
    about = {(row.model, row.kind) for row in waiting}
    records = {pair: outcomes.record(db, *pair) for pair in about}
    how = {"solo": panel.settings.solo, "now": now}
    refused = {row.id: recommendations.why_not(db, actor, row, **how) for row in waiting}
    alone = cards.only_approver(panel.settings.solo, recommendations.approvers(db))
    acted = recommendations.acted_alone(db, since=now - timedelta(days=1))
    models = health.of_all(db, now)
    everywhere = health.everywhere(db)
    decided = recommendations.decided(db, cards.shown("inbox") + 1)
    undone = recommendations.taken_back(db, decided)

# render
top = st.container()
shown = batches.filtered(waiting)
sick = [one for one in models if one.color in ("red", "orange", "blue")]
state = "all models are quiet" if not sick else f"{len(sick)} of {len(models)} models need a look"
n = len(waiting)
count = f"{ui.count(n, 'decision')} waiting" if n else "Nothing waits for a decision"
count += f", {len(shown)} shown" if len(shown) < n else ""
tone = "orange" if waiting else sick[0].color if sick else "green"
finding = f"{count} ({cards.age(waiting, now)}); {state}." if n else f"{count}; {state}."
ui.head("Inbox", *health.beside(everywhere, finding, tone), at=top)
with top:
    health.links(everywhere)

batches.offer(panel, actor, shown)
for row in shown:
    card(row)
if waiting and not shown:
    ui.empty("No decision matches.", "Clear a filter above.")
elif not waiting:
    ui.empty(
        "No decision waits for a person.",
        "The agent proposes when it finds something; you may propose under Models or Releases.",
        "models",
    )

if acted:
    ui.section("Acted alone in the last 24 hours")
    for action in acted:
        by_itself(action)

ui.section("Models")
columns = st.columns(2)
for index, one in enumerate(models):
    with columns[index % 2]:
        health.card(one)
if not models:
    ui.empty("There is no model yet.", "Upload a data set; its model comes with it.", "data")

ui.section("Decided lately")
cards.lines("inbox", decided, "Nothing was decided yet.", undone=undone)
