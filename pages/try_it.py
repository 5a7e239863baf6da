"""One dry prediction, or one of the log: what a version answers, and why."""

import streamlit as st

from app import explanations, session, ui
from core import predictions, registry, releases
from core.adapters import shap_explainer
from core.explain import answers
from core.serving import scorer
from core.serving.features import completed, of_versions
from core.serving.scorer import Input
from core.tables.entities import ModelVersion

panel, actor = session.panel(), session.actor()


def ask(row: ModelVersion) -> Input | None:
    """Ask for one input as a prediction would be given it; None until it is."""
    signature = row.signature
    features = signature.get("input", {}).get("features", [])
    with panel.db.read() as db:
        completion = of_versions(db, [row])[row.version]
    entity = ""
    with st.form("ask"):
        if signature.get("task") == "text":
            text = st.text_area("Text", max_chars=panel.settings.max_message_chars)
            given: Input = text
        else:
            columns = st.columns(3)
            given = {
                name: columns[index % 3].number_input(name, value=None)
                if type == "numeric"
                else columns[index % 3].text_input(name) or None
                for index, (name, type) in enumerate(completion.asked(features).items())
            }
            if completion.looked_up:
                entity = st.text_input(
                    "Entity id", width=320, help="Whose features are looked up, where left empty."
                )
        submitted = st.form_submit_button("Ask", type="primary")
    if submitted and isinstance(given, str) and not given.strip():
        st.error("Type a text first.")
        return None
    if not submitted:
        return None
    with panel.db.read() as db:
        return completed(db, row, given, entity_id=entity or None, now=panel.clock())


def answer(row: ModelVersion, given: Input) -> None:
    """Load the version, show what it says, and why."""
    cut = releases.threshold(release, row)
    loaded = scorer.load(panel.settings, row).at(cut)
    checked = loaded.check(given)
    said = loaded.score([checked])[0]
    st.metric("Answer", said.label, f"{said.confidence:.1%} sure", delta_color="off",
              delta_arrow="off")  # fmt: skip
    ui.small_table(
        {"label": label, "probability": ui.figure(share)}
        for label, share in said.probabilities.items()
    )
    ui.section("Why")
    with ui.reporting(), st.spinner("Taking the answer apart …"):
        found = answers.explain(
            panel.db, panel.settings, row, checked, threshold=cut, sampler=shap_explainer.sampler()
        )
        explanations.answer(found)


def look_back(prediction_id: str) -> None:
    """Show a prediction of the log, and why it was answered so."""
    with panel.db.read() as db:
        stored = predictions.get(db, prediction_id)
    words = f"{stored.model} {stored.version} answered {stored.label}"
    when = ui.when(stored.at, panel.clock())
    st.markdown(f"**{ui.plain(words)}**  \n{ui.plain(when)}")
    found = answers.stored(
        panel.db, panel.settings, prediction_id, sampler=shap_explainer.sampler()
    )
    if isinstance(found.given, str):
        st.text(found.given)
    explanations.answer(found)


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
    with ui.reporting():
        given = ask(chosen)
        if given is not None:
            answer(chosen, given)
    ui.section("A prediction of the log")
    wanted = st.text_input("Prediction id", key="prediction", bind="query-params", width=420,
                           help="As POST /predict answered it.")  # fmt: skip
    if wanted.strip():
        with ui.reporting():
            look_back(wanted.strip())
