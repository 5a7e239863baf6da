"""Who words the proposal: the rules themselves, or a language model behind the same interface."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from core.agent.facts import FactBook
from core.agent.policy import Act, Verdict


@dataclass(frozen=True)
class Evidence:
    """One fact that a draft rests on, with the value that the reasoner saw."""

    fact: str
    value: Any


@dataclass(frozen=True)
class Draft:
    """What a reasoner would propose. It changes nothing: the guard and people come after."""

    decision: str
    severity: str
    confidence: float
    reasoning: str
    evidence: tuple[Evidence, ...] = ()
    actions: tuple[Act, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Question:
    """What a person asks about a proposal, with the facts of now and those it was sealed with.

    `about` says what is proposed; `sentences` are the product's own words, free to be repeated.
    """

    text: str
    about: Mapping[str, Any]
    book: FactBook
    sealed: FactBook | None = None
    sentences: tuple[str, ...] = ()

    @property
    def books(self) -> tuple[FactBook, ...]:
        """All facts that an answer may speak of."""
        return (self.book, self.sealed) if self.sealed else (self.book,)


@dataclass(frozen=True)
class Reply:
    """An answer to a person's question, from facts. It changes nothing."""

    text: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One call of a reasoner, also when it failed: then `error` says why.

    A proposal comes as `draft`, the answer to a question as `reply`. `seen` holds the facts that
    its tools returned in this run (None: it has the book itself). `tokens` and `cost` are an
    estimate where the server did not say what it used.
    """

    reasoner: str
    draft: Draft | None
    prompt: str
    answer: str
    error: str | None = None
    tokens: int = 0
    seconds: float = 0.0
    seen: frozenset[str] | None = None
    cost: float = 0.0
    reply: Reply | None = None


class Advisor(Protocol):
    """Words a proposal; never raises, and answers within seconds."""

    name: str

    def propose(self, book: FactBook, verdict: Verdict) -> Answer:
        """Return a draft for what the policy allows, or why there is none."""
        ...


class Responder(Protocol):
    """Answers a person's question from facts; never raises, and answers within seconds."""

    name: str

    def reply(self, question: Question) -> Answer:
        """Return an answer, or why there is none."""
        ...


class RulesReasoner:
    """The policy's own sentences, with the facts that it cites."""

    name = "rules"

    def propose(self, book: FactBook, verdict: Verdict) -> Answer:
        """Return the verdict as a draft."""
        draft = from_rules(book, verdict)
        words = json.dumps(draft.to_dict(), default=str)
        return Answer(self.name, draft, prompt=json.dumps(verdict.to_dict()), answer=words)


def from_rules(book: FactBook, verdict: Verdict) -> Draft:
    """Return the draft that follows from the verdict alone."""
    cited = [fact for name in verdict.cites if (fact := book.fact(name)) and fact.citable]
    return Draft(
        decision=verdict.decision,
        severity=verdict.severity,
        confidence=verdict.confidence,
        reasoning=" ".join(verdict.sentences),
        evidence=tuple(Evidence(fact.id, fact.value) for fact in cited),
        actions=verdict.actions,
    )
