"""Data sets: upload a file, see what the checks say, compare versions, edit what is expected."""

import pandas as pd
import streamlit as st

from app import datasets, expected, nav, session, ui
from core import specs
from core.datasets import ranking, suites, versions
from core.datasets.ranking import Ranked
from core.monitoring import datasets as drifts
from core.monitoring import reports
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion

panel, actor = session.panel(), session.actor(nav.BY_STEM["data"].action)
now = panel.clock()


def listed(found: list[Ranked]) -> None:
    """Show the versions, the best to train on first."""
    ui.table(
        {
            "role": one.row.role,
            "state": one.row.state,
            "rows": one.row.n_rows,
            "score": "" if one.why_not else ui.figure(one.score, 3),
            "use": one.why_not or ("the next training's" if one is found[0] else "possible"),
            "checks": one.row.report.get("sentence", ""),
            "from": one.row.source,
            "by": one.row.author,
            "at": ui.when(one.row.at, now),
            "id": one.row.id,
        }
        for one in found
    )
    if found and not found[0].why_not:
        parts = ", ".join(f"{name} {part:.2f}" for name, part in found[0].parts.items())
        weights = ", ".join(f"{name} {weight}" for name, weight in ranking.WEIGHTS.items())
        st.caption(ui.plain(f"Parts of the best score: {parts}. Their weights: {weights}."))


def name_of(row: DatasetVersion) -> str:
    """Name a version in a list."""
    return f"{row.at:%Y-%m-%d %H:%M} · {row.role} · {row.state} · {row.n_rows:,} rows · {row.id}"


def compared(rows: list[DatasetVersion]) -> None:
    """Let a person choose two versions and show how they differ."""
    named = {row.id: name_of(row) for row in rows}
    left, right = st.columns(2)
    first = left.selectbox("First", named, index=1, format_func=named.__getitem__)
    second = right.selectbox("Second", named, index=0, format_func=named.__getitem__)
    if not st.button("Compare"):
        return
    with ui.reporting():
        found = drifts.compare(panel.db, panel.settings, first, second)
        st.markdown(f"**{ui.plain(found.sentence)}**")
        counts = {"rows": found.sides.rows, **found.sides.classes}
        ui.small_table(
            {"count": name, "first": pair[0], "second": pair[1]} for name, pair in counts.items()
        )
        by_name = {row["column"]: row for row in found.drift}
        ui.table(
            ui.flat(
                {
                    "column": one.name,
                    "change": one.change,
                    "first": datasets.described(one.before),
                    "second": datasets.described(one.after),
                    "drift": by_name.get(one.name, {}).get("distance"),
                    "p": by_name.get(one.name, {}).get("p_value"),
                    "detail": by_name.get(one.name, {}).get("detail") or "-",
                }
            )
            for one in found.sides.columns
        )


def kept(spec: ModelSpec) -> None:
    """Show a model's data: its versions, one of them whole, two compared, and its suite."""
    with panel.db.read() as db:
        rows = versions.history(db, spec.name)[:50]
        suite = suites.current(db, spec.name)
        live = next(iter(reports.reports(db, spec.name, "quality", limit=1, origin="live")), None)
    if not rows:
        ui.empty("No data was loaded yet.", "Upload a file, or train the model.", "training")
        return
    listed(ranking.ranked(rows, spec, panel.settings, now=now))
    ui.link("training", "Train on them", model=spec.name)
    ui.section("One data set")
    named = {row.id: row for row in sorted(rows, key=lambda row: row.role != "train")}
    chosen = st.selectbox("Data set", named, format_func=lambda key: name_of(named[key]))
    datasets.version(panel, actor, named[chosen])
    if len(rows) > 1:
        ui.section("Compare two")
        compared(rows)
    ui.section("What is expected")
    expected.suite(panel, actor, spec, suite, live)


# load
with panel.db.read() as db:
    models = specs.all_active(db)
    rows = [row for spec in models for row in versions.history(db, spec.name)]
states = pd.Series([row.state for row in rows if row.role == "train"])

# render
rejected, waiting = int((states == "rejected").sum()), int((states == "pending").sum())
finding = f"{ui.count(len(rows), 'data set')}; {rejected} rejected by the checks"
finding += f", {waiting} being checked." if waiting else "."
ui.head("Data", finding, ui.color("warn" if rejected else "pass") if len(states) else "gray")
ui.section("Bring your own")
datasets.upload(panel, actor, models)
ui.section("Loaded data sets")
if models:
    model = ui.pick_model(panel)
    kept(next(spec for spec in models if spec.name == model))
else:
    ui.empty("No data was loaded yet.", "Upload a file, or train a shipped model.", "training")
