"""How a proposal is shown, in the inbox and on its own page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import streamlit as st

from app import nav, ui
from core import recommendations
from core.recommendations.reading import Difference
from core.tables.entities import Recommendation

CONSEQUENCE = {
    "retrain": "A training starts. What serves stays as it is; its result is a candidate.",
    "promote": "All traffic goes to the new version within a second. You can undo this.",
    "rollback": "All traffic goes back to the earlier version within a second.",
    "start_experiment": "Another version answers part of the traffic, or in shadow the log only.",
    "widen_experiment": "Another part of the traffic meets the new version. You can stop it.",
    "stop_experiment": "The experiment ends; all traffic goes back to the control.",
}


def facts(row: Recommendation, now: datetime) -> None:
    """Show risk, model, what is proposed, age and expiry in one line each."""
    with st.container(horizontal=True, gap="small"):
        ui.badge(row.severity)
        risky = recommendations.is_risky(row.kind)
        st.badge("needs an approver" if risky else "an operator may decide", color="gray")
        if row.state != "proposed":
            ui.badge(row.state)
    version = row.arguments.get("version") or row.arguments.get("to")
    about = f"version **{ui.plain(version)}**, " if version else ""
    by = row.proposed_by
    if row.reasoner != "person":
        by = f"{by} ({row.reasoner}), confidence {row.confidence:.0%}"
    st.markdown(
        f"**{ui.plain(row.model)}**: {ui.plain(row.kind.replace('_', ' '))}, {about}"
        f"proposed {ui.plain(ui.when(row.proposed_at, now))} by {ui.plain(by)}"
    )
    if row.state == "proposed":
        st.caption(f"Lapses {ui.when(row.expires_at, now)}")


def evidence(rows: Sequence[Mapping[str, Any]], *, limit: int | None = None) -> None:
    """Show what the proposal rests on: value, interval, n, and the way to the source."""
    if not rows:
        st.caption("No evidence was attached: a person proposed this by hand.")
    for fact in rows[:limit]:
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            value = ui.with_interval(fact.get("value"), fact.get("interval"), fact.get("n"))
            label = fact.get("label") or fact.get("fact", "")
            st.markdown(f"{ui.plain(label)}: **{ui.plain(value)}**", width="content")
            _source(str(fact.get("link") or ""))
    if limit is not None and len(rows) > limit:
        st.caption(f"and {len(rows) - limit} more")


def _source(address: str) -> None:
    parts = urlsplit(address)
    stem = parts.path.strip("/")
    if stem in nav.BY_STEM:
        ui.link(stem, "source", **dict(parse_qsl(parts.query)))


def difference(rows: Difference) -> None:
    """Show what carrying it out would change."""
    if not rows:
        st.caption("Nothing that serves would change.")
        return
    ui.small_table({"what": what, "before": before, "after": after} for what, before, after in rows)


def expected(effect: Mapping[str, Any]) -> str:
    """Say the expected effect with its interval.

    >>> expected({"metric": "accuracy", "effect": 0.02, "low": 0.01, "high": 0.03, "n": 500})
    'accuracy +0.0200 (95 % interval +0.0100 to +0.0300, n = 500)'
    """
    if effect.get("effect") is None:
        return "not estimated"
    value, low, high = (effect.get(name) for name in ("effect", "low", "high"))
    notes = f"95 % interval {low:+.4f} to {high:+.4f}" if None not in (low, high) else ""
    count = f"n = {ui.figure(effect['n'])}" if effect.get("n") is not None else ""
    inside = ", ".join(part for part in (notes, count) if part)
    words = f"{effect.get('metric', 'effect')} {value:+.4f}"
    return f"{words} ({inside})" if inside else words


def age(rows: Sequence[Recommendation], now: datetime) -> str:
    """Say how long the oldest of several proposals waits.

    >>> age([], datetime(2030, 1, 1))
    'nothing waits'
    """
    oldest = min((row.proposed_at for row in rows), default=None)
    return f"the oldest proposed {ui.ago(oldest, now)}" if oldest else "nothing waits"
