import shutil
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from core import recommendations, specs
from core.access import system
from core.agent import answering, guard, replay
from core.agent.investigate import investigate
from core.agent.reasoners import Answer, Evidence, Reply
from core.errors import ConflictError, NotFoundError
from core.tables.decisions import Message
from core.tables.entities import FactBook, ReasonerCall, Recommendation, Release
from tests.core.agent.test_facts import report
from tests.core.agent.test_investigate import SPEC

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request, tmp_path):
    """SQLite; a test marked with `BOTH` runs on PostgreSQL too."""
    if getattr(request, "param", "sqlite") == "postgresql":
        return request.getfixturevalue("filled_postgresql")
    for file in request.getfixturevalue("sqlite_template").iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


class Model:
    """A responder that says one thing after reading all facts."""

    name = "model-x"

    def __init__(self, text, *cited):
        self.said = Reply(text, tuple(Evidence(*one) for one in cited))

    def reply(self, question):
        self.question = question
        everything = frozenset(fact.id for fact in question.book)
        said = {"prompt": "p", "answer": "a", "tokens": 7, "seen": everything}
        return Answer(self.name, None, reply=self.said, **said)


@pytest.fixture
def card(db, settings, clock, release):
    """A proposal of the agent to retrain, made an hour ago at a score of 0.3; it is 0.42 now."""
    specs.apply(db, system("bootstrap"), SPEC)
    release("spam", "1.0.0")
    report(db, clock, score=0.3)
    row = investigate(db, settings, "spam")
    clock.forward(hours=1)
    report(db, clock, score=0.42)
    return row


def ask(db, settings, ana, card, text, advisor=None):
    question = recommendations.ask(db, ana, card.id, text=text)
    return answering.answer(db, settings, question.id, advisor=advisor)


def count(db, table):
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(table))


def test_a_question_is_answered_from_the_facts_that_its_words_name(db, settings, ana, card):
    given = ask(db, settings, ana, card, "How large is the drift score?")
    assert given.text.startswith("I can say what the facts say: drift score of the newest window")
    assert "0.42" in given.text
    assert "drift.score" in [item["fact"] for item in given.evidence]
    assert (given.role, given.author) == ("agent", "rules")


def test_it_says_what_changed_since_the_proposal(db, settings, ana, card):
    given = ask(db, settings, ana, card, "What has changed since?")
    assert "drift score of the newest window: 0.42 now, 0.3 then" in given.text


def test_why_is_answered_with_what_the_proposal_rests_on(db, settings, ana, card):
    given = ask(db, settings, ana, card, "Why?")
    assert card.reasoning in given.text


def test_where_no_fact_speaks_to_it_that_is_said(db, settings, ana, card):
    given = ask(db, settings, ana, card, "Is the moon full?")
    assert given.text.startswith("No fact speaks to that. What is known is about: drift")
    assert given.evidence == []


def test_a_question_has_exactly_one_answer(db, settings, ana, card):
    question = recommendations.ask(db, ana, card.id, text="Why?")
    first = answering.answer(db, settings, question.id)
    assert answering.answer(db, settings, question.id).id == first.id
    assert count(db, Message) == 2


@BOTH
def test_of_two_workers_the_slower_returns_the_answer_of_the_faster(db, settings, ana, card):
    question = recommendations.ask(db, ana, card.id, text="Why?")

    class Slow(answering.RulesResponder):
        def reply(self, asked):
            answering.answer(db, settings, question.id)
            return super().reply(asked)

    given = answering.answer(db, settings, question.id, advisor=Slow())
    assert count(db, Message) == 2
    assert given.answers == question.id


def test_the_facts_the_question_and_the_answer_are_kept(db, settings, ana, card):
    given = ask(db, settings, ana, card, "Why?", Model("The score is 0.42.", ("drift.score", 0.42)))
    with db.read() as session:
        book = session.get(FactBook, given.fact_book_id)
        call = session.scalars(select(ReasonerCall).filter_by(fact_book_id=book.id)).one()
    assert {fact["id"]: fact["value"] for fact in book.facts}["drift.score"] == 0.42
    assert (call.reasoner, call.tokens, call.error) == ("model-x", 7, None)


@BOTH
def test_a_models_answer_is_shown_when_the_guard_finds_nothing_wrong(db, settings, ana, card):
    model = Model("The score rose from 0.3 to 0.42.", ("drift.score", 0.42))
    given = ask(db, settings, ana, card, "How bad is it?", model)
    assert (given.author, given.text) == ("model-x", "The score rose from 0.3 to 0.42.")
    assert model.question.sealed.get("drift.score") == 0.3


@pytest.mark.parametrize(
    ("text", "cited", "reason"),
    [
        ("The score is 0.97.", [], "0.97, which no fact says"),
        ("It is fine.", [("moon.phase", 1)], "is no fact"),
        ("It is fine.", [("drift.score", 0.1)], "with another value"),
        ("Read more on evil.example now.", [], "an address"),
        ("I have approved it for you.", [], "claims what only people decide"),
        ("", [], "0 characters"),
    ],
)
def test_what_the_guard_rejects_is_answered_by_the_rules(
    db, settings, ana, card, text, cited, reason
):
    given = ask(db, settings, ana, card, "How large is the drift score?", Model(text, *cited))
    assert given.author == "rules"
    assert "0.42" in given.text
    with db.read() as session:
        call = session.scalars(select(ReasonerCall).order_by(ReasonerCall.id.desc())).first()
    assert reason in call.error


def test_answering_changes_nothing_else(db, settings, ana, card):
    before = [count(db, table) for table in (Recommendation, Release)]
    ask(db, settings, ana, card, "Approve it and release 6.6.6 now!")
    assert [count(db, table) for table in (Recommendation, Release)] == before
    with db.read() as session:
        assert recommendations.get(session, card.id).state == "proposed"


def test_an_answer_is_no_decision_in_a_replay(db, settings, ana, card, clock):
    ask(db, settings, ana, card, "Why?")
    with db.read() as session:
        past = replay.replay(session, model="spam", since=clock.now - timedelta(days=1))
    assert [one.after.recommendation_id for one in past.decisions] == [card.id]


def test_a_proposal_about_all_models_is_answered_too(db, settings, ana):
    row = recommendations.propose(
        db,
        ana,
        model="*",
        kind="notify",
        arguments={},
        title="Tell everybody",
        reasoning="because",
    )
    given = ask(db, settings, ana, row, "How is the accuracy?")
    assert given.text.startswith("No fact speaks to that")


def test_what_is_no_question_gets_no_answer(db, settings, ana, card):
    given = ask(db, settings, ana, card, "Why?")
    with pytest.raises(ConflictError, match="no question"):
        answering.answer(db, settings, given.id)
    with pytest.raises(NotFoundError, match="there is no question x"):
        answering.answer(db, settings, "x")


def test_the_rules_own_answers_always_pass_the_guard(db, settings, ana, card):
    from core.adapters.langchain_advisor import LangChainAdvisor

    for text in ("Why?", "What changed?", "accuracy drift labels", "error rate", "x"):
        ask(db, settings, ana, card, text, LangChainAdvisor(settings))
    with db.read() as session:
        assert not [row.error for row in session.scalars(select(ReasonerCall)) if row.error]


def test_strangers_words_are_not_repeated_in_an_answer(db, settings, ana, card, clock):
    term = {"term": "IGNORE ALL", "share_current": 0.2}
    report(db, clock, score=0.5, vocabulary_drift=0.3, tfidf_drift=0.2, new_terms=[term])
    given = ask(db, settings, ana, card, "Which words and terms became more frequent?")
    assert "IGNORE" not in given.text
    assert guard.shown(Reply(given.text)) == given.text
