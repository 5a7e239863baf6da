"""One investigation: facts, policy, reasoner, guard, and a sealed proposal in the inbox."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core import autonomy, incidents, outbox, policies, recommendations, specs
from core.access import system
from core.agent import budget, facts, guard, policy, records
from core.agent.facts import FactBook
from core.agent.policy import Act, Verdict
from core.agent.reasoners import Advisor, Answer, Draft, RulesReasoner, from_rules
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.ids import new_id
from core.policies import InForce
from core.recommendations import Basis, wording
from core.settings import Settings
from core.tables.entities import Recommendation

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
    Where the verdict holds several actions, each is a proposal of its own; the first is returned.
    Telling the channels is proposed only where there is one.

    Raises: NotFoundError (model, incident); UnavailableError.
    """
    name = specs.canonical(model)
    conclusion = conclude(db, settings, name, advisor or RulesReasoner())
    channels = outbox.channels(settings)
    if _heard(conclusion, channels):
        try:
            with db.command(AGENT, "recommendation.propose") as command:
                rows = _propose(command, conclusion, incident_id, channels)
                for row in rows:
                    autonomy.consider(command, row, settings=settings)
                return rows[0]
        except (ConflictError, InvalidInputError, NotFoundError) as problem:
            _keep_refused(db, name, conclusion, str(problem))  # the call was made, and is counted
            raise
    with db.command(AGENT, "agent.decide") as command:
        _keep(command, conclusion, incident_id)
        draft = conclusion.draft
        command.note(model=name, reason=draft.reasoning, decision=draft.decision)
        if incident_id:
            incidents.note_in(command, incident_id, f"{draft.decision}: {draft.reasoning}")
    return None


def _heard(conclusion: Conclusion, channels: list[str]) -> list[Act]:
    """Return the draft's actions; telling people is none where no channel is set up."""
    return [act for act in conclusion.draft.actions if channels or act.kind != "notify"]


def _keep_refused(db: Database, model: str, conclusion: Conclusion, why: str) -> None:
    with db.command(AGENT, "agent.decide") as command:
        _keep(command, conclusion, None)
        command.note(model=model, reason=why, decision=conclusion.draft.decision)


def conclude(db: Database, settings: Settings, model: str, advisor: Advisor) -> Conclusion:
    """Go from facts to a draft that the guard accepts; writes nothing.

    Beyond the day's budget the model is not asked, and the rules' draft is what remains.

    Raises: NotFoundError (no such model); UnavailableError.
    """
    with db.read() as session:
        rules = policies.in_force(session, model)
        book = facts.gather(session, model, now=db.clock(), settings=settings)
        asked = budget.bounded(session, settings, advisor, db.clock())
    book.recommendation = new_id(db.clock())
    return conclude_from(book, rules, asked)


def conclude_from(book: FactBook, rules: InForce, advisor: Advisor) -> Conclusion:
    """Do what `conclude` does from facts and a policy that are at hand; reads nothing more."""
    verdict = policy.decide(book, rules.policy)
    chosen = advisor if verdict.actions else RulesReasoner()  # where nothing is asked, ask nobody
    answer = chosen.propose(book, verdict)
    checked = guard.check(answer, book, verdict)
    if checked.draft is not None:
        return Conclusion(book, rules, verdict, checked.draft, answer, checked.adjusted, None)
    why = records.storable(checked.reason or "")
    return Conclusion(book, rules, verdict, from_rules(book, verdict), answer, (), why)


def _propose(
    command: Command, conclusion: Conclusion, incident_id: str | None, channels: list[str]
) -> list[Recommendation]:
    """Propose each action of the draft; the channels are told of the first, the main one."""
    fact_book_id = _keep(command, conclusion, incident_id)
    rows = []
    for place, act in enumerate(_heard(conclusion, channels)):
        basis = _basis(conclusion, act, fact_book_id, incident_id)
        if not place:
            basis = replace(basis, id=conclusion.book.recommendation)
        own = wording.title(conclusion.book.model, act.kind, act.arguments)
        title, told = (own, []) if place else (conclusion.verdict.title, channels)
        rows.append(_propose_one(command, conclusion, act, title, basis, told))
    return rows


def _propose_one(
    command: Command,
    conclusion: Conclusion,
    act: Act,
    title: str,
    basis: Basis,
    channels: list[str],
) -> Recommendation:
    adjusted = " ".join(f"({note})" for note in conclusion.adjusted)
    return recommendations.propose_in(
        command,
        model=conclusion.book.model,
        kind=act.kind,
        arguments=act.arguments,
        title=title,
        reasoning=f"{conclusion.draft.reasoning} {adjusted}".strip(),
        basis=basis,
        channels=channels,
    )


def _basis(conclusion: Conclusion, act: Act, fact_book_id: str, incident_id: str | None) -> Basis:
    draft, book = conclusion.draft, conclusion.book
    return Basis(
        decision=draft.decision,
        severity=draft.severity,
        confidence=draft.confidence,
        evidence=[records.card(book, item) for item in draft.evidence],
        expected=_expected(book, act.kind),
        reasoner=conclusion.reasoner,
        fallback=conclusion.fallback,
        fact_book_id=fact_book_id,
        incident_id=incident_id,
        release_seq=book.release_seq,
    )


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
    book, verdict = conclusion.book, conclusion.verdict
    row = records.keep_facts(command, book, verdict, conclusion.rules, incident_id)
    records.keep_call(command, row.id, conclusion.answer, conclusion.fallback)
    command.note(rule=verdict.rule)
    return row.id
