"""The alert rules of a model on a page: how each stands, and why it did or did not fire."""

import streamlit as st

from app import ui
from app.incidents import YES_OR_NO, number
from core import releases, specs
from core.incidents import board
from core.incidents.board import Standing
from core.panel import Panel


def show(panel: Panel, asked: str | None) -> None:
    """Let a person choose a model, and show how each of its rules stands."""
    with panel.db.read() as db:
        known = {spec.name: spec for spec in specs.all_active(db)}
        served = [name for name in known if releases.find_current(db, name)]
    if not known:
        ui.empty("No model is watched yet.", "Apply a spec, or upload data.", "data")
        return
    names = [*served, *(name for name in known if name not in served)]
    index = names.index(asked) if asked in names else 0
    name = st.selectbox(
        "Rules of",
        names,
        index=index,
        format_func=lambda one: known[one].title,
        width=320,
        key="rules-model",
    )
    with panel.db.read() as db:
        found = board.standings(db, known[name])
    ui.table([_row(one) for one in found], key="rules")
    with st.expander("Why did nothing fire?"):
        for one in found:
            words = f"{one.watch.title}: {one.why}"
            st.markdown(f"{ui.dot(ui.color(one.state))} {ui.plain(words)}")
    st.caption(
        "A rule fires once as many reports in a row say so, a critical finding at once. "
        "The spec's alerts section changes any of it."
    )


def _row(one: Standing) -> dict[str, object]:
    said = one.signal
    bare = one.watch.name in YES_OR_NO
    return {
        "rule": one.watch.title,
        "now": one.state,
        "value": _value(said.value, bare=bare) if said else ui.NOTHING,
        "threshold": number(said.threshold) if said and not bare else ui.NOTHING,
        "n": f"{said.n:,}" if said else ui.NOTHING,
        "severity": one.watch.usual_severity,
        "reports in a row": one.watch.windows,
        "at least": one.watch.min_samples,
    }


def _value(value: float, *, bare: bool) -> str:
    return ui.figure(value > 0) if bare else number(value)
