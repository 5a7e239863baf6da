"""Checks a draft against the facts and the policy, so that no reasoner can widen its bounds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.agent.facts import FactBook, safe_words
from core.agent.policy import SEVERITIES, Act, Verdict
from core.agent.reasoners import Answer, Draft

LEAST_CONFIDENCE = 0.5
LONGEST_REASONING = 2000
SMALL = 10
"""Whole numbers up to this may be counted rather than read ("two causes")."""

_FORBIDDEN = re.compile(
    r"https?:|ftp:|www\.|\b[\w-]+\.(?:com|net|org|io|dev|ru|cn|sh|exe|py)\b|[`$<>|\\]|(?:^|\s)[/~]\w",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)*(?:e-?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Checked:
    """The guard's answer: a draft that may be shown, or None and the reason."""

    draft: Draft | None
    adjusted: tuple[str, ...] = ()
    reason: str | None = None


def check(answer: Answer, book: FactBook, verdict: Verdict) -> Checked:
    """Accept a draft, raise its severity to the floor, or reject it with the reason."""
    draft = answer.draft
    if draft is None:
        return Checked(None, reason=answer.error or "the reasoner gave no answer")
    for problem in _problems(draft, answer.seen, book, verdict):
        return Checked(None, reason=problem)
    floor = SEVERITIES.index(verdict.severity)
    if SEVERITIES.index(draft.severity) > floor:
        raised = f"severity raised from {draft.severity} to the policy's {verdict.severity}"
        return Checked(replace(draft, severity=verdict.severity), (raised,))
    return Checked(draft)


def _problems(
    draft: Draft, seen: frozenset[str] | None, book: FactBook, verdict: Verdict
) -> Iterator[str]:
    if draft.severity not in SEVERITIES:
        yield f"'{safe_words(draft.severity)}' is no severity"
    if draft.decision not in verdict.allowed:
        yield f"the decision '{safe_words(draft.decision)}' is not allowed here"
    if not LEAST_CONFIDENCE <= draft.confidence <= 1:
        yield f"its confidence is {draft.confidence:g}"
    yield from _wrong_actions(draft.actions, verdict)
    yield from _wrong_evidence(draft, seen, book)
    yield from _wrong_words(draft, book, verdict)


def _wrong_actions(actions: tuple[Act, ...], verdict: Verdict) -> Iterator[str]:
    """Kinds and arguments are exactly the policy's; an alarm's action cannot be dropped."""
    if tuple(actions) != verdict.actions:
        named = ", ".join(safe_words(act.kind) for act in actions) or "nothing"
        wanted = ", ".join(act.kind for act in verdict.actions) or "nothing"
        yield f"it proposes {named} (or other arguments) where the policy allows {wanted}"


def _wrong_evidence(draft: Draft, seen: frozenset[str] | None, book: FactBook) -> Iterator[str]:
    if draft.actions and not draft.evidence:
        yield "it names no evidence"
    for item in draft.evidence:
        fact, name = book.fact(item.fact), safe_words(item.fact, 60)
        if fact is None:
            yield f"it cites {name}, which is no fact"
        elif not fact.citable:
            yield f"it cites {name}, which are a stranger's words"
        elif seen is not None and item.fact not in seen:
            yield f"it cites {name}, which it never read"
        elif not _same(item.value, fact.value):
            yield f"it cites {name} with another value"


def _same(given: object, true: object) -> bool:
    """Numbers may arrive as text or rounded to six digits; everything else is exact."""
    if isinstance(true, bool) or not isinstance(true, int | float):
        return given == true or str(given).lower() == str(true).lower()
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return False
    try:
        number = float(given)
    except ValueError:
        return False
    return abs(number - true) <= 1e-6 + 1e-5 * abs(true)


def _wrong_words(draft: Draft, book: FactBook, verdict: Verdict) -> Iterator[str]:
    if not 0 < len(draft.reasoning) <= LONGEST_REASONING:
        yield f"its reasoning has {len(draft.reasoning)} characters"
    if found := _FORBIDDEN.search(draft.reasoning):
        yield f"its reasoning names an address, a file or a command ('{found.group().strip()}')"
    known = _known_numbers(book)
    shown = set(_NUMBER.findall(" ".join(verdict.sentences)))
    words = _without_names(draft.reasoning, book)
    for text in _NUMBER.findall(words):
        if text not in shown and not _traces(text, known):
            yield f"its reasoning says {text}, which no fact says"


def _without_names(words: str, book: FactBook) -> str:
    """Drop versions and names that are facts: their digits are no figures."""
    names = [fact.value for fact in book if isinstance(fact.value, str) and fact.citable]
    for name in sorted((*names, book.model), key=len, reverse=True):
        words = words.replace(name, " ")
    return words


def _known_numbers(book: FactBook) -> list[float]:
    numbers: list[float] = []
    for fact in book:
        if isinstance(fact.value, int | float) and not isinstance(fact.value, bool):
            numbers += [fact.value, *(fact.interval or ())]
            numbers += [fact.n] if fact.n is not None else []
    return numbers


def _traces(text: str, known: list[float]) -> bool:
    """Say whether a number in a sentence is a fact's, as it is or in percent, rounded as shown."""
    try:
        number = abs(float(text.replace(",", "")))
    except ValueError:
        return False
    if number == int(number) and number <= SMALL:
        return True
    decimals = len(text.split(".")[1]) if "." in text and "e" not in text.lower() else 0
    slack = 0.5 * 10**-decimals + 1e-9
    if "e" in text.lower():
        slack = number * 0.05
    return any(abs(number - abs(fact * scale)) <= slack for fact in known for scale in (1, 100))
