"""One dry prediction: what a version would answer; nothing is logged or counted."""

import streamlit as st

from app import session, ui
from core import registry, releases
from core.serving import scorer
from core.serving.scorer import Input
from core.tables.entities import ModelVersion

panel, actor = session.panel(), session.actor()


def ask(row: ModelVersion) -> Input | None:
    """Ask for one input as the version reads it; None until it is given."""
    signature = row.signature
    with st.form("ask"):
        if signature.get("task") == "text":
            text = st.text_area("Text", max_chars=panel.settings.max_message_chars)
            given: Input = text
        else:
            features = signature.get("input", {}).get("features", [])
            columns = st.columns(3)
            given = {
                feature["name"]: columns[index % 3].number_input(feature["name"], value=None)
                if feature["type"] == "numeric"
                else columns[index % 3].text_input(feature["name"]) or None
                for index, feature in enumerate(features)
            }
        submitted = st.form_submit_button("Ask", type="primary")
    if submitted and isinstance(given, str) and not given.strip():
        st.error("Type a text first.")
        return None
    return given if submitted else None


def answer(row: ModelVersion, given: Input) -> None:
    """Load the version and show what it says."""
    loaded = scorer.load(panel.settings, row)
    said = loaded.score([loaded.check(given)])[0]
    st.metric("Answer", said.label, f"{said.confidence:.1%} sure", delta_color="off",
              delta_arrow="off")  # fmt: skip
    ui.small_table(
        {"label": label, "probability": ui.figure(share)}
        for label, share in said.probabilities.items()
    )


# load
top = st.container()
model = ui.pick_model(panel)
with panel.db.read() as db:
    found = registry.versions(db, model)[:100]
    release = releases.find_current(db, model)
names = [row.version for row in found]
asked = st.query_params.get("version")
serving = releases.champion(release) if release else None

# render
ui.head("Try it", "A dry run: the answer is not logged and not counted.", at=top)
if not found:
    ui.empty("This model has no version yet.", "Train one first.", "training")
else:
    first = next((name for name in (asked, serving) if name in names), names[0])
    version = st.selectbox(
        "Version",
        names,
        index=names.index(first),
        format_func=lambda name: f"{name} (serves)" if name == serving else name,
        width=320,
    )
    chosen = next(row for row in found if row.version == version)
    given = ask(chosen)
    if given is not None:
        with ui.reporting():
            answer(chosen, given)
