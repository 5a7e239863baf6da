"""What the facts ask for, by fixed rules: always runs, and bounds whatever a model may say."""

from dataclasses import replace

from core.agent.facts import FactBook
from core.agent.rules import RULES
from core.agent.verdict import DECISIONS, Act, Verdict
from core.specs.alerts import SEVERITIES
from core.specs.thresholds import Policy

__all__ = ["DECISIONS", "SEVERITIES", "Act", "Policy", "Verdict", "decide"]


def decide(book: FactBook, policy: Policy) -> Verdict:
    """Return the verdict of the first rule that applies, in order of precedence."""
    for rule in RULES:
        if verdict := rule(book, policy):
            verdict = _patient(_limited(verdict, book, policy), book)
            cautious = {verdict.decision, "request_approval", "escalate"}
            allowed = cautious if verdict.actions else {verdict.decision, "escalate"}
            return replace(verdict, allowed=frozenset(allowed))
    nothing = "Nothing in the facts asks for an action."
    return Verdict(
        rule="nothing",
        decision="no_action",
        severity="low",
        title=f"{book.model}: nothing to do",
        sentences=(nothing, *_gaps(book, policy)),
        allowed=frozenset({"no_action", "log_only"}),
    )


def _gaps(book: FactBook, policy: Policy) -> tuple[str, ...]:
    """Say what could not be judged."""
    gaps = []
    if "drift.score" not in book:
        gaps.append("No drift report has come to a conclusion yet.")
    if not book.number("accuracy.n_labelled") >= policy.min_labels:
        n = int(book.get("accuracy.n_labelled") or 0)
        gaps.append(f"Accuracy is not judged: {n} labels, {policy.min_labels:g} are needed.")
    return tuple(gaps)


def _limited(verdict: Verdict, book: FactBook, policy: Policy) -> Verdict:
    """Apply the limits of retraining: wait for one that runs, ask a person beyond the limits."""
    if not any(act.kind == "retrain" for act in verdict.actions):
        return verdict
    if book.get("retrain.in_progress"):
        words = "A training is under way: its candidate comes first."
        return _without_actions(verdict, words, "retrain.in_progress")
    reasons = _beyond_limits(book, policy)
    if not reasons:
        return verdict
    decision = "request_approval" if verdict.decision == "retrain" else verdict.decision
    if book.number("retrain.rejected_by_gate_in_a_row") >= policy.gate_refusals:
        decision = "escalate"
    sentences = (*verdict.sentences, *reasons)
    return replace(verdict, decision=decision, sentences=sentences)


def _beyond_limits(book: FactBook, policy: Policy) -> list[str]:
    reasons = []
    hours = book.number("retrain.hours_since_last")
    if hours < policy.hours_between_retrains:
        reasons.append(f"The last training was {hours:.1f} h ago, so a person should decide.")
    if (today := book.number("retrain.retrains_last_24h")) >= policy.retrains_a_day:
        reasons.append(f"It was retrained {today:g} times in 24 hours.")
    refused = book.number("retrain.rejected_by_gate_in_a_row")
    if refused >= policy.gate_refusals:
        reasons.append(f"The gate refused the last {refused:g} candidates: look at the data first.")
    return reasons


def _patient(verdict: Verdict, book: FactBook) -> Verdict:
    """Wait where the same is proposed already, unless it has become more severe since."""
    kinds = {act.kind for act in verdict.actions}
    rank = SEVERITIES.index(verdict.severity)
    for waiting in book.get("pending_approval") or []:
        if waiting["kind"] in kinds and SEVERITIES.index(waiting["severity"]) <= rank:
            return _without_actions(
                verdict, "This is proposed already and waits.", "pending_approval"
            )
    return verdict


def _without_actions(verdict: Verdict, words: str, cite: str) -> Verdict:
    return replace(
        verdict,
        decision="log_only",
        actions=(),
        sentences=(*verdict.sentences, words),
        cites=(*verdict.cites, cite),
    )
