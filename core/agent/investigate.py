"""One investigation: facts, policy, reasoner, guard, and a sealed proposal in the inbox."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core import autonomy, incidents, outbox, policies, recommendations, specs
from core.access import system
from core.agent import facts, guard, policy
from core.agent.facts import FactBook
from core.agent.policy import Verdict
from core.agent.reasoners import Advisor, Answer, Draft, RulesReasoner, from_rules
from core.db import Command, Database
from core.ids import new_id
from core.policies import InForce
from core.recommendations import Basis
from core.settings import Settings
from core.tables.entities import FactBook as FactBookRow
from core.tables.entities import ReasonerCall, Recommendation

AGENT = system("agent")
EXPECTED = {
    "retrain": "A new candidate. What serves does not change before its own approval.",
    "rollback": "The version before serves again at once.",
    "promote": "The candidate serves everything.",
    "stop_experiment": "All traffic goes back to the control.",
}


@dataclass(frozen=True)
class Conclusion:
    """What an investigation came to; `fallback` says why the rules' draft was used instead."""

    book: FactBook
    rules: InForce
    verdict: Verdict
    draft: Draft
    answer: Answer
    adjusted: tuple[str, ...]
    fallback: str | None

    @property
    def reasoner(self) -> str:
        """Whose words the draft is."""
        return "rules" if self.fallback else self.answer.reasoner


def investigate(
    db: Database,
    settings: Settings,
    model: str,
    *,
    incident_id: str | None = None,
    advisor: Advisor | None = None,
) -> Recommendation | None:
    """Look into a model and leave a proposal, if the facts ask for one.

    The facts, the verdict and every prompt and answer are kept, also when nothing is proposed.
    An older waiting proposal of the same kind is superseded; the incident tells what was decided.

    Raises: NotFoundError (model, incident); UnavailableError.
    """
    name = specs.canonical(model)
    conclusion = conclude(db, name, advisor or RulesReasoner())
    if conclusion.draft.actions:
        with db.command(AGENT, "recommendation.propose") as command:
            row = _propose(command, conclusion, incident_id, outbox.channels(settings))
            autonomy.consider(command, row, settings=settings)
            return row
    with db.command(AGENT, "agent.decide") as command:
        _keep(command, conclusion, incident_id)
        draft = conclusion.draft
        command.note(model=name, reason=draft.reasoning, decision=draft.decision)
        if incident_id:
            incidents.note_in(command, incident_id, f"{draft.decision}: {draft.reasoning}")
    return None


def conclude(db: Database, model: str, advisor: Advisor) -> Conclusion:
    """Go from facts to a draft that the guard accepts; writes nothing.

    Raises: NotFoundError (no such model); UnavailableError.
    """
    with db.read() as session:
        rules = policies.in_force(session, model)
        book = facts.gather(session, model, now=db.clock())
    return conclude_from(book, rules, advisor)


def conclude_from(book: FactBook, rules: InForce, advisor: Advisor) -> Conclusion:
    """Do what `conclude` does from facts and a policy that are at hand; reads nothing more."""
    verdict = policy.decide(book, rules.policy)
    chosen = advisor if verdict.actions else RulesReasoner()  # where nothing is asked, ask nobody
    answer = chosen.propose(book, verdict)
    checked = guard.check(answer, book, verdict)
    if checked.draft is not None:
        return Conclusion(book, rules, verdict, checked.draft, answer, checked.adjusted, None)
    return Conclusion(book, rules, verdict, from_rules(book, verdict), answer, (), checked.reason)


def _propose(
    command: Command, conclusion: Conclusion, incident_id: str | None, channels: list[str]
) -> Recommendation:
    draft, book = conclusion.draft, conclusion.book
    fact_book_id = _keep(command, conclusion, incident_id)
    act = draft.actions[0]
    basis = Basis(
        decision=draft.decision,
        severity=draft.severity,
        confidence=draft.confidence,
        evidence=[_card(book, item.fact) for item in draft.evidence],
        expected=_expected(book, act.kind),
        reasoner=conclusion.reasoner,
        fallback=conclusion.fallback,
        fact_book_id=fact_book_id,
        incident_id=incident_id,
        release_seq=book.release_seq,
    )
    adjusted = " ".join(f"({note})" for note in conclusion.adjusted)
    return recommendations.propose_in(
        command,
        model=book.model,
        kind=act.kind,
        arguments=act.arguments,
        title=conclusion.verdict.title,
        reasoning=f"{draft.reasoning} {adjusted}".strip(),
        basis=basis,
        channels=channels,
    )


def _card(book: FactBook, fact_id: str) -> dict[str, Any]:
    """Return the evidence as the card shows it: always the fact's own value."""
    fact = book.fact(fact_id)
    if fact is None:  # the guard lets none pass
        raise KeyError(fact_id)
    return {
        "fact": fact.id,
        "label": fact.label,
        "value": fact.value,
        "interval": list(fact.interval) if fact.interval else None,
        "n": fact.n,
        "link": fact.source,
    }


def _expected(book: FactBook, kind: str) -> Mapping[str, Any]:
    """Return what is known about the effect, with its interval where it was measured."""
    expected: dict[str, Any] = {"sentence": EXPECTED.get(kind, "")}
    gap = book.fact("deployment.difference")
    if kind == "rollback" and gap is not None and gap.interval:
        low, high = gap.interval
        measured = {"effect": -gap.value, "low": -high, "high": -low, "n": gap.n}
        expected |= {"metric": "accuracy", **measured}
    return expected


def _keep(command: Command, conclusion: Conclusion, incident_id: str | None) -> str:
    """Write down the facts, the verdict, and what the reasoner was asked and said."""
    book, answer = conclusion.book, conclusion.answer
    row = FactBookRow(
        id=new_id(command.now),
        model=book.model,
        incident_id=incident_id,
        facts=book.plain(),
        verdict=conclusion.verdict.to_dict(),
        digest=book.digest(),
        at=command.now,
        policy=asdict(conclusion.rules.policy),
        policy_name=conclusion.rules.name,
        release_seq=book.release_seq,
    )
    call = ReasonerCall(
        id=new_id(command.now),
        fact_book_id=row.id,
        reasoner=answer.reasoner,
        prompt=_storable(answer.prompt),
        answer=_storable(answer.answer),
        error=conclusion.fallback and _storable(conclusion.fallback),
        tokens=answer.tokens,
        seconds=answer.seconds,
        at=command.now,
    )
    command.session.add_all([row, call])
    command.note(fact_book=row.id, facts=row.digest, rule=conclusion.verdict.rule)
    return row.id


def _storable(text: str) -> str:
    """Drop what PostgreSQL cannot store: NUL and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
