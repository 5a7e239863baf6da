"""What needs a person now: decisions that wait, then how every model is."""

import streamlit as st

from app import cards, health, session, ui
from app.health import Health
from core import recommendations
from core.recommendations.reading import Difference
from core.tables.entities import Recommendation

panel, actor = session.panel(), session.actor()
now = panel.clock()


def card(row: Recommendation, changes: Difference) -> None:
    """Show one decision that waits."""
    with st.container(border=True, key=f"card-{row.id}"):
        st.markdown(f"## {ui.plain(row.title)}")
        cards.facts(row, now)
        cards.evidence(row.evidence, limit=3)
        with st.expander("What would change"):
            cards.difference(changes)
        ui.link("recommendation", "Look and decide", id=row.id)


def model(one: Health) -> None:
    """Show one model: health, what serves, traffic and accuracy."""
    with st.container(border=True, key=f"model-{one.name}"):
        st.markdown(f"{ui.dot(one.color)} **{ui.plain(one.title)}**: {ui.plain(one.words)}")
        traffic, right = st.columns(2)
        requests = sum(one.traffic)
        traffic.metric("Requests, 24 h", f"{requests:,}", chart_data=one.traffic, chart_type="bar")
        known = f"{one.newest.value:.1%}" if one.newest else "no labels"
        words = f"Accuracy, newest {one.newest.n} labels" if one.newest else "Accuracy"
        right.metric(words, known, chart_data=one.accuracy if len(one.accuracy) > 1 else None)
        if one.newest:
            st.caption(f"95 % interval {one.newest.low:.1%} to {one.newest.high:.1%}")
        if one.serves:
            ui.link("releases", f"Serves {one.serves}", model=one.name)
        elif one.versions:
            words = f"{ui.count(one.versions, 'version')}, none serves yet: look"
            ui.link("models", words, model=one.name)
        else:
            ui.link("training", "Train a first version", model=one.name)


# load
with panel.db.read() as db:
    waiting = recommendations.waiting(db)
    changes = {row.id: recommendations.difference(db, row) for row in waiting}
    models = health.of_all(db, now)
    decided = recommendations.decided(db, limit=10)

# render
sick = [one for one in models if one.color in ("red", "orange", "blue")]
state = "all models are quiet" if not sick else f"{len(sick)} of {len(models)} models need a look"
n = len(waiting)
count = f"{ui.count(n, 'decision')} waiting" if n else "Nothing waits for a decision"
tone = "orange" if waiting else sick[0].color if sick else "green"
ui.head(
    "Inbox", f"{count} ({cards.age(waiting, now)}); {state}." if n else f"{count}; {state}.", tone
)

for row in waiting:
    card(row, changes[row.id])
if not waiting:
    ui.empty(
        "No decision waits for a person.",
        "The agent proposes when it finds something; you may propose under Models or Releases.",
        "models",
    )

ui.section("Models")
columns = st.columns(2)
for index, one in enumerate(models):
    with columns[index % 2]:
        model(one)
if not models:
    ui.empty("There is no model yet.", "Upload a data set; its model comes with it.", "data")

ui.section("Decided lately")
for row in decided:
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge(row.state)
        ui.link("recommendation", row.title, id=row.id)
        st.caption(ui.plain(recommendations.outcome(row)), width="content")
if not decided:
    st.caption("Nothing was decided yet.")
