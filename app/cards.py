"""How a proposal is shown, in the inbox and on its own page."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from textwrap import shorten
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import streamlit as st

from app import nav, ui
from core import recommendations
from core.agent import fact_names
from core.agent.lapsing import Figure
from core.outcomes import Record
from core.recommendations.reading import Difference
from core.tables.entities import ActionRow, Recommendation

CONSEQUENCE = {
    "retrain": "A training starts. What serves stays as it is; its result is a candidate. It can be"
    " cancelled while it runs.",
    "promote": "All traffic goes to the new version within a second. You can undo this.",
    "rollback": "All traffic goes back to the earlier version within a second. Releasing the other"
    " one again needs an approver.",
    "change_weights": "Within a second this part of the traffic meets that version, the rest what"
    " serves. You can undo this.",
    "set_threshold": "Within a second the same messages and rows may get another answer: the"
    " probability stays, the line between yes and no moves. You can undo this.",
    "start_experiment": "Another version answers part of the traffic, or in shadow the log only."
    " You can stop it at any time.",
    "widen_experiment": "Another part of the traffic meets the new version. You can stop it.",
    "stop_experiment": "The experiment ends; all traffic goes back to the control. It cannot go on"
    " afterwards: a new one would be drafted.",
    "collect_labels": "People are asked for the truth of answers that are drawn now. Nothing that"
    " serves changes. You can close the request early.",
    "freeze": "Trainings, releases and experiments are held back until it ends; a rollback is not."
    " You can end it early.",
    "silence": "Such alerts are noted and tell nobody until it ends. You can end it early.",
    "notify": "The channels are told. Nothing that serves changes. A message cannot be taken back.",
    "scale": "The command or webhook that an admin configured is asked for so many replicas. You"
    " can ask for the former number again.",
    "change_policy": "From then on the agent proposes and holds back by these thresholds. Going"
    " back needs two people again.",
    "change_gate": "From then on new versions are judged by these values; those that exist keep"
    " theirs. Going back needs two people again.",
    "grant_autonomy": "From then on the agent does this without asking, until its first bad outcome"
    " or until somebody takes the leave back.",
}
"""What an approval does, and how one goes back."""

EXPECTED = {
    "retrain": "a candidate that is right more often",
    "promote": "more right answers than what serves now",
    "rollback": "as many right answers as the earlier version gave",
    "change_weights": "figures of both versions on live traffic",
    "set_threshold": "a better balance of missed and false alarms",
    "start_experiment": "an answer which of two versions is better",
    "widen_experiment": "the answer sooner",
    "stop_experiment": "no more requests meet the treatment",
    "collect_labels": "enough truth to judge accuracy",
    "freeze": "no change until it ends",
    "silence": "no messages about what is known",
    "notify": "people know",
    "scale": "fewer slow or failed answers",
    "change_policy": "other proposals, as the replay shows",
    "change_gate": "other answers of the gate about the next versions",
    "grant_autonomy": "the same decisions, sooner",
}

LABELS = {
    "version": "Version",
    "to": "Version to serve again",
    "share": "Share of the traffic (0.1 is 10 %)",
    "threshold": "Threshold (positive from this probability on)",
    "rows": "How many labels",
    "hours": "For how many hours",
    "replicas": "How many replicas",
    "rule": "Rule (superiority or non_inferiority)",
    "required_improvement": "Gain in accuracy that a version must show (superiority)",
    "margin": "Loss in accuracy that is ruled out (non_inferiority)",
    "alpha": "Chance of letting an equal version through",
    "min_slice": "Rows under which a slice never passes",
    "floor": "Accuracy that a first version needs",
    "auto_deploy_threshold": "Accuracy under which nothing is released (or off)",
}
"""The arguments that a person may change, by what they are called in the form."""

LONGEST = 240
"""Characters of the reasoning that a card shows."""

PAGE = 10
"""How many decided proposals a list shows at first."""

TOLD = {"rules": "the rules", "person": "a person", "gate": "the gate"}


def editable(row: Recommendation) -> tuple[str, ...]:
    """Return which arguments of a proposal a person may change.

    A rollback goes to the version that served before and to no other; a policy version and an
    experiment are what the proposal is about.
    """
    if row.kind in ("rollback", "change_policy"):
        return ()
    return tuple(name for name in LABELS if name in row.arguments)


def whom(row: Recommendation) -> str:
    """Say which model a proposal is about."""
    return "all models" if row.model == recommendations.EVERYWHERE else row.model


def what_to_do(row: Recommendation) -> str:
    """Say what is done to which model.

    >>> what_to_do(Recommendation(kind="promote", model="spam"))
    'release spam'
    """
    return f"{recommendations.verb(row.kind)} {whom(row)}"


def facts(row: Recommendation, now: datetime, alone: str = "") -> None:
    """Show risk, model, what is proposed, age and expiry in one line each.

    `alone` names the only approver where the setting lets them approve what they proposed.
    """
    with st.container(horizontal=True, gap="small"):
        ui.badge(row.severity)
        if row.state == "proposed":
            _who(row, alone)
    version = row.arguments.get("version") or row.arguments.get("to")
    about = f"version **{ui.plain(version)}**, " if version else ""
    by = row.proposed_by
    if row.reasoner != "person":
        by = f"{by} ({row.reasoner}), confidence {row.confidence:.0%}"
    how = "changed" if row.edit_of else "proposed"
    st.markdown(
        f"**{ui.plain(whom(row))}**: {about}"
        f"{how} {ui.plain(ui.when(row.proposed_at, now))} by {ui.plain(by)}"
    )
    if row.state == "proposed":
        st.caption(f"Lapses {ui.when(row.expires_at, now)}")


def _who(row: Recommendation, alone: str) -> None:
    risky = recommendations.is_risky(row.kind)
    ui.badge("needs an approver" if risky else "an operator may decide", "gray")
    if risky and alone:
        ui.badge(f"solo: {alone} alone may approve", "orange")


def why(row: Recommendation) -> None:
    """Say in a line or two why something is proposed; the page has all of it."""
    if row.reasoning.strip():
        words = shorten(ui.sentence(row.reasoning), LONGEST, placeholder=" …")
        st.markdown(ui.plain(words))


def evidence(rows: Sequence[Mapping[str, Any]], *, limit: int | None = None) -> None:
    """Show what the proposal rests on: value, interval, n, and the way to the source."""
    if not rows:
        st.caption("No evidence was attached: a person proposed this by hand.")
    for fact in rows[:limit]:
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.markdown(_fact(fact), width="content")
            _source(str(fact.get("link") or ""))
    if limit is not None and len(rows) > limit:
        st.caption(f"and {len(rows) - limit} more")


def figures(rows: Sequence[Figure]) -> None:
    """Show evidence as it was sealed, and beside it what the same facts say now."""
    for one in rows:
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            st.markdown(_fact(one.sealed), width="content")
            if one.now is not None and one.differs:
                value = ui.with_interval(one.now.value, one.now.interval, one.now.n)
                st.markdown(f":orange[●] now **{ui.plain(value)}**", width="content")
            _source(one.link)
    gone = [one.label for one in rows if one.now is None and one.fact in fact_names.LABELS]
    if gone:
        st.caption(f"Not known any more: {ui.plain(', '.join(gone))}.")
    if any(one.now is not None and not one.differs for one in rows):
        st.caption("A figure without a mark is the same now.")


def _fact(fact: Mapping[str, Any]) -> str:
    value = fact.get("value")
    if value == 0 and str(fact.get("fact", "")).endswith("p_value"):
        value = "< 0.0001"  # no chance is 0: facts are kept with six digits
    shown = ", ".join(str(one) for one in value) if isinstance(value, list) else value
    words = ui.with_interval(shown, fact.get("interval"), fact.get("n"))
    return f"{ui.plain(fact.get('label') or fact.get('fact', ''))}: **{ui.plain(words)}**"


def _source(address: str) -> None:
    parts = urlsplit(address)
    stem = parts.path.strip("/")
    if stem in nav.BY_STEM:
        ui.link(stem, "source", **dict(parse_qsl(parts.query)))


def difference(rows: Difference, *, past: bool = False) -> None:
    """Show what carrying it out would change, or did."""
    if not rows:
        st.caption(f"Nothing that serves {'was changed' if past else 'changes'} by it.")
        return
    ui.small_table({"what": what, "before": before, "after": after} for what, before, after in rows)


def happened(action: ActionRow) -> Difference:
    """Return what carrying it out has changed, as it was kept with the action.

    >>> before, after = {"gate": {"floor": "0.9", "alpha": "0.05"}}, {"gate": {"floor": "0.8"}}
    >>> happened(ActionRow(before=before, after=after))
    [('gate: floor', '0.9', '0.8')]
    """
    old, new = _flat(action.before), _flat(action.after)
    pairs = [(n, ui.figure(old[n]), ui.figure(new[n])) for n in new if n in old]
    return [pair for pair in pairs if pair[1] != pair[2]]


def _flat(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by name; those inside another one by both names."""
    found: dict[str, Any] = {}
    for name, value in kept.items():
        inner = value.items() if isinstance(value, Mapping) else ()
        found |= {f"{name}: {one.replace('_', ' ')}": it for one, it in inner} or {name: value}
    return found


def more(row: Recommendation) -> None:
    """Lead to what a proposal is about, where that has a page of its own."""
    if experiment := row.arguments.get("experiment_id"):
        ui.link("experiments", "The experiment and its hypothesis", model=row.model, id=experiment)
    if row.kind == "change_policy":
        scope = {} if row.model == recommendations.EVERYWHERE else {"scope": row.model}
        ui.link("automation", "The policy and its versions", part="Policy", **scope)


def expected(row: Recommendation) -> str:
    """Say the expected effect, with its interval where it was estimated.

    >>> effect = {"metric": "accuracy", "effect": 0.02, "low": 0.01, "high": 0.03, "n": 500}
    >>> expected(Recommendation(kind="promote", expected=effect))
    'accuracy +0.0200 (95 % interval +0.0100 to +0.0300, n = 500)'
    >>> expected(Recommendation(kind="notify", expected={}))
    'people know (the aim; not estimated in figures)'
    """
    effect = row.expected
    if effect.get("effect") is None:
        said, aim = str(effect.get("sentence") or ""), EXPECTED.get(row.kind, "not known")
        note = "not estimated in figures" if said else "the aim; not estimated in figures"
        return f"{said.rstrip('.') or aim} ({note})"
    value, low, high = (effect.get(name) for name in ("effect", "low", "high"))
    notes = f"95 % interval {low:+.4f} to {high:+.4f}" if None not in (low, high) else ""
    count = f"n = {ui.figure(effect['n'])}" if effect.get("n") is not None else ""
    inside = ", ".join(part for part in (notes, count) if part)
    words = f"{effect.get('metric', 'effect')} {value:+.4f}"
    return f"{words} ({inside})" if inside else words


def record(found: Record, row: Recommendation) -> str:
    """Say what came of earlier ones of this kind on this model; nothing where none was graded.

    >>> done = Record(n=11, good=9, bad=1, neutral=1, streak=3, low=0.5)
    >>> record(done, Recommendation(kind="retrain", model="spam"))
    'Record: of 10 earlier decisions to retrain spam 9 did what was expected; 1 cannot be told.'
    """
    if not found.n:
        return ""
    judged, about = found.good + found.bad, f"{what_to_do(row)}"
    earlier = ui.count(judged, "earlier decision")
    words = f"Record: of {earlier} to {about} {found.good} did what was expected"
    return f"{words}; {found.neutral} cannot be told." if found.neutral else f"{words}."


def one_line(row: Recommendation, *, undone: bool) -> None:
    """Show a proposal that no longer waits, with the way to its page."""
    with st.container(horizontal=True, vertical_alignment="center"):
        ui.badge("undone" if undone else row.state)
        ui.link("recommendation", row.title, id=row.id)
        st.caption(ui.plain(recommendations.outcome(row)), width="content")


def shown(key: str) -> int:
    """Return how many decided proposals a list shows now, of which `lines` may show more."""
    return int(st.session_state.get(f"shown-{key}", PAGE))


def lines(key: str, rows: Sequence[Recommendation], none: str, *, undone: Collection[str]) -> None:
    """Show decided proposals; `rows` holds one more than `shown`, where there are more.

    `undone`: the ids of those that were carried out and taken back.
    """
    for row in rows[: shown(key)]:
        one_line(row, undone=row.id in undone)
    if not rows:
        st.caption(none)
    if len(rows) > shown(key) and st.button("Show older ones", key=f"older-{key}"):
        st.session_state[f"shown-{key}"] = shown(key) + 2 * PAGE
        st.rerun()


def only_approver(solo: bool, approvers: Collection[str]) -> str:
    """Return who approves alone because nobody else may, where the setting allows that.

    >>> only_approver(True, ["adm"]), only_approver(True, ["adm", "apo"])
    ('adm', '')
    """
    return next(iter(approvers)) if solo and len(approvers) == 1 else ""


def age(rows: Sequence[Recommendation], now: datetime) -> str:
    """Say how long the oldest of several proposals waits.

    >>> age([], datetime(2030, 1, 1))
    'nothing waits'
    """
    oldest = min((row.proposed_at for row in rows), default=None)
    return f"the oldest proposed {ui.ago(oldest, now)}" if oldest else "nothing waits"
