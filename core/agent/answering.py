"""A person's question about a proposal, answered from facts; nothing else comes of it."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import policies, specs
from core.access import system
from core.agent import budget, facts, guard, policy, records
from core.agent.facts import FactBook
from core.agent.policy import Verdict
from core.agent.reasoners import Answer, Question, Responder
from core.agent.replies import from_facts
from core.clock import Clock
from core.db import Command, Database
from core.errors import ConflictError, NotFoundError
from core.ids import new_id
from core.policies import InForce
from core.settings import Settings
from core.tables.decisions import Message
from core.tables.entities import FactBook as FactBookRow
from core.tables.entities import Recommendation

AGENT = system("agent")


class RulesResponder:
    """Says what the facts say that a question's words name."""

    name = budget.RULES

    def reply(self, question: Question) -> Answer:
        """Return the answer; never fails."""
        said = from_facts(question)
        return Answer(self.name, None, prompt=question.text, answer=said.text, reply=said)


def answer(
    db: Database, settings: Settings, message_id: str, *, advisor: Responder | None = None
) -> Message:
    """Answer a question from the facts of now, beside those that the proposal was sealed with.

    A question has one answer: asked again, the same one is returned. What a model says is shown
    only when the guard finds nothing wrong with it; otherwise the rules answer.

    Raises: NotFoundError (no such question); ConflictError (that is no question); UnavailableError.
    """
    with db.read() as session:
        if known := _answered(session, message_id):
            return known
        case = _case(session, settings, _question(session, message_id), db.clock)
        asked = budget.bounded(session, settings, advisor or RulesResponder(), db.clock())
    said = asked.reply(case.question)
    rejected = guard.check_reply(said, case.question)
    try:
        with db.command(AGENT, "recommendation.answer") as command:
            return _keep(command, case, said, rejected)
    except ConflictError:
        with db.read() as session:  # another worker was faster
            if known := _answered(session, message_id):
                return known
        raise


@dataclass(frozen=True)
class _Case:
    """What is asked about which proposal, with what the policy says to the facts of now."""

    message: Message
    row: Recommendation
    question: Question
    verdict: Verdict | None
    rules: InForce | None


def _case(session: Session, settings: Settings, message: Message, clock: Clock) -> _Case:
    row = session.get_one(Recommendation, message.recommendation_id)
    book, verdict, rules = _now(session, settings, row.model, clock)
    book.recommendation = row.id
    own = row.reasoner != "person"  # what a person wrote is not the product's to repeat
    question = Question(
        text=message.text,
        about=_about(row),
        book=book,
        sealed=_sealed(session, row),
        sentences=(row.reasoning,) if own and row.reasoning else (),
    )
    return _Case(message, row, question, verdict, rules)


def _keep(command: Command, case: _Case, said: Answer, rejected: str | None) -> Message:
    """Write down the facts, call and answer: the rules' own where the model's may not be."""
    shown = said.reply
    if rejected or shown is None:
        shown = from_facts(case.question)
    kept = records.keep_facts(command, case.question.book, case.verdict, case.rules)
    records.keep_call(command, kept.id, said, rejected)
    turn = Message(
        id=new_id(command.now),
        recommendation_id=case.row.id,
        role="agent",
        author=(budget.RULES if rejected else said.reasoner)[: records.LONGEST_NAME],
        text=records.storable(guard.shown(shown)),
        evidence=[records.card(case.question.book, item) for item in shown.evidence],
        answers=case.message.id,
        fact_book_id=kept.id,
        at=command.now,
    )
    command.session.add(turn)
    command.note(model=case.row.model, recommendation=case.row.id, question=case.message.id)
    command.session.flush()
    return turn


def _question(session: Session, message_id: str) -> Message:
    message = session.get(Message, message_id)
    if message is None:
        raise NotFoundError(f"there is no question {message_id}")
    if message.role != "person":
        raise ConflictError("this is an answer, no question")
    return message


def _answered(session: Session, message_id: str) -> Message | None:
    return session.scalars(select(Message).filter_by(answers=message_id)).first()


def _now(
    session: Session, settings: Settings, model: str, clock: Clock
) -> tuple[FactBook, Verdict | None, InForce | None]:
    """Return the facts of now and what the policy says to them; none for all models at once."""
    try:
        name = specs.canonical(model)
        rules = policies.in_force(session, name)
        book = facts.gather(session, name, now=clock(), settings=settings)
    except NotFoundError:
        return FactBook(model, []), None, None
    return book, policy.decide(book, rules.policy), rules


def _sealed(session: Session, row: Recommendation) -> FactBook | None:
    """Return the facts that the proposal was made from; a person's own proposal has none."""
    kept = session.get(FactBookRow, row.fact_book_id) if row.fact_book_id else None
    return FactBook.from_plain(row.model, kept.facts) if kept else None


def _about(row: Recommendation) -> dict[str, object]:
    return {
        "kind": row.kind,
        "arguments": row.arguments,
        "title": row.title,
        "state": row.state,
        "severity": row.severity,
        "reasoning": row.reasoning,
        "effect": row.expected.get("sentence", ""),
    }
