"""Why something is proposed: the rules' verdict beside the model's words, and what is unknown."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import cards, ui
from core.tables.entities import FactBook, ReasonerCall, Recommendation

CHECKED = {
    "drift.score": "drift of the inputs",
    "accuracy.current": "accuracy on labelled traffic",
    "data_quality.status": "quality of the inputs",
    "service.error_rate": "errors and latency",
    "deployment.difference": "whether the version before was right more often",
}
"""A fact of each group that a diagnosis looks at, and what it stands for."""

DECIDED = {
    "no_action": "nothing to do",
    "log_only": "no hurry: noted",
    "retrain": "retrain",
    "request_approval": "ask a person",
    "rollback": "roll back",
    "stop_experiment": "stop the experiment",
    "escalate": "call a person now",
    "promote": "release",
    "reject_candidate": "do not release",
}
"""A decision of the policy, in words."""

BECAME = {"fired": "it decided", "held": "held back", "passed over": "another rule came first"}
"""What became of a rule, in words."""


def show(row: Recommendation, book: FactBook | None, calls: Sequence[ReasonerCall]) -> None:
    """Show the rules' verdict, and beside it a language model's words where one was asked."""
    asked = row.reasoner not in cards.TOLD
    if book is None or not (asked or row.reasoner == "rules"):
        st.markdown(ui.plain(ui.sentence(row.reasoning)) or "No reasoning was given.")
        st.caption(f"Reasoned by {ui.plain(cards.TOLD.get(row.reasoner, row.reasoner))}")
    elif asked:
        left, right = st.columns(2)
        with left.container(border=True, key="rules"):
            _rules(book.verdict)
        with right.container(border=True, key="words"):
            _words(row)
    else:
        _rules(book.verdict)
        st.caption("Reasoned by the rules")
    if row.fallback:
        st.warning(
            ui.plain(f"The rules answered instead of the language model: {row.fallback}"),
        )
    if book is not None:
        _considered(book.verdict)
        _unchecked(book)
    _cost(calls)


def _rules(verdict: Mapping[str, Any]) -> None:
    st.markdown("**The rules say**")
    _badges(str(verdict.get("decision", "")), str(verdict.get("severity", "")))
    said = " ".join(str(one) for one in verdict.get("sentences") or [])
    st.markdown(ui.plain(said))
    if verdict.get("rule"):
        st.caption(f"Rule: {ui.plain(verdict['rule'])}")


def _words(row: Recommendation) -> None:
    st.markdown(f"**{ui.plain(row.reasoner)} says**")
    _badges(row.decision, row.severity)
    st.markdown(ui.plain(row.reasoning))
    st.caption(f"Confidence {row.confidence:.0%}. Its words decide nothing: the rules set bounds.")


def _badges(decision: str, severity: str) -> None:
    with st.container(horizontal=True, gap="small"):
        ui.badge(DECIDED.get(decision, decision), "gray")
        ui.badge(severity)


def _considered(verdict: Mapping[str, Any]) -> None:
    """Say of each other rule that had something to say whether it was followed, and why not."""
    rows = [considered(one) for one in verdict.get("considered") or []]
    if not rows:
        return
    with st.expander(f"Every rule that had something to say ({len(rows)})"):
        ui.small_table(rows)


def considered(one: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Return one considered rule as a row.

    >>> considered(("drift ladder", "held", "Broken data."))
    {'rule': 'drift ladder', 'what became of it': 'held back', 'why': 'Broken data.'}
    """
    values = one.values() if isinstance(one, Mapping) else one
    rule, state, why = (str(value) for value in [*values][:3])
    return {"rule": rule, "what became of it": BECAME.get(state, state), "why": why}


def _unchecked(book: FactBook) -> None:
    if missing := unchecked({str(fact.get("id")) for fact in book.facts}):
        st.caption(f"Not checked, because nothing is known of it: {'; '.join(missing)}.")


def unchecked(known: set[str]) -> list[str]:
    """Return what a diagnosis looks at and could not.

    >>> unchecked({*CHECKED} - {"drift.score"})
    ['drift of the inputs']
    """
    return [words for name, words in CHECKED.items() if name not in known]


def _cost(calls: Sequence[ReasonerCall]) -> None:
    for call in calls:
        if call.reasoner == "rules" and not call.tokens:
            continue
        cost = f", cost {call.cost:.4f}" if call.cost else ""
        words = f"{call.reasoner}: {call.tokens:,} tokens{cost}, {call.seconds:.1f} s"
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.caption(ui.plain(words), width="content")
            ui.link("audit", "what it was asked and said", call=call.id)
