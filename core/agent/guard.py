"""Checks what a reasoner says against facts and policy, so that none can widen its bounds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.agent import words
from core.agent.facts import FactBook, safe_words
from core.agent.policy import SEVERITIES, Act, Verdict
from core.agent.reasoners import Answer, Draft, Evidence, Question, Reply
from core.agent.replies import from_facts

LEAST_CONFIDENCE = 0.5


@dataclass(frozen=True)
class Checked:
    """The guard's answer: a draft that may be shown, or None and the reason."""

    draft: Draft | None
    adjusted: tuple[str, ...] = ()
    reason: str | None = None


def check(answer: Answer, book: FactBook, verdict: Verdict) -> Checked:
    """Accept a draft within the policy's bounds, or reject it with the reason.

    A severity below the floor is raised to it, a confidence above the rules' own lowered to that.
    """
    draft = answer.draft
    if draft is None:
        return Checked(None, reason=answer.error or "the reasoner gave no answer")
    if not _well_formed(draft):
        return Checked(None, reason="its answer has a wrong form")
    draft = replace(draft, reasoning=words.normal(draft.reasoning))
    for problem in _problems(draft, answer.seen, book, verdict):
        return Checked(None, reason=problem)
    return _within(replace(draft, actions=verdict.actions), verdict)


def check_reply(answer: Answer, question: Question) -> str | None:
    """Return why an answer to a person's question may not be shown, or None."""
    reply = answer.reply
    if reply is None:
        return answer.error or "the reasoner gave no answer"
    if not (isinstance(reply.text, str) and _is_evidence(reply.evidence)):
        return "its answer has a wrong form"
    found = list(_wrong_evidence(reply.evidence, answer.seen, question.book))
    if reply.text != from_facts(question).text:
        facts = words.known(question.books, question.sentences)
        found += words.problems(words.normal(reply.text), facts)
    return found[0] if found else None


def shown(reply: Reply) -> str:
    """Return an accepted answer in the spelling that was checked."""
    return words.normal(reply.text)


def _within(draft: Draft, verdict: Verdict) -> Checked:
    """Raise the severity to the floor and lower the confidence to the rules'."""
    notes: list[str] = []
    if SEVERITIES.index(draft.severity) > SEVERITIES.index(verdict.severity):
        notes.append(f"severity raised from {draft.severity} to the policy's {verdict.severity}")
        draft = replace(draft, severity=verdict.severity)
    if draft.confidence > verdict.confidence:
        notes.append(f"confidence lowered to the policy's {verdict.confidence:.1%}")
        draft = replace(draft, confidence=verdict.confidence)
    return Checked(draft, tuple(notes))


def _well_formed(draft: Draft) -> bool:
    """Say whether every part is of its type, whatever the reasoner is made of."""
    texts = (draft.decision, draft.severity, draft.reasoning)
    number = type(draft.confidence) is float or draft.confidence in (0, 1)
    acts = isinstance(draft.actions, tuple) and all(
        isinstance(act, Act) and isinstance(act.kind, str) and isinstance(act.arguments, dict)
        for act in draft.actions
    )
    return (
        all(isinstance(t, str) for t in texts) and number and acts and _is_evidence(draft.evidence)
    )


def _is_evidence(given: object) -> bool:
    return isinstance(given, tuple) and all(
        isinstance(item, Evidence) and isinstance(item.fact, str) for item in given
    )


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
    if draft.actions and not draft.evidence:
        yield "it names no evidence"
    yield from _wrong_evidence(draft.evidence, seen, book)
    cited = {item.fact for item in draft.evidence}
    if draft.actions and verdict.cites and not cited & set(verdict.cites):
        yield "it cites none of the facts behind the verdict"
    yield from words.problems(draft.reasoning, words.known([book], _own_words(verdict)))


def _own_words(verdict: Verdict) -> tuple[str, ...]:
    """Return the rules' sentences, alone and as one text: they may be repeated as they are."""
    weighed = (one.sentence for one in verdict.considered)
    return (*verdict.sentences, " ".join(verdict.sentences), *weighed)


def _wrong_actions(actions: tuple[Act, ...], verdict: Verdict) -> Iterator[str]:
    """Kinds, arguments and order are exactly the policy's: none is added, dropped or doubled."""
    if [_exact(act) for act in actions] != [_exact(act) for act in verdict.actions]:
        named = ", ".join(safe_words(act.kind) for act in actions[:5]) or "nothing"
        wanted = ", ".join(act.kind for act in verdict.actions) or "nothing"
        yield f"it proposes {named} (or other arguments) where the policy allows {wanted}"


def _exact(act: Act) -> tuple[str, list[tuple[str, str, object]]]:
    """Return what is compared of an action: 1, 1.0, "1" and true are four different arguments."""
    given = [(str(name), type(value).__name__, value) for name, value in act.arguments.items()]
    return act.kind, sorted(given, key=lambda one: one[0])


def _wrong_evidence(
    evidence: tuple[Evidence, ...], seen: frozenset[str] | None, book: FactBook
) -> Iterator[str]:
    told: set[str] = set()
    for item in evidence:
        fact, name = book.fact(item.fact), safe_words(item.fact[:200], 60)
        if fact is None:
            yield f"it cites {name}, which is no fact"
        elif not fact.citable:
            yield f"it cites {name}, which are a stranger's words"
        elif seen is not None and item.fact not in seen:
            yield f"it cites {name}, which it never read"
        elif not _same(item.value, fact.value):
            yield f"it cites {name} with another value"
        elif item.fact in told:
            yield f"it cites {name} more than once"
        told.add(item.fact)


def _same(given: object, true: object) -> bool:
    """Numbers may arrive as text or rounded to six digits; everything else is exact.

    >>> _same("0.5", 0.5), _same("True", True), _same(1, True), _same(True, 1), _same("x", "X")
    (True, True, False, False, False)
    """
    if isinstance(true, bool):
        return given is true or (isinstance(given, str) and given.lower() == str(true).lower())
    if not isinstance(true, int | float):
        return given == true or (isinstance(given, str) and given == str(true))
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return False
    try:
        number = float(given)
    except (ValueError, OverflowError):
        return False
    return abs(number - true) <= 1e-6 + 1e-5 * abs(true)
