"""What is written down of each look at a model: facts, verdict, question and answer."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, defer

from core.agent.facts import FactBook
from core.agent.reasoners import Answer, Evidence
from core.agent.verdict import Verdict
from core.db import Command
from core.errors import NotFoundError
from core.ids import new_id
from core.policies import InForce
from core.tables.entities import FactBook as FactBookRow
from core.tables.entities import ReasonerCall

LONGEST = 100_000
LONGEST_NAME = 200


def keep_facts(
    command: Command,
    book: FactBook,
    verdict: Verdict | None,
    rules: InForce | None,
    incident_id: str | None = None,
) -> FactBookRow:
    """Write down the facts, with the verdict and the policy where there are any."""
    row = FactBookRow(
        id=new_id(command.now),
        model=book.model,
        incident_id=incident_id,
        facts=book.plain(),
        verdict=verdict.to_dict() if verdict else {},
        digest=book.digest(),
        at=command.now,
        policy=asdict(rules.policy) if rules else {},
        policy_name=rules.name if rules else "",
        release_seq=book.release_seq,
    )
    command.session.add(row)
    command.note(fact_book=row.id, facts=row.digest)
    return row


def keep_call(command: Command, fact_book_id: str, answer: Answer, error: str | None) -> None:
    """Write down what a reasoner was asked and said, also when it failed; `error` says why."""
    call = ReasonerCall(
        id=new_id(command.now),
        fact_book_id=fact_book_id,
        reasoner=answer.reasoner[:LONGEST_NAME],
        prompt=storable(answer.prompt),
        answer=storable(answer.answer),
        error=storable(error) if error else None,
        tokens=answer.tokens,
        cost=answer.cost,
        seconds=answer.seconds,
        at=command.now,
    )
    command.session.add(call)


def card(book: FactBook, item: Evidence) -> dict[str, Any]:
    """Return a piece of evidence as it is shown: always with the fact's own value.

    Raises: KeyError (no such fact; the guard lets none pass).
    """
    fact = book.fact(item.fact)
    if fact is None:
        raise KeyError(item.fact)
    return {
        "fact": fact.id,
        "label": fact.label,
        "value": fact.value,
        "interval": list(fact.interval) if fact.interval else None,
        "n": fact.n,
        "link": fact.source,
    }


def storable(text: str) -> str:
    r"""Drop what PostgreSQL cannot store (NUL, lone surrogates), and what is beyond all measure.

    >>> storable("a\x00b\ud800")
    'ab?'
    """
    return text[:LONGEST].replace("\x00", "").encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class Call:
    """One question to a reasoner, and the model that it was about."""

    row: ReasonerCall
    model: str


def calls(session: Session, *, model: str | None = None, limit: int = 50) -> list[Call]:
    """Return the newest calls, newest first, without question and answer: `call` has those."""
    light = defer(ReasonerCall.prompt, raiseload=True), defer(ReasonerCall.answer, raiseload=True)
    query = _calls().options(*light).order_by(ReasonerCall.id.desc()).limit(limit)
    if model:
        query = query.where(FactBookRow.model == model)
    return [Call(row, name) for row, name in session.execute(query)]


def call(session: Session, key: str) -> Call:
    """Return a call by its id, or the one that was made from a book of facts.

    Raises: NotFoundError.
    """
    named = or_(ReasonerCall.id == key, ReasonerCall.fact_book_id == key)
    for row, name in session.execute(_calls().where(named).limit(1)):
        return Call(row, name)
    raise NotFoundError(f"there is no call {key[:40]}")


def _calls() -> Select[ReasonerCall, str]:
    return select(ReasonerCall, FactBookRow.model).join(
        FactBookRow, FactBookRow.id == ReasonerCall.fact_book_id
    )
