"""What the facts ask for, by fixed rules: always runs, and bounds whatever a model may say."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from core.agent import holds
from core.agent.facts import FactBook
from core.agent.rules import RULES
from core.agent.rules.reading import count
from core.agent.verdict import DECISIONS, FIRED, HELD, PASSED_OVER, Act, Considered, Held, Verdict
from core.specs.alerts import SEVERITIES
from core.specs.thresholds import Policy

__all__ = ["DECISIONS", "SEVERITIES", "Act", "Considered", "Policy", "Verdict", "decide"]

FLOOR = frozenset({"bad release", "errors", "critical performance", "concept drift"})
"""Rules whose severity counts also where a rule before them decides."""


def decide(book: FactBook, policy: Policy) -> Verdict:
    """Return the verdict of the first rule that fires and is not held back.

    Where all that fire are held back it is to wait, and why; where none does, nothing is to be
    done. What a rule would propose and is proposed already is waited for: no later rule goes past
    it. Every rule that had something to say is among `considered`.
    """
    found = [outcome for rule in RULES if (outcome := rule(book, policy)) is not None]
    weighed = [one if isinstance(one, Held) else holds.weigh(one, book, policy) for one in found]
    fired = [one for one in _before_wait(weighed) if isinstance(one, Verdict)]
    held = [one for one in weighed if isinstance(one, Held)]
    if fired:
        verdict = replace(fired[0], severity=_gravest(fired))
    elif held:
        verdict = _waiting(held, weighed)
    else:
        verdict = _nothing(book, policy)
    cautious = {verdict.decision, "request_approval", "escalate"}
    allowed = cautious if verdict.actions else {verdict.decision, "escalate"}
    if verdict.decision == "no_action":
        allowed = {"no_action", "log_only"}
    return replace(verdict, allowed=frozenset(allowed), considered=_considered(weighed, fired))


def _before_wait(weighed: list[Verdict | Held]) -> Iterator[Verdict | Held]:
    """Yield what comes before the first proposal that waits already."""
    return takewhile(lambda one: not (isinstance(one, Held) and one.proposed), weighed)


def _gravest(fired: list[Verdict]) -> str:
    """Return the severity of what decides, or that of a loss or failure it was put before."""
    counted = [fired[0], *(one for one in fired[1:] if one.rule in FLOOR)]
    return min((one.severity for one in counted), key=SEVERITIES.index)


def _waiting(held: list[Held], weighed: list[Verdict | Held]) -> Verdict:
    """Return what to wait for: the first rule's words, and the severity of the gravest."""
    first = next((one for one in held if one.actions), held[0])
    counted = [*held, *(one for one in weighed if one.rule in FLOOR)]
    return Verdict(
        rule=first.rule,
        decision="log_only",
        severity=min((one.severity for one in counted), key=SEVERITIES.index),
        title=first.title,
        sentences=(first.sentence,),
        cites=first.cites,
        actions=first.actions,
    )


def _nothing(book: FactBook, policy: Policy) -> Verdict:
    nothing = "Nothing in the facts asks for an action."
    return Verdict(
        rule="nothing",
        decision="no_action",
        severity="low",
        title=f"{book.model}: nothing to do",
        sentences=(nothing, *_gaps(book, policy)),
    )


def _gaps(book: FactBook, policy: Policy) -> tuple[str, ...]:
    """Say what could not be judged."""
    gaps = []
    if "drift.score" not in book:
        gaps.append("No drift report has come to a conclusion yet.")
    if not book.number("accuracy.n_labelled") >= policy.min_labels:
        n = count(book, "accuracy.n_labelled")
        gaps.append(f"Accuracy is not judged: {n} labels, {policy.min_labels:g} are needed.")
    return tuple(gaps)


def _considered(weighed: list[Verdict | Held], fired: list[Verdict]) -> tuple[Considered, ...]:
    return tuple(
        Considered(one.rule, HELD, one.sentence)
        if isinstance(one, Held)
        else Considered(
            one.rule, FIRED if fired and one is fired[0] else PASSED_OVER, " ".join(one.sentences)
        )
        for one in weighed
    )
