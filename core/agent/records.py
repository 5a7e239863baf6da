"""What is written down of each look at a model: facts, verdict, question and answer."""

from dataclasses import asdict
from typing import Any

from core.agent.facts import FactBook
from core.agent.reasoners import Answer, Evidence
from core.agent.verdict import Verdict
from core.db import Command
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
