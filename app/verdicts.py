"""How an experiment stands, in figures, and how many labels one needs."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import charts, ui
from core.errors import InvalidInputError
from core.experiments import lifecycle, statistics
from core.tables.entities import Experiment


def show(row: Experiment, status: Mapping[str, Any]) -> None:
    """Show the counts per arm, the difference with its interval, and whether the split holds."""
    answered, known, right = (status[name] for name in ("predictions", "labelled", "correct"))
    ui.small_table(
        {
            "arm": f"{arm} {status['versions'][arm]}",
            "predictions": answered[arm],
            "labelled": known[arm],
            "right": f"{right[arm] / known[arm]:.2%}" if known[arm] else ui.NOTHING,
        }
        for arm in lifecycle.ARMS
    )
    if found := status["verdict"]:
        interval = found["interval"]
        figure = charts.difference(
            found["difference"], interval["low"], interval["high"], limit=row.minimum_effect
        )
        ui.chart(figure, f"difference-{row.id}", "difference with its interval")
        split = (
            "the traffic was split as asked"
            if found["srm_p"] > statistics.SRM_ALPHA
            else ("the traffic was NOT split as asked; do not trust the figures")
        )
        more = f"{found['more_needed']:,} more labels needed; " if found["more_needed"] else ""
        if row.mode == "shadow":
            split = "both answered the same requests"
        else:
            split = f"{split} (p = {found['srm_p']:.3f})"
        st.caption(ui.plain(f"{more}{split}; {found['method']}"))


def calculator(measured: float | None, *, effect: float, share: float) -> None:
    """Say how many labelled predictions find `effect` over what was measured."""
    both = " of both arms together" if share else ""
    try:
        n = lifecycle.size(measured, effect, share=share)
        words = f"about **{n:,} labelled predictions**{both}"
        st.markdown(f"This needs {words} (80 % power, 5 % error).")
    except InvalidInputError as error:
        st.warning(ui.plain(str(error)))
