"""What is expected of a model's data: shown in sentences, edited as rows with a reason."""

import json
from typing import Any

import pandas as pd
import streamlit as st

from app import ui
from core.access import Actor
from core.datasets import suites
from core.errors import InvalidInputError
from core.panel import Panel
from core.specs import ModelSpec
from core.tables.entities import ExpectationSuite
from core.tables.telemetry import MonitorReport


def suite(
    panel: Panel,
    actor: Actor,
    spec: ModelSpec,
    row: ExpectationSuite | None,
    live: MonitorReport | None,
) -> None:
    """Show the suite in force, what live inputs make of it, and a form that edits it."""
    if row is None:
        ui.empty("Nothing is expected yet.", "The first data that passes the checks generates it.")
        return
    found = suites.expectations(row, spec)
    words = f"Suite {row.version}, {ui.count(len(found), 'expectation')}, by {row.author}"
    st.caption(ui.plain(f"{words}, {ui.when(row.at, panel.clock())}: {row.reason}"))
    if live is not None:
        st.markdown(f"{ui.dot(ui.color(live.state))} Live inputs: {ui.plain(live.sentence)}")
    shown = pd.DataFrame(
        {
            "expected": [one.sentence for one in found],
            "severity": [one.severity for one in found],
            "arguments": [json.dumps(dict(one.arguments), ensure_ascii=False) for one in found],
            "keep": [True] * len(found),
        }
    )
    with st.form(f"suite-{spec.name}-{row.version}", border=False):
        edited = st.data_editor(
            shown,
            hide_index=True,
            disabled=["expected"],
            column_config={
                "expected": st.column_config.TextColumn(width="large"),
                "severity": st.column_config.SelectboxColumn(
                    options=["hard", "soft"],
                    required=True,
                    help="A failed hard one rejects the data, a soft one warns.",
                ),
            },
            key=f"expectations-{spec.name}-{row.version}",
        )
        reason = st.text_input("Why does it change?", max_chars=500)
        submitted = st.form_submit_button("Put it in force")
    if submitted:
        with ui.reporting():
            content = _content([one.to_dict() for one in found], edited)
            after = suites.edit(panel.db, actor, spec.name, content, reason=reason)
            ui.done(f"Suite {after.version} is in force.")


def _content(before: list[dict[str, Any]], edited: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the suite as it was edited. Raises: InvalidInputError (arguments are no JSON)."""
    kept = []
    for one, row in zip(before, edited.to_dict("records"), strict=True):
        if not row["keep"]:
            continue
        try:
            arguments = json.loads(row["arguments"] or "{}")
        except ValueError as error:
            raise InvalidInputError(f"These arguments are no JSON: {row['arguments']}") from error
        kept.append(one | {"severity": row["severity"], "arguments": arguments})
    return kept
