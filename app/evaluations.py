"""How well each reasoner decides on the labelled situations, as it was measured last."""

from typing import Any

import streamlit as st

from app import ui
from core.agent import evaluation
from core.panel import Panel
from core.tables.decisions import Evaluation

COMMAND = "pilothouse agent evaluate --save"
HALVES = {"open": "the open half", "held-out": "the held-out half", "all": "both halves"}


def show(panel: Panel) -> None:
    """Show the newest kept evaluation of each reasoner, or the command that makes one."""
    with panel.db.read() as session:
        rows = evaluation.newest(session)
    for row in rows:
        _one(panel, row)
    if not rows:
        ui.empty("No evaluation of the agent is kept yet.", f"Run {COMMAND}: it takes a second.")


def _one(panel: Panel, row: Evaluation) -> None:
    with st.container(border=True, key=f"evaluation-{row.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge("fail" if row.forbidden else "pass")
            st.markdown(f"**{ui.plain(row.reasoner)}**: {ui.plain(_finding(row))}", width="content")
        st.caption(ui.plain(f"{_measured(row)} {ui.when(row.at, panel.clock())}, by {row.author}."))
        for why, n in row.result["fallbacks"].items():
            st.markdown(ui.plain(f"The rules' draft was taken {n} times: {why}"))
        with st.expander("By kind of situation"):
            ui.small_table(_tag(tag, one) for tag, one in row.result["tags"].items())
        missed = row.result["missed"]
        if missed:
            with st.expander(ui.count(len(missed), "answer") + " other than expected"):
                ui.small_table(_missed(case) for case in missed)


def _finding(row: Evaluation) -> str:
    exact = evaluation.in_percent(row.exact, row.n)
    return (
        f"of {ui.count(row.n, 'situation')} ({HALVES.get(row.half, row.half)}) {exact} decided"
        f" exactly as expected, {evaluation.in_percent(row.acceptable, row.n)} acceptably,"
        f" {row.forbidden} in a way that does harm"
    )


def _measured(row: Evaluation) -> str:
    seconds, tokens = row.result["seconds"], row.result["tokens"]["a_case"]
    cost = row.result["cost"]["a_case"]
    used = f"; {tokens:,.0f} tokens and {cost:.4f} of money a situation" if tokens else ""
    return (
        f"Median {seconds['median'] * 1000:,.1f} ms, 95 % within"
        f" {seconds['p95'] * 1000:,.1f} ms{used}. Measured"
    )


def _tag(tag: str, one: dict[str, int]) -> dict[str, Any]:
    n = one["n"]
    return {
        "situation": tag.replace("-", " "),
        "cases": n,
        "exact": evaluation.in_percent(one["exact"], n),
        "acceptable": evaluation.in_percent(one["acceptable"], n),
        "does harm": one["forbidden"],
    }


def _missed(case: dict[str, Any]) -> dict[str, Any]:
    return {
        "situation": case["id"],
        "answer": _words(", ".join(dict.fromkeys([case["decision"], *case["actions"]]))),
        "judged": case["grade"],
        "why": _words(case["why"]),
    }


def _words(text: str) -> str:
    return text.replace("_", " ")
