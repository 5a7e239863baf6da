"""What the language model may use on a day (UTC), in tokens and in money.

The calls that are on record are counted before each new one. Two workers that ask at the same
moment both find room: together they go beyond the limit by at most one call each.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.agent.facts import FactBook
from core.agent.reasoners import Advisor, Answer, Question, Responder
from core.agent.verdict import Verdict
from core.clock import epoch_ms
from core.ids import uuid7
from core.settings import Settings
from core.tables.entities import ReasonerCall

RULES = "rules"


@dataclass(frozen=True)
class Used:
    """What was used since midnight (UTC), by calls that are on record."""

    calls: int
    tokens: int
    cost: float


class Spent:
    """Stands in for a model that is not asked any more today, and says so."""

    def __init__(self, name: str, why: str) -> None:
        self.name, self.why = name, why

    def propose(self, book: FactBook, verdict: Verdict) -> Answer:
        """Return no draft."""
        return Answer(self.name, None, prompt="", answer="", error=self.why)

    def reply(self, question: Question) -> Answer:
        """Return no answer."""
        return Answer(self.name, None, prompt="", answer="", error=self.why)


Asked = TypeVar("Asked", bound=Advisor | Responder)


def bounded(session: Session, settings: Settings, advisor: Asked, now: datetime) -> Asked | Spent:
    """Return the advisor while today's budget lasts, else one that only says that it is spent."""
    name = advisor.name
    why = None if name == RULES else spent(settings, used(session, now))
    return Spent(name, why) if why else advisor


def used(session: Session, now: datetime) -> Used:
    """Return what language models have used since midnight (UTC)."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    first = uuid7(epoch_ms(midnight), bytes(10))  # ids follow time: no index more is needed
    query = select(
        func.count(),
        func.coalesce(func.sum(ReasonerCall.tokens), 0),
        func.coalesce(func.sum(ReasonerCall.cost), 0.0),
    ).where(ReasonerCall.id >= first, ReasonerCall.reasoner != RULES)
    calls, tokens, cost = session.execute(query).one()
    return Used(calls, int(tokens), float(cost))


def spent(settings: Settings, so_far: Used) -> str | None:
    """Say that today's budget is used up, or None.

    >>> spent(Settings(openai_tokens_a_day=10), Used(1, 12, 0.0))
    "the model was not asked: today's 10 tokens are used up (12)"
    """
    tokens, cost = settings.openai_tokens_a_day, settings.openai_cost_a_day
    if so_far.tokens >= tokens:
        return f"the model was not asked: today's {tokens:,} tokens are used up ({so_far.tokens:,})"
    if priced(settings) and so_far.cost >= cost:
        return f"the model was not asked: today's {cost:g} of money is used up ({so_far.cost:.2f})"
    return None


def priced(settings: Settings) -> bool:
    """Say whether tokens have a price here; without one only tokens are counted."""
    return settings.openai_input_price > 0 or settings.openai_output_price > 0
