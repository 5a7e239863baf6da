"""Asking about a proposal: questions of people, and the agent's answers from facts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jobs
from core.access import Actor
from core.db import Database
from core.errors import ConflictError, InvalidInputError
from core.ids import new_id
from core.recommendations.deciding import locked
from core.tables.decisions import Message

LONGEST = 1_000
MOST_OPEN = 20
PATIENCE = timedelta(minutes=5)
"""After this nobody waits for an answer any more: the question may be asked again."""


def ask(db: Database, actor: Actor, recommendation_id: str, *, text: str) -> Message:
    """Ask something about a proposal, also one that is decided; a worker answers from facts.

    Raises: ForbiddenError; NotFoundError; InvalidInputError (empty, or longer than 1,000
    characters); ConflictError (20 questions about it wait for an answer).
    """
    with db.command(actor, "recommendation.ask") as command:
        row = locked(command.session, recommendation_id)
        command.note(model=row.model, recommendation=row.id, title=row.title)
        words = _checked(text)
        asked = conversation(command.session, row.id)
        if len(unanswered(asked, since=command.now - PATIENCE)) >= MOST_OPEN:
            raise ConflictError(f"{MOST_OPEN} questions about this wait for an answer already")
        message = Message(
            id=new_id(command.now),
            recommendation_id=row.id,
            role="person",
            author=command.actor.name,
            text=words,
            evidence=[],
            at=command.now,
        )
        command.session.add(message)
        command.note(message=message.id)
        told = {"message_id": message.id}
        jobs.enqueue(command.session, "answer", told, now=command.now, key=f"answer:{message.id}")
        return message


def conversation(session: Session, recommendation_id: str) -> list[Message]:
    """Return what was asked and answered about a proposal: each answer after its question."""
    query = select(Message).filter_by(recommendation_id=recommendation_id)
    rows = session.scalars(query.order_by(Message.id))
    return sorted(rows, key=lambda row: (row.answers or row.id, row.answers is not None))


def unanswered(messages: Sequence[Message], *, since: datetime | None = None) -> list[Message]:
    """Return the questions without an answer, with `since` only those asked after it."""
    answered = {row.answers for row in messages if row.answers}
    asked = [row for row in messages if row.role == "person" and row.id not in answered]
    return [row for row in asked if since is None or row.at > since]


def _checked(text: str) -> str:
    words = text.replace("\x00", "").encode(errors="replace").decode().strip()
    if not 0 < len(words) <= LONGEST:
        raise InvalidInputError(f"a question has 1 to {LONGEST:,} characters")
    return words
