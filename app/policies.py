"""The policy: what is in force and why, trying a change on the past, proposing it, its versions."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from app import policy_charts, ui
from core import actions, outbox, policies, recommendations, specs
from core.access import Actor, may
from core.agent import policy_changes
from core.agent.policy_changes import Told
from core.agent.replay import Replay, Replayed
from core.panel import Panel
from core.policies import ALL, BUILT_IN, Changes, Value
from core.specs.meanings import DEFAULTS, GROUPS, MEANINGS

EVERY = policies.scope_words(ALL)
KEPT = "policy-replay"
FIRST = 6  # of those that would differ; the others are opened
SPANS = (7, 30, 90)


def show(panel: Panel, actor: Actor) -> None:
    """Show the policy of all models or of one, and let operators propose another."""
    ui.section("In force")
    with panel.db.read() as db:
        models = [spec.name for spec in specs.all_active(db)]
    chosen = st.selectbox(
        "Policy of", [EVERY, *models], key="scope", bind="query-params", width=320
    )
    scope = ALL if chosen == EVERY else chosen
    with panel.db.read() as db:
        found = policies.values(db, scope)
        versions = policy_changes.history(db, scope)
    st.markdown(f"**{ui.plain(_finding(found))}**")
    _in_force(found)
    if may(actor, policy_changes.PROPOSE):
        own = next((one.version for one in versions if one.version.state == "active"), None)
        _change(panel, actor, scope, found, own.thresholds if own else {})
    ui.section("Versions")
    _versions(panel, actor, versions)


def _finding(found: Sequence[Value]) -> str:
    by_spec = sum(one.source == policies.THE_SPEC for one in found)
    approved = sum(one.source not in (BUILT_IN, policies.THE_SPEC) for one in found)
    said = [f"{by_spec} by the spec"] if by_spec else []
    said += [f"{approved} by versions that people approved"] if approved else []
    others = ", ".join((*said, "the others are built in")) if said else "all of them built in"
    return f"{ui.count(len(found), 'threshold')} are in force: {others}."


def _in_force(found: Sequence[Value]) -> None:
    ui.small_table(
        {
            "threshold": _words(one.name),
            "in force": f"{one.value:g}",
            "built in": f"{DEFAULTS[one.name]:g}",
            "comes from": one.source,
        }
        for one in found
        if one.source != BUILT_IN
    )
    drawer = st.expander(
        "Every threshold and what it means", key="every", on_change="rerun", bind="query-params"
    )
    if drawer.open:
        with drawer:
            _every({one.name: one for one in found})


def _every(found: Mapping[str, Value]) -> None:
    for title, group in GROUPS.items():
        st.markdown(f"**{title}**")
        ui.small_table(
            {
                "threshold": _words(name),
                "in force": f"{found[name].value:g}",
                "comes from": found[name].source,
                "means": meaning,
            }
            for name, meaning in group.items()
        )


def _change(
    panel: Panel, actor: Actor, scope: str, found: Sequence[Value], own: Mapping[str, float]
) -> None:
    """Let a person choose values, see what they would have done, and only then propose them."""
    ui.section("Try a change")
    changes = _editor(scope, found, own)
    days = st.selectbox(
        "Replay over",
        SPANS,
        index=1,
        format_func=lambda n: f"the last {n} days",
        key="days",
        width=320,
    )
    if st.button(f"Replay the last {days} days", key="replay"):
        _replay(panel, scope, changes, days)
    key, replayed = st.session_state.get(KEPT) or (None, None)
    if replayed is None:
        st.caption("A change can be proposed once its replay is seen.")
    elif key == (scope, changes, days):
        _result(replayed)
        _propose(panel, actor, scope, changes, days)
    else:
        st.caption("These are other values than those that were replayed: replay them first.")


def _editor(scope: str, found: Sequence[Value], own: Mapping[str, float]) -> Changes:
    """Return the values that differ from those in force; None: as it lies underneath."""
    names = [one.name for one in found]
    now = {one.name: one.value for one in found}
    wanted = st.multiselect(
        "Thresholds to change",
        names,
        format_func=_words,
        key=f"names-{scope}",
        placeholder="Choose one or more",
    )
    changes: dict[str, float | None] = {}
    for name in wanted:
        given = st.number_input(
            f"{_words(name)} ({now[name]:g} now)",
            value=float(now[name]),
            min_value=0.0,
            step=0.01 if DEFAULTS[name] < 1 else 1.0,
            format="%g",
            help=MEANINGS[name],
            key=f"value-{scope}-{name}",
            width=320,
        )
        if given is not None and given != now[name]:
            changes[name] = given
    if own:
        back = st.multiselect(
            "Take back to what lies underneath",
            [name for name in own if name not in wanted],
            format_func=_words,
            key=f"back-{scope}",
            placeholder="Choose what this policy should no longer say",
        )
        changes |= dict.fromkeys(back)
    return changes


def _replay(panel: Panel, scope: str, changes: Changes, days: int) -> None:
    st.session_state.pop(KEPT, None)
    with ui.reporting(), st.spinner("Deciding again what was decided ..."):
        with panel.db.read() as db:
            found = policy_changes.preview(
                db, scope=scope, thresholds=changes, days=days, now=panel.clock()
            )
        st.session_state[KEPT] = (scope, changes, days), found


def _result(found: Replay) -> None:
    """Show what the values would have done, when, against what happened."""
    for sentence in found.summary.sentences:
        st.markdown(ui.plain(sentence))
    if not found.decisions:
        return
    ui.chart(policy_charts.decisions(found.decisions), "replayed", "decisions, was and would be")
    changed = found.changed[::-1]
    ui.small_table(_row(one) for one in changed[:FIRST])
    if len(changed) > FIRST:
        with st.expander(f"{len(changed) - FIRST:,} earlier ones that would differ"):
            ui.table(_row(one) for one in changed[FIRST:])


def _row(one: Replayed) -> dict[str, str]:
    return {
        "when": f"{one.at:%Y-%m-%d %H:%M}",
        "model": one.model,
        "was": one.live.words,
        "would have been": one.replayed.words,
        "what came of it": one.after.words,
    }


def _propose(panel: Panel, actor: Actor, scope: str, changes: Changes, days: int) -> None:
    reason = ui.reason_form(
        "propose-policy", "Propose this change", label="Why should the policy change?", primary=True
    )
    if reason:
        with ui.reporting():
            made = policy_changes.propose(
                panel.db,
                actor,
                scope=scope,
                thresholds=changes,
                reason=reason,
                days=days,
                channels=outbox.channels(panel.settings),
            )
            st.session_state.pop(KEPT, None)
            ui.done(f"Proposed: {made.title}. Another person decides in the inbox.")


def _versions(panel: Panel, actor: Actor, versions: Sequence[Told]) -> None:
    for one in versions:
        with st.container(border=True, key=f"version-{one.version.version}"):
            _version(one, panel.clock())
            if one.version.state == "active" and one.action and may(actor, "action.undo"):
                _undo(panel, actor, one)
    if not versions:
        ui.empty(
            "Nobody has changed this policy yet.",
            "Try a change above: it is replayed over the past before anybody proposes it.",
        )


def _version(one: Told, now: datetime) -> None:
    row, proposal = one.version, one.proposal
    decided = row.state == "proposed" and proposal and proposal.state
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge(decided or row.state)
        st.markdown(f"**{ui.plain(policies.label(row))}**", width="content")
    own = ", ".join(f"{_words(name)} {value:g}" for name, value in row.thresholds.items())
    st.markdown(ui.plain(own or "Nothing of its own: what lies underneath counts."))
    st.caption(ui.plain(f"by {row.author}, {ui.when(row.at, now)}: {row.reason}"))
    if row.activated_at:
        word = "in force since" if row.state == "active" else "put in force"
        st.caption(ui.plain(f"{word} {ui.when(row.activated_at, now)}"))
    if proposal:
        waits = proposal.state == "proposed"
        words = "Waits for another person" if waits else recommendations.outcome(proposal)
        ui.link("recommendation", ui.sentence(words), id=proposal.id)


def _undo(panel: Panel, actor: Actor, one: Told) -> None:
    if one.action is None or actions.inverse_of(one.action) is None:
        return
    with panel.db.read() as db:
        if why_not := actions.why_no_undo(db, one.action, panel.clock()):
            st.caption(ui.plain(f"An undo would be refused: {why_not}."))
            return
    with st.expander("Undo"):
        st.caption("Another policy is two people's decision: this proposes the one before.")
        reason = ui.reason_form(f"undo-{one.action.id}", "Undo")
    if reason:
        with ui.reporting():
            channels = outbox.channels(panel.settings)
            undone = actions.undo(panel.db, actor, one.action.id, reason=reason, channels=channels)
            ui.done(ui.sentence(undone))


def _words(name: str) -> str:
    return name.replace("_", " ")
