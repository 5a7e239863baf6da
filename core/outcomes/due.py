"""Grading what is due: each executed proposal once, in a command of its own."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from core import outbox, policies, recommendations
from core.access import system
from core.db import Command, Database
from core.errors import ConflictError, NotFoundError, PilothouseError, UnavailableError
from core.outcomes import ending, serving, undone
from core.outcomes.cases import SERVING, Case
from core.outcomes.grading import Graded
from core.outcomes.record import is_own, needed
from core.recommendations.wording import verb
from core.settings import Settings
from core.specs.thresholds import Policy
from core.tables.decisions import Autonomy, Outcome
from core.tables.entities import ActionRow, Recommendation

log = logging.getLogger("outcomes")
GRADER = system("worker")
MOST = 200  # of one round
_ONCE = timedelta(days=30)  # after that no undo is looked for, and nobody is told
_OLDEST = timedelta(days=180)  # what was carried out before that is history

GRADERS: Mapping[str, Callable[[Case], Graded | None]] = {
    **dict.fromkeys(SERVING, serving.grade),
    "retrain": ending.training,
    **dict.fromkeys(("start_experiment", "widen_experiment"), ending.experiment),
    "stop_experiment": ending.stopped_experiment,
    "collect_labels": ending.asked_labels,
    "silence": ending.silence,
    "scale": ending.scaling,
}
"""Kind of action → how its outcome is graded; any other kind has no effect to measure."""

MEASURED = frozenset(GRADERS)


def grade_due(db: Database, settings: Settings) -> int:
    """Grade every executed proposal whose outcome can be known by now; returns how many.

    What a person takes back later becomes a bad outcome then. Any number of workers may do this at
    once. Raises: UnavailableError.
    """
    with db.read() as session:
        due = _due(session, db.clock())
    return sum(_carefully(db, settings, recommendation_id) for recommendation_id in due)


def _carefully(db: Database, settings: Settings, recommendation_id: str) -> bool:
    """Grade one; where that breaks, say so, and go on: no other may lose its grade by it."""
    try:
        return _grade(db, settings, recommendation_id)
    except UnavailableError:
        raise
    except Exception as problem:
        if isinstance(problem, PilothouseError):
            log.warning("proposal %s cannot be graded: %s", recommendation_id, problem)
        else:
            log.exception("grading proposal %s broke", recommendation_id)
        return False


def _due(session: Session, now: datetime) -> list[str]:
    """Return the executed proposals without an outcome, and those taken back since a good one."""
    done = or_(Recommendation.state == "succeeded", ActionRow.state == "reverted")
    taken_back = and_(
        ActionRow.state == "reverted", Outcome.grade != "bad", ActionRow.finished_at > now - _ONCE
    )
    query = (
        select(Recommendation.id)
        .join(ActionRow, ActionRow.recommendation_id == Recommendation.id)
        .outerjoin(Outcome, Outcome.recommendation_id == Recommendation.id)
        .where(done, ActionRow.finished_at > now - _OLDEST)
        .where(or_(Outcome.recommendation_id.is_(None), taken_back))
    )
    return list(session.scalars(query.order_by(ActionRow.finished_at).limit(MOST)))


def _grade(db: Database, settings: Settings, recommendation_id: str) -> bool:
    with db.read() as session:
        found = _look(session, recommendation_id, db.clock())
    if found is None:
        return False
    try:
        with db.command(GRADER, "outcome.grade") as command:
            return _keep(command, settings, recommendation_id, found)
    except ConflictError:  # another worker was faster
        return False


def _look(session: Session, recommendation_id: str, now: datetime) -> Graded | None:
    """Return the grade of an executed proposal, or None while it cannot be known."""
    row = session.get_one(Recommendation, recommendation_id)
    action = session.scalars(select(ActionRow).filter_by(recommendation_id=row.id)).one()
    case = Case(session, row, action, policy_of(session, row.model), now)
    if found := undone.grade(case):
        return found
    if session.get(Outcome, row.id) is not None:
        return None  # it was taken back too late to count
    try:
        return GRADERS.get(row.kind, ending.not_measured)(case)
    except NotFoundError as problem:  # the model, or a version, was archived since
        words = f"It cannot be measured any more: {problem}."
        return Graded("neutral", words) if case.is_late else None


def policy_of(session: Session, model: str) -> Policy:
    """Return the thresholds in force; the built-in ones for what is about all models."""
    try:
        return policies.in_force(session, model).policy
    except NotFoundError:
        return Policy()


def _keep(command: Command, settings: Settings, recommendation_id: str, found: Graded) -> bool:
    session = command.session
    row = session.get_one(Recommendation, recommendation_id)
    leave = session.get(Autonomy, (row.model, row.kind), with_for_update=True)
    before = session.get(Outcome, row.id, with_for_update=True)
    if before is not None and (before.grade == "bad" or found.grade != "bad"):
        raise ConflictError("this outcome was graded at the same moment")
    command.note(model=row.model, recommendation=row.id, kind=row.kind, grade=found.grade)
    command.note(reason=found.sentence, measured=dict(found.measured))
    if before is None:
        session.add(_outcome(command, row, found))
    else:
        command.note(before=before.grade)
        before.grade, before.sentence = found.grade, f"{found.sentence} Before: {before.sentence}"
        before.measured, before.at = {**before.measured, **found.measured}, command.now
    session.flush()
    recommendations.tell_incident(
        command, row.incident_id, f"outcome: {found.grade}. {found.sentence}"
    )
    if found.grade == "bad" and command.now < (row.decided_at or command.now) + _ONCE:
        _tell(command, settings, row, found, leave)
    return True


def _outcome(command: Command, row: Recommendation, found: Graded) -> Outcome:
    return Outcome(
        recommendation_id=row.id,
        model=row.model,
        kind=row.kind,
        grade=found.grade,
        expected=row.expected,
        measured=dict(found.measured),
        sentence=found.sentence,
        at=command.now,
    )


def _tell(
    command: Command,
    settings: Settings,
    row: Recommendation,
    found: Graded,
    leave: Autonomy | None,
) -> None:
    """Tell of a bad outcome, and that a leave to act alone counts for nothing until earned anew."""
    text = found.sentence
    if leave is not None and leave.state == "granted" and is_own(row):
        policy = policy_of(command.session, row.model)
        more = needed(policy.autonomy_bar, policy.autonomy_least)
        left = "" if more is None else f" until {more} outcomes in a row are good"
        fallen = f"From now on a person decides to {verb(row.kind)} {row.model} again{left}."
        text = f"{text} {fallen}"
        command.note(autonomy="fallen back", fallen=fallen)
    outbox.post(
        command,
        outbox.channels(settings),
        f"Bad outcome: {row.title}",
        model=row.model,
        text=text,
        path=f"/recommendation?id={row.id}",
    )
