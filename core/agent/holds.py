"""What holds a verdict back: a freeze, a proposal that waits, the limits of retraining."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from core.agent.facts import FactBook
from core.agent.rules.reading import present
from core.agent.verdict import Act, Held, Verdict
from core.recommendations.kinds import KINDS
from core.specs.alerts import SEVERITIES
from core.specs.thresholds import Policy

CRITICAL_LOSS = frozenset({"critical performance", "concept drift"})
FEWEST_ROWS, MOST_ROWS = 10, 500

Hold = tuple[str, str]
"""Why to wait, and the fact that says so."""


def weigh(verdict: Verdict, book: FactBook, policy: Policy) -> Verdict | Held:
    """Return the verdict, what is left of it, or why it has to wait.

    A critical loss that may not be met with a training is told to people at once.
    """
    if not verdict.actions:
        return verdict
    if _waits(verdict.actions[0].kind, verdict.severity, book):
        why = "This is proposed already and waits.", "pending_approval"
        return replace(_held(verdict, book, why), proposed=True)
    if _frozen(verdict.actions[0]) and _is_frozen(book):
        author = book.get("operator_note.author") or "an operator"
        why = f"Changes are frozen by {author}.", "operator_note.freeze"
        return _instead(verdict, book, policy, why)
    beside = [act for act in verdict.actions[1:] if not _waits(act.kind, verdict.severity, book)]
    verdict = replace(verdict, actions=(verdict.actions[0], *beside))
    return _limited(verdict, book, policy) if verdict.actions[0].kind == "retrain" else verdict


def _frozen(act: Act) -> bool:
    return KINDS[act.kind].frozen


def _is_frozen(book: FactBook) -> bool:
    """Whether a note freezes changes; one that nobody signed in has written counts for nothing."""
    signed = book.get("operator_note.authenticated") is True
    return signed and book.get("operator_note.freeze") is True


def _waits(kind: str, severity: str, book: FactBook) -> bool:
    """Whether the same is proposed already, and has not become more severe since."""
    rank = SEVERITIES.index(severity)
    found = book.get("pending_approval")
    for waiting in found if isinstance(found, list | tuple) else ():
        named, then = _proposal(waiting)
        if named == kind and (then is None or SEVERITIES.index(then) <= rank):
            return True
    return False


def _proposal(given: Any) -> tuple[str, Any]:  # noqa: ANN401 (a fact's value)
    """Return kind and severity of a proposal that waits, of which only the kind may be known."""
    if not isinstance(given, dict):
        return str(given), None
    severity = given.get("severity")
    return str(given.get("kind")), severity if severity in SEVERITIES else None


def _limited(verdict: Verdict, book: FactBook, policy: Policy) -> Verdict | Held:
    """Apply the limits of retraining."""
    refused = book.number("retrain.rejected_by_gate_in_a_row")
    if book.get("retrain.in_progress"):
        why = "A training is under way: its candidate comes first.", "retrain.in_progress"
        return _instead(verdict, book, policy, why)
    if refused >= policy.gate_refusals:
        words = f"The gate refused the last {refused:g} candidates: look at the data first."
        return _escalated(verdict, (words, "retrain.rejected_by_gate_in_a_row"))
    for why in _limits(book, policy):
        return _instead(verdict, book, policy, why)
    return verdict


def _limits(book: FactBook, policy: Policy) -> Iterator[Hold]:
    hours, today = (
        book.number(f"retrain.{name}") for name in ("hours_since_last", "retrains_last_24h")
    )
    if hours < policy.hours_between_retrains:
        yield f"The last retraining was {hours:.1f} hours ago.", "retrain.hours_since_last"
    if today >= policy.retrains_a_day:
        yield f"It was retrained {today:g} times in 24 hours.", "retrain.retrains_last_24h"
    lacking = rows_lacking(book, policy)
    if lacking > 0:
        new = book.number("retrain.new_rows")
        words = f"{new:g} answers were labelled since the last training; {lacking} more are needed."
        yield words, "retrain.new_rows"


def rows_lacking(book: FactBook, policy: Policy) -> int:
    """Return how many labelled answers a training still needs: fewer for a small data set."""
    new, learnt = (book.number(f"retrain.{name}") for name in ("new_rows", "rows_learnt"))
    if math.isnan(new):
        return 0
    few = math.inf if math.isnan(learnt) else policy.new_rows_share * learnt
    return max(0, round(min(policy.min_new_rows, few) - new))


def _instead(verdict: Verdict, book: FactBook, policy: Policy, why: Hold) -> Verdict | Held:
    """Tell people of a critical loss; let everything else wait, asking for labels if they lack."""
    if verdict.rule in CRITICAL_LOSS:
        return _escalated(verdict, why)
    held = _held(verdict, book, why)
    lacking = rows_lacking(book, policy)
    wanted = book.get("labels_wanted") or _waits("collect_labels", verdict.severity, book)
    if why[1] != "retrain.new_rows" or wanted:
        return held
    rows = str(max(FEWEST_ROWS, min(MOST_ROWS, lacking)))
    title = f"Collect labels for {book.model}: a training has too little to learn from"
    return replace(held, title=title, actions=(Act("collect_labels", {"rows": rows}),))


def _escalated(verdict: Verdict, why: Hold) -> Verdict:
    words, cite = why
    return replace(
        verdict,
        decision="escalate",
        actions=(),
        sentences=(*verdict.sentences, words),
        cites=(*verdict.cites, cite),
    )


def _held(verdict: Verdict, book: FactBook, why: Hold) -> Held:
    words, cite = why
    return Held(
        rule=verdict.rule,
        title=verdict.title,
        sentence=" ".join((*verdict.sentences, words)),
        cites=(*verdict.cites, *present(book, cite)),
        severity=verdict.severity,
    )
