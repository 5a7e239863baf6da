import pytest
from sqlalchemy import select

from core.agent import budget, records
from core.agent.facts import FactBook
from core.agent.investigate import investigate
from core.agent.reasoners import Answer, RulesReasoner
from core.tables.entities import ReasonerCall
from tests.core.agent.test_investigate import drifted  # noqa: F401


class Model(RulesReasoner):
    """The rules under a model's name, which counts how often it is asked."""

    name = "model-x"
    asked = 0

    def propose(self, book, verdict):
        self.asked += 1
        return super().propose(book, verdict)


def call(db, reasoner="model-x", tokens=0, cost=0.0):
    with db.command(budget_system(), "agent.decide") as command:
        row = records.keep_facts(command, FactBook("spam", []), None, None)
        answer = Answer(reasoner, None, "p", "a", tokens=tokens, cost=cost)
        records.keep_call(command, row.id, answer, None)


def budget_system():
    from core.access import system

    return system("agent")


def used(db, clock):
    with db.read() as session:
        return budget.used(session, clock())


def test_the_calls_of_today_are_counted_but_not_those_of_the_rules(db, clock):
    call(db, tokens=100, cost=0.5)
    call(db, tokens=20, cost=0.25)
    call(db, "rules", tokens=9)
    assert used(db, clock) == budget.Used(2, 120, 0.75)


def test_midnight_utc_begins_a_new_budget(db, clock):
    clock.now = clock.now.replace(hour=23, minute=59)
    call(db, tokens=100)
    assert used(db, clock).tokens == 100
    clock.forward(minutes=1)
    assert used(db, clock) == budget.Used(0, 0, 0.0)
    call(db, tokens=3)  # in the first millisecond of the day
    assert used(db, clock).tokens == 3


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"openai_tokens_a_day": 100}, "today's 100 tokens are used up (100)"),
        ({"openai_tokens_a_day": 0}, "today's 0 tokens are used up"),
        ({"openai_cost_a_day": 0.5, "openai_input_price": 1}, "0.5 of money is used up (0.50)"),
    ],
)
def test_beyond_the_budget_the_model_is_not_asked_and_the_rules_answer(
    db,
    settings,
    drifted,  # noqa: F811
    limits,
    reason,
):
    call(db, tokens=100, cost=0.5)
    model = Model()
    row = investigate(db, settings.model_copy(update=limits), "spam", advisor=model)
    assert (row.kind, row.reasoner, model.asked) == ("retrain", "rules", 0)
    assert reason in row.fallback
    with db.read() as session:
        newest = session.scalars(
            select(ReasonerCall).filter_by(fact_book_id=row.fact_book_id)
        ).one()
    assert (newest.reasoner, newest.tokens, newest.error) == ("model-x", 0, row.fallback)


def test_money_without_a_price_is_no_limit(db, settings, drifted):  # noqa: F811
    call(db, cost=99.0)
    model = Model()
    investigate(db, settings, "spam", advisor=model)
    assert model.asked == 1


def test_the_rules_have_no_budget(db, settings, drifted):  # noqa: F811
    spent = settings.model_copy(update={"openai_tokens_a_day": 0})
    assert investigate(db, spent, "spam").fallback is None
