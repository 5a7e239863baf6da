"""What the Data page shows: an upload on its way to a model, and one kept version of data."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app import ui
from core import specs
from core.access import Actor
from core.datasets import failures, guesses, schema, spelling, uploads, validation, versions
from core.datasets.schema import Column
from core.datasets.values import category
from core.errors import NotFoundError
from core.panel import Panel
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion

TYPES = ("numeric", "category", "text", "ignore")
_NEW = "a new model"


def report(content: Mapping[str, Any], state: str) -> None:
    """Show what the checks say about data: a sentence, the classes, each finding."""
    if not content:
        return
    said = {"rejected": st.error, "pending": st.info}.get(state, st.success)
    waiting = " The full check is under way; look again in half a minute."
    said(ui.plain(f"{content.get('sentence', '')}{waiting if state == 'pending' else ''}"))
    if classes := content.get("classes"):
        shown = ", ".join(f"{label}: {n:,}" for label, n in classes.items())
        st.caption(ui.plain(f"Rows per class: {shown}"))
    if findings := [*content.get("problems", []), *content.get("failed", [])]:
        ui.small_table(_finding(one) for one in findings[:20])
        if len(findings) > 20:
            st.caption(ui.plain(f"And {len(findings) - 20} more."))
    if content.get("engine"):
        n, failed = content["n_expectations"], len(content["failed"])
        words = f"{n - failed} of {ui.count(n, 'expectation')} hold, judged by {content['engine']}"
        st.caption(ui.plain(f"{words} (suite {content['suite']})."))


def _finding(one: Mapping[str, Any]) -> dict[str, Any]:
    severity = {"hard": "error", "soft": "warning"}.get(one["severity"], one["severity"])
    rows = one["rows"] if isinstance(one["rows"], int) else one["n_failed"]
    return {
        "severity": severity,
        "column": one["column"] or "all",
        "finding": one["sentence"],
        "rows": rows,
    }


def upload(panel: Panel, actor: Actor, models: list[ModelSpec]) -> None:
    """Take a file and make it a new model, or new data for one that exists."""
    st.caption(f"CSV or Parquet, at most {panel.settings.max_upload_mb} MB; no archives.")
    turn = st.session_state.setdefault("upload", 0)  # another key is an empty field
    given = st.file_uploader("File", type=["csv", "tsv", "txt", "parquet"], key=f"file-{turn}")
    if given is None:
        st.session_state.pop("uploaded", None)
        return
    with ui.reporting():
        frame, columns = _read(panel, given)
        st.markdown(
            f"**{ui.plain(given.name)}**: {len(frame):,} rows, {len(frame.columns)} columns"
        )
        titles = {spec.name: f"new data for {spec.title}" for spec in models}
        use = st.selectbox("Use it as", [_NEW, *titles], format_func=lambda n: titles.get(n, n))
        spec = next((spec for spec in models if spec.name == use), None)
        if spec is None:
            _new_model(panel, actor, given.name, frame, columns)
        else:
            _more_data(panel, actor, spec, given.name, frame)


def _read(panel: Panel, given: UploadedFile) -> tuple[pd.DataFrame, list[Column]]:
    """Read a file once, however often the page runs."""
    known = st.session_state.get("uploaded")
    if known is None or known[0] != given.file_id:
        frame = uploads.read(given.name, given.getvalue(), panel.settings)
        known = (given.file_id, frame, schema.infer(frame))
        st.session_state["uploaded"] = known
    return known[1], known[2]


def _new_model(
    panel: Panel, actor: Actor, name: str, frame: pd.DataFrame, columns: list[Column]
) -> None:
    """Turn an uploaded table into a model: target, types, checks, then keep it."""
    types = _corrected(frame, columns)
    few = guesses.targets(columns)
    if not few:
        st.error(
            f"No column has 2 to {uploads.MOST_CLASSES} different values, so there is nothing to "
            "predict: add a column with the answers, or group its values."
        )
        return
    target = st.selectbox("What to predict", few)
    frame = _mended(frame, target)
    classes = sorted(str(value) for value in schema.plain(frame)[target].dropna().unique())
    likely = guesses.likely_positive(frame, target)
    shown = {value: word for word in classes if (value := category(word)) is not None}
    positive = st.selectbox(
        "The value to find (counts as positive)",
        list(shown),
        index=list(shown).index(likely) if likely in shown else 0,
    )
    title = st.text_input("Name of the model", value=name.rsplit(".", 1)[0], max_chars=60)
    text = uploads.spec_for(title, frame, target=target, positive=positive, types=types)
    found = validation.validate(frame, specs.parse(text))
    report(found.to_dict(), "validated" if found.ok else "rejected")
    with st.expander("The spec that follows from this"):
        st.code(text, language="yaml")
    if st.button("Keep the data and the model", type="primary", disabled=not found.ok):
        spec = specs.apply(panel.db, actor, text)
        _receive(panel, actor, spec, name, frame, parent=None)


def _corrected(frame: pd.DataFrame, columns: list[Column]) -> dict[str, str]:
    """Show the inferred columns and let a person correct their types."""
    kinds = uploads.inferred_types(frame)
    rows = pd.DataFrame(
        {
            "column": [c.name for c in columns],
            "type": [kinds[c.name] for c in columns],
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


def _mended(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """Offer to fold labels that differ in case or spaces only; a person sees what is folded."""
    found = spelling.variants(frame[target].dropna())
    if not found:
        return frame
    said = ", ".join(f"{word!r} as {best!r}" for word, best in list(found.items())[:5])
    if st.checkbox(ui.plain(f"Read {said}: they differ in case or spaces only"), value=True):
        return spelling.mended(frame, target, found)
    return frame


def _more_data(panel: Panel, actor: Actor, spec: ModelSpec, name: str, frame: pd.DataFrame) -> None:
    """Check a file against a model that exists, and keep it as the next version of its data."""
    if spec.target.column in frame.columns and spec.target.positive_above is None:
        words = spelling.towards(frame[spec.target.column].dropna(), spec.labels)
        if words:
            said = ", ".join(f"{word!r} as {best!r}" for word, best in words.items())
            if st.checkbox(ui.plain(f"Read {said}: they differ in case only"), value=True):
                frame = spelling.mended(frame, spec.target.column, words)
    found = validation.validate(frame, spec)
    report(found.to_dict(), "validated" if found.ok else "rejected")
    replaces = st.checkbox("It replaces the data used so far", value=True)
    if st.button("Keep the data", type="primary", disabled=not found.ok):
        parent = _newest(panel, spec) if replaces else None
        _receive(panel, actor, spec, name, frame, parent=parent)


def _newest(panel: Panel, spec: ModelSpec) -> str | None:
    with panel.db.read() as db:
        try:
            return versions.latest(db, spec.name, "train").id
        except NotFoundError:
            return None


def _receive(
    panel: Panel,
    actor: Actor,
    spec: ModelSpec,
    name: str,
    frame: pd.DataFrame,
    *,
    parent: str | None,
) -> None:
    row = versions.receive(
        panel.db,
        actor,
        panel.settings,
        spec.name,
        frame,
        source=f"uploaded as {name}",
        parent_id=parent,
    )
    st.session_state["last_model"] = st.query_params["model"] = spec.name
    st.session_state["upload"] += 1
    words = "is being checked" if row.state == "pending" else f"was {row.state} before"
    ui.done(f"The data for {spec.title} {words}.")


def described(column: Mapping[str, Any] | None) -> str:
    """Say what one side of a comparison holds in a column.

    >>> described({"type": "numeric", "missing": 0.25, "distinct": 41})
    'numeric, 25.0% missing, 41 different'
    """
    if column is None:
        return ui.NOTHING
    return f"{column['type']}, {column['missing']:.1%} missing, {column['distinct']:,} different"


def version(panel: Panel, actor: Actor, row: DatasetVersion) -> None:
    """Show one version: its report, the rows that failed, its columns, and what came of it."""
    report(row.report, row.state)
    _failing(panel, row)
    with panel.db.read() as db:
        origin = versions.lineage(db, row)
    ui.small_table({"": name, "value": value} for name, value in origin.items())
    with st.expander(f"Columns ({len(row.columns)})"):
        ui.table(
            {**{name: one[name] for name in ("name", "type", "missing", "distinct")},
             "examples": ", ".join(one["examples"])}
            for one in row.columns
        )  # fmt: skip
    change, words = (
        (versions.restore, "Use it again") if row.state == "archived" else
        (versions.archive, "Archive it")
    )  # fmt: skip
    with st.expander(words), ui.reporting():
        if reason := ui.reason_form(f"archive-{row.id}", words):
            change(panel.db, actor, row.id, reason)
            ui.done(f"The data set is {'archived' if words == 'Archive it' else 'in use'}.")


def _failing(panel: Panel, row: DatasetVersion) -> None:
    """Show the rows that failed, and offer them whole as a file."""
    if not failures.places(row.report):
        return
    with st.expander("Rows that failed", expanded=row.state == "rejected"), ui.reporting():
        rows = failures.rows(panel.settings, row)
        st.dataframe(rows.head(100), hide_index=True, width="stretch")
        st.download_button(
            "Download these rows (CSV)",
            failures.as_csv(rows),
            file_name=f"{row.model}-{row.id[:13]}-failed-rows.csv",
            mime="text/csv",
        )
