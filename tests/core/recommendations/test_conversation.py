from datetime import timedelta

import pytest
from sqlalchemy import select

from core import recommendations
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.ids import new_id
from core.recommendations import conversation, unanswered
from core.tables.decisions import Message
from core.tables.operational import Job
from tests.core.recommendations.kit import AGENT, propose


@pytest.fixture
def row(db):
    return propose(db, "retrain")


def ask(db, actor, row, text="Why now?"):
    return recommendations.ask(db, actor, row.id, text=text)


def answer(db, question, text="Three windows drifted."):
    with db.command(AGENT, "recommendation.answer") as command:
        told = {"role": "agent", "author": "rules", "evidence": [], "at": command.now}
        about = {"recommendation_id": question.recommendation_id, "answers": question.id}
        command.session.add(Message(id=new_id(command.now), text=text, **told, **about))


def talk(db, row):
    with db.read() as session:
        return conversation(session, row.id)


def test_a_question_waits_for_a_worker_to_answer_it(db, ana, row):
    question = ask(db, ana, row, "  Why now?  ")
    with db.read() as session:
        job = session.scalars(select(Job)).one()
    assert (job.kind, job.payload) == ("answer", {"message_id": question.id})
    assert [(one.author, one.text) for one in talk(db, row)] == [("ana", "Why now?")]
    assert [one.id for one in unanswered(talk(db, row))] == [question.id]


def test_each_answer_follows_its_question(db, clock, ana, row):
    first = ask(db, ana, row, "one?")
    clock.forward(seconds=1)
    second = ask(db, ana, row, "two?")
    clock.forward(seconds=1)
    answer(db, second, "two.")
    answer(db, first, "one.")
    assert [one.text for one in talk(db, row)] == ["one?", "one.", "two?", "two."]
    assert unanswered(talk(db, row)) == []


def test_a_question_without_an_answer_is_not_waited_for_for_ever(db, clock, ana, row):
    ask(db, ana, row)
    clock.forward(minutes=6)
    assert unanswered(talk(db, row), since=clock() - timedelta(minutes=5)) == []
    assert len(unanswered(talk(db, row))) == 1


@pytest.mark.parametrize("text", ["", "  \n", "x" * 1001])
def test_a_question_has_one_to_a_thousand_characters(db, ana, row, text):
    with pytest.raises(InvalidInputError, match="1 to 1,000 characters"):
        ask(db, ana, row, text)


def test_a_character_that_no_database_keeps_is_left_out(db, ana, row):
    assert ask(db, ana, row, "why\x00?").text == "why?"


def test_twenty_questions_may_wait_and_no_more(db, clock, ana, row):
    first = ask(db, ana, row)
    for _ in range(19):
        clock.forward(seconds=1)
        ask(db, ana, row)
    with pytest.raises(ConflictError, match="20 questions about this wait"):
        ask(db, ana, row)
    answer(db, first)
    ask(db, ana, row)


def test_a_decided_proposal_can_be_asked_about_and_an_unknown_one_cannot(db, ana, row):
    recommendations.reject(db, ana, row.id, reason="no")
    ask(db, ana, row)
    with pytest.raises(NotFoundError):
        recommendations.ask(db, ana, "nope", text="why?")


def test_a_viewer_and_the_agent_ask_nothing(db, vic, row):
    for actor in (vic, AGENT):
        with pytest.raises(ForbiddenError):
            ask(db, actor, row)
