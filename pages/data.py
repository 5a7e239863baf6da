"""Data sets: upload a CSV or Parquet file as a new model, and what was loaded before."""

import pandas as pd
import streamlit as st

from app import nav, session, ui
from core import specs
from core.datasets import schema, uploads, validation, versions
from core.datasets.validation import Report

panel, actor = session.panel(), session.actor(nav.BY_STEM["data"].action)
now = panel.clock()
TYPES = ("numeric", "category", "text", "ignore")


def report(found: Report) -> None:
    """Show what the checks say about the data."""
    (st.success if found.ok else st.error)(ui.plain(found.sentence))
    if found.classes:
        shown = ", ".join(f"{label}: {n:,}" for label, n in found.classes.items())
        st.caption(ui.plain(f"Rows per class: {shown}"))
    if found.problems:
        ui.table(
            {
                "severity": one.severity,
                "column": one.column or "",
                "finding": one.sentence,
                "rows": one.rows,
            }
            for one in found.problems
        )


def corrected(frame: pd.DataFrame) -> dict[str, str]:
    """Show the inferred columns and let a person correct their types."""
    columns = schema.infer(frame)
    rows = pd.DataFrame(
        {
            "column": [c.name for c in columns],
            "type": [c.type for c in columns],
            "missing": [c.missing for c in columns],
            "distinct": [c.distinct for c in columns],
            "examples": [", ".join(c.examples) for c in columns],
        }
    )
    edited = st.data_editor(
        rows,
        hide_index=True,
        disabled=["column", "missing", "distinct", "examples"],
        column_config={"type": st.column_config.SelectboxColumn(options=TYPES, required=True)},
        key="types",
    )
    return dict(zip(edited["column"], edited["type"], strict=True))


def new_model(name: str, frame: pd.DataFrame) -> None:
    """Turn an uploaded table into a model: target, types, checks, then keep it."""
    st.markdown(f"**{ui.plain(name)}**: {len(frame):,} rows, {len(frame.columns)} columns")
    types = corrected(frame)
    few = [c.name for c in schema.infer(frame) if 2 <= c.distinct <= uploads.MOST_CLASSES]
    if not few:
        st.error("No column has 2 to 50 different values, so there is nothing to predict.")
        return
    target = st.selectbox("What to predict", few, index=len(few) - 1)
    classes = sorted(str(value) for value in schema.plain(frame)[target].dropna().unique())
    rarest = str(schema.plain(frame)[target].value_counts().idxmin())
    positive = st.selectbox(
        "The value to find (counts as positive)", classes, index=classes.index(rarest)
    )
    title = st.text_input("Name of the model", value=name.rsplit(".", 1)[0], max_chars=60)
    text = uploads.spec_for(title, frame, target=target, positive=positive, types=types)
    spec = specs.parse(text)
    found = validation.validate(frame, spec)
    report(found)
    with st.expander("The spec that follows from this"):
        st.code(text, language="yaml")
    if st.button("Keep the data and the model", type="primary", disabled=not found.ok):
        specs.apply(panel.db, actor, text)
        versions.load(
            panel.db, actor, panel.settings, spec.name, frame=frame, source=f"uploaded as {name}"
        )
        st.session_state["last_model"] = spec.name
        ui.done(f"{spec.title} is ready to be trained.")


# load
with panel.db.read() as db:
    models = specs.all_active(db)
    known = [row for spec in models for row in versions.history(db, spec.name)[:20]]

# render
rejected = sum(row.state == "rejected" for row in known)
finding = f"{ui.count(len(known), 'data set')}; {rejected} rejected by the checks."
ui.head("Data", finding, ui.color("warn" if rejected else "pass") if known else ui.color(""))

ui.section("Bring your own")
st.caption(f"CSV or Parquet, at most {panel.settings.max_upload_mb} MB; no archives.")
given = st.file_uploader("File", type=["csv", "tsv", "txt", "parquet"], key="file")
if given is not None:
    with ui.reporting():
        new_model(given.name, uploads.read(given.name, given.getvalue(), panel.settings))

ui.section("Loaded data sets")
if known:
    ui.table(
        {
            "model": row.model,
            "role": row.role,
            "state": row.state,
            "rows": row.n_rows,
            "from": row.source,
            "checks": row.report.get("sentence", ""),
            "by": row.author,
            "at": ui.when(row.at, now),
        }
        for row in sorted(known, key=lambda row: row.at, reverse=True)
    )
    ui.link("training", "Train on them")
else:
    ui.empty("No data was loaded yet.", "Upload a file, or train a shipped model.", "training")
