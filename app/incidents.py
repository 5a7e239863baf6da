"""How an incident is shown: what fires, what was done, and where to look next."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from app import ui
from core.incidents import outside, silences
from core.specs.alerts import RULES, SEVERITIES
from core.tables.entities import Alert, Incident, Recommendation, Silence
from core.tables.operational import Delivery

REPORTS = {
    **dict.fromkeys(("drift", "quality"), "drift"),
    **dict.fromkeys(("performance", "estimate", "concept", "service", "volume"), "performance"),
}
"""The page on which a report of a kind is read."""

YES_OR_NO = ("drift", "concept_drift")  # rules whose finding has no size: it is so, or not
NO_CHANNEL = "No channel is set up; messages show in the inbox only. See Admin."


def by_severity(rows: Sequence[Incident]) -> list[Incident]:
    """Return incidents, the gravest first."""
    ranks: list[str] = [*SEVERITIES]
    return sorted(rows, key=lambda row: ranks.index(row.severity))


def finding(
    unresolved: Sequence[Incident],
    loose: Sequence[Alert],
    quiet: Sequence[Silence],
    deliveries: Sequence[Delivery],
    now: datetime,
) -> tuple[str, ui.Color]:
    """Say in one sentence what needs a person, and in which colour."""
    untaken = sum(row.owner is None for row in unresolved)
    said = [
        f"{len(unresolved)} open, {untaken} of them not taken by anybody."
        if unresolved
        else "No incident is open."
    ]
    if pending := sum(one.state == "pending" for one in loose):
        said.append(f"{ui.count(pending, 'alert')} may become one.")
    if active := sum(silences.state(row, now) == "active" for row in quiet):
        said.append(f"{ui.count(active, 'silence')} {'is' if active == 1 else 'are'} active.")
    if dead := sum(row.state == "dead" for row in deliveries):
        said.append(f"{ui.count(dead, 'message')} could not be sent.")
    tone = ui.color(unresolved[0].severity) if unresolved else "orange" if dead else "green"
    return " ".join(said), tone


def past(rows: Sequence[Incident], now: datetime) -> None:
    """Show what is over, one line each."""
    for row in rows:
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(row.severity)
            ui.link("incidents", row.title, id=row.id)
            st.caption(f"resolved {ui.when(row.resolved_at, now)}", width="content")
    if not rows:
        st.caption("None yet.")


def head(row: Incident, now: datetime) -> None:
    """Show what an incident is about, since when, and who has it."""
    with st.container(horizontal=True):
        ui.badge(row.severity)
        ui.badge(row.state)
        st.markdown(f"**{ui.plain(row.title)}**")
    owner = f"taken by {row.owner}" if row.owner else "nobody has taken it"
    st.markdown(f"Opened {ui.plain(ui.when(row.opened_at, now))}; {ui.plain(owner)}")


def figures(
    found: Sequence[Alert], samples: Mapping[str, int], now: datetime, *, models: bool = False
) -> None:
    """Show each alert in a sentence with its figures: value, threshold, n, since when."""
    for alert in found:
        rule = RULES.get(alert.rule)  # type: ignore[call-overload]
        name = rule.title if rule else alert.rule.replace("_", " ")
        with st.container(horizontal=True, vertical_alignment="center"):
            ui.badge(alert.state)
            about = f" · {alert.model}" if models else ""
            st.markdown(f"**{ui.plain(name + about)}**", width="content")
            st.caption(ui.plain(_figures(alert, samples.get(alert.id), now)), width="content")
        if alert.sentence:
            st.markdown(ui.plain(alert.sentence))
        if alert.ended_because:
            st.caption(ui.plain(ui.sentence(f"ended: {alert.ended_because}")))


def _figures(alert: Alert, n: int | None, now: datetime) -> str:
    """Say the figures of an alert in one line."""
    theirs = silences.cause_of(alert).startswith(outside.PREFIX)  # another system's, without any
    bare = theirs or alert.rule in YES_OR_NO
    parts = [] if bare else [f"{number(alert.value)} against {number(alert.threshold)}"]
    if n is not None:
        parts.append(f"n = {n:,}")
    parts.append(f"since {ui.ago(alert.at, now)}")
    if alert.fired > 1:
        parts.append(f"{alert.fired} reports")
    return ", ".join(parts)


def number(value: float) -> str:
    """Show a figure of any size with the digits that matter.

    >>> number(0.91234), number(1250.0), number(0.00002), number(0.0)
    ('0.9123', '1,250', '2e-05', '0')
    """
    if value and abs(value) < 0.001:
        return f"{value:.1g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4f}".rstrip("0").rstrip(".")


def timeline(row: Incident, now: datetime, *, expanded: bool) -> None:
    """Show the lines of an incident, the newest first."""
    with st.expander(f"Timeline ({len(row.timeline)})", expanded=expanded):
        for entry in reversed(row.timeline):
            at = ui.when(datetime.fromisoformat(entry["at"]), now)
            st.markdown(f"{ui.plain(at)} · **{ui.plain(entry['who'])}** {ui.plain(entry['what'])}")


def links(row: Incident, found: Sequence[Alert], proposals: Sequence[Recommendation]) -> None:
    """Lead to the report, to what is proposed, and to the pages of the model."""
    with st.container(horizontal=True):
        for proposal in proposals:
            ui.link("recommendation", f"Proposed: {proposal.title}", id=proposal.id)
        for report_id, (stem, title) in _reports(found).items():
            ui.link(stem, f"The report: {title}", model=row.model, report=report_id)
        if row.model == outside.ALL:
            return
        for stem, label in (("drift", "Drift"), ("performance", "Performance")):
            ui.link(stem, label, model=row.model)
        ui.link("releases", "Releases", model=row.model)


def _reports(found: Sequence[Alert]) -> dict[str, tuple[str, str]]:
    """Return the reports that raised alerts by their id, with page and finding, newest first."""
    told = [(alert, RULES.get(alert.rule)) for alert in reversed(found)]  # type: ignore[call-overload]
    return {alert.report_id: (REPORTS[rule.kind], rule.title) for alert, rule in told if rule}
