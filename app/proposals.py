"""Proposing a change by hand: a kind, its arguments, and why; then it waits in the inbox."""

import streamlit as st

from app import cards, ui
from core import outbox, recommendations, registry, specs
from core.access import Actor, may
from core.incidents import silences
from core.panel import Panel
from core.specs import gates
from core.tables.entities import Recommendation

BY_HAND = (
    "change_weights", "set_threshold", "retrain", "collect_labels",
    "freeze", "silence", "notify", "scale", "change_gate",
)  # fmt: skip
"""Kinds that are proposed here, where something is set up that could do them.

The others are where their subject is (Models, Experiments …).
"""

FIRST = {"share": "0.1", "threshold": "0.5", "rows": "200", "hours": "4", "replicas": "2"}


def show(panel: Panel, actor: Actor, model: str) -> None:
    """Offer the form to those who may propose."""
    if not may(actor, "recommendation.propose"):
        return
    with st.expander("Propose a change", key="propose", on_change="rerun") as drawer:
        if drawer.open:
            _form(panel, actor, model)


def _form(panel: Panel, actor: Actor, model: str) -> None:
    with panel.db.read() as db:
        offered = [one for one in BY_HAND if recommendations.has_means(db, one)]
    kind = st.selectbox("What", offered, format_func=_words, key="propose-kind", width=320)
    st.caption(f"{cards.CONSEQUENCE[kind]} {_who(kind)}")
    with st.form(f"propose-{kind}", border=False):
        given = _gate(panel, model) if kind == "change_gate" else _arguments(panel, model, kind)
        reason = st.text_input("Why? (kept on record)", max_chars=500, key=f"why-{kind}")
        submitted = st.form_submit_button("Propose")
    if submitted and not reason.strip():
        st.error("Say why: the reason is kept on record.")
    elif submitted:
        _propose(panel, actor, model, kind, given, reason.strip())


def _words(kind: str) -> str:
    return recommendations.verb(kind).capitalize()


def _who(kind: str) -> str:
    risky = recommendations.is_risky(kind)
    return "An approver decides." if risky else "An operator decides, you too."


def _gate(panel: Panel, model: str) -> dict[str, str]:
    """Ask for all values of the gate, as they are now."""
    with panel.db.read() as db:
        now = gates.words(specs.active(db, model).gate)
    return {name: _gate_value(name, value) for name, value in now.items()}


def _gate_value(name: str, now: str) -> str:
    if name == "rule":
        return str(st.selectbox("Rule", gates.RULES, gates.RULES.index(now), key="gate-rule"))
    return st.text_input(cards.LABELS[name], now, max_chars=20, key=f"gate-{name}").strip()


def _arguments(panel: Panel, model: str, kind: str) -> dict[str, str]:
    names = sorted(recommendations.KINDS[kind].arguments, reverse=True)
    return {name: _argument(panel, model, name) for name in names}


def _argument(panel: Panel, model: str, name: str) -> str:
    if name == "version":
        with panel.db.read() as db:
            found = [one.version for one in registry.versions(db, model) if one.state != "archived"]
        return str(st.selectbox(cards.LABELS[name], found))
    if name == "cause":
        with panel.db.read() as db:
            return str(st.selectbox("Cause", silences.known_causes(db)))
    return st.text_input(cards.LABELS[name], FIRST[name], max_chars=20).strip()


def _propose(
    panel: Panel, actor: Actor, model: str, kind: str, given: dict[str, str], reason: str
) -> None:
    with ui.reporting():
        made = _proposed(panel, actor, model, kind, given, reason)
        ui.done(f"It waits for a decision: {made.title}")


def _proposed(
    panel: Panel, actor: Actor, model: str, kind: str, given: dict[str, str], reason: str
) -> Recommendation:
    told = outbox.channels(panel.settings)
    if kind == "change_gate":
        return recommendations.propose_gate(
            panel.db, actor, model=model, changes=given, reason=reason, channels=told
        )
    return recommendations.propose(
        panel.db,
        actor,
        model=model,
        kind=kind,
        arguments=given,
        title=recommendations.title(model, kind, given),
        reasoning=reason,
        channels=told,
    )
