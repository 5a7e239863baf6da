"""Drills on record: asking for one, how it ended, the history. Light: pages read it."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jobs, releases, specs
from core.access import Actor, system
from core.automation.drill import kinds
from core.db import Database
from core.errors import NotFoundError
from core.ids import new_id
from core.settings import Settings
from core.tables.base import Json
from core.tables.entities import Drill
from core.tables.operational import Job

JOB = "drill"
SIZE, SEED = 0.3, 1
LONGEST_HISTORY = 200
_WORKER = system("worker")


def request(
    db: Database,
    actor: Actor,
    model: str,
    kind: str,
    *,
    size: float = SIZE,
    seed: int = SEED,
    queue: bool = True,
) -> Drill:
    """Ask for a drill; with `queue` a worker plays it, else the caller does at once.

    Raises: NotFoundError (no such model, nothing serves); InvalidInputError (the kind does not fit
    the model, a size that is no share); ForbiddenError.
    """
    with db.command(actor, "drill.request") as command:
        spec = specs.active(command.session, model)
        command.note(model=spec.name, kind=kind[:40], size=size, seed=seed)
        fitting = kinds.check(spec, kind, size)
        serving = releases.current(command.session, spec.name)
        row = Drill(
            id=new_id(command.now),
            model=spec.name,
            version=releases.champion(serving),
            kind=fitting,
            state="queued",
            options={"size": size, "seed": seed},
            result={},
            sentence="",
            author=command.actor.name,
            at=command.now,
        )
        command.session.add(row)
        command.note(drill=row.id)
        if queue:
            payload = {"drill_id": row.id}
            key = f"{JOB}:{row.id}"
            now = command.now  # one attempt: a drill that was killed is asked for again by a person
            jobs.enqueue(command.session, JOB, payload, now=now, key=key, max_attempts=1)
        return row


def finish(db: Database, drill_id: str, result: Json) -> Drill:
    """Record how a drill went; one that has ended already stays as it is."""
    return _end(db, drill_id, "finished", result["score"]["sentence"], result)


def fail(db: Database, drill_id: str, why: str) -> Drill:
    """Record why a drill did not come to its end; one that has ended already stays as it is."""
    return _end(db, drill_id, "failed", f"It was not played to its end: {why}.", {})


def _end(db: Database, drill_id: str, state: str, sentence: str, result: Json) -> Drill:
    with db.command(_WORKER, "drill.finish") as command:
        row = get(command.session, drill_id, lock=True)
        command.note(model=row.model, drill=row.id, state=state, sentence=sentence)
        if row.state not in ("finished", "failed"):
            row.state, row.sentence, row.result = state, sentence, result
            row.finished_at = command.now
        return row


def get(session: Session, drill_id: str, *, lock: bool = False) -> Drill:
    """Return a drill. Raises: NotFoundError."""
    query = select(Drill).filter_by(id=drill_id)
    if row := session.scalars(query.with_for_update() if lock else query).first():
        return row
    raise NotFoundError(f"there is no drill {drill_id}")


def history(session: Session, model: str | None = None, *, limit: int = 50) -> list[Drill]:
    """Return drills, the newest first; of all models unless one is named."""
    query = select(Drill).order_by(Drill.id.desc()).limit(min(limit, LONGEST_HISTORY))
    if model is not None:
        query = query.filter_by(model=specs.canonical(model))
    return list(session.scalars(query))


def job(session: Session, drill_id: str) -> Job | None:
    """Return the job that plays a drill, or None where a command line plays it itself."""
    return jobs.newest(session, f"{JOB}:{drill_id}")


def report_path(settings: Settings, drill_id: str) -> Path:
    """Return where the report of a drill lies, or would lie."""
    return settings.folder("reports") / f"drill-{drill_id}.html"
