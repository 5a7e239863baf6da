"""Processes that decide about one proposal at the same moment."""

import multiprocessing
import os
import time
from dataclasses import dataclass

from sqlalchemy import select

from core import recommendations
from core.access import Actor, Role
from core.clock import utc_now
from core.db import Database
from core.errors import PilothouseError, UnavailableError
from core.tables.access import AuditEvent

PEOPLE = (Actor("ana", Role.OPERATOR), Actor("apo", Role.APPROVER), Actor("adm", Role.ADMIN))


@dataclass(frozen=True)
class Answer:
    """What one click came to."""

    verb: str
    won: bool
    sentence: str
    tries: int


def at_once(db, settings, row, clicks):
    """Return the answers of `clicks` processes that are let go together."""
    db.engine.dispose()
    context = multiprocessing.get_context("fork")
    gate, answers = context.Barrier(clicks), context.SimpleQueue()
    processes = [
        context.Process(target=_click, args=(settings, row, number, gate, answers.put))
        for number in range(clicks)
    ]
    for process in processes:
        process.start()
    heard = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    return heard


def _click(settings, row, number, gate, answer):
    db, verb = Database(settings, utc_now), ("approve", "reject")[number % 2]
    person = PEOPLE[number // 2 % len(PEOPLE)]
    gate.wait()
    for tries in range(1, 200):
        try:
            if verb == "approve":
                recommendations.approve(db, person, row.id, digest=row.digest, solo=False)
            else:
                recommendations.reject(db, person, row.id, reason="no")
        except UnavailableError:  # a server takes about a hundred connections
            time.sleep(0.02 + os.getpid() % 50 / 1000)
            continue
        except PilothouseError as problem:
            return answer(Answer(verb, False, str(problem), tries))
        return answer(Answer(verb, True, "", tries))
    return answer(Answer(verb, False, "the database never answered", tries))


def recorded(db, row):
    """Return how each attempt to decide ended, as the audit trail has it."""
    query = select(AuditEvent).filter_by(action="recommendation.decide")
    with db.read() as session:
        rows = [one for one in session.scalars(query) if one.detail["recommendation"] == row.id]
    return [one.outcome for one in rows]
