"""What an api process cannot serve, on its way to an incident.

The process writes to its log on disk only; the shipper makes a job of it, the worker an incident.
"""

from collections.abc import Iterable
from datetime import datetime

from core import jobs
from core.db import Database
from core.ids import new_id
from core.serving.spool import Record

KIND = "problem"
JOB = "cannot_serve"


def record(
    model: str, version: str, seq: int, why: str, *, serves: int | None, at: datetime
) -> Record:
    """Return the record of a release that could not be loaded; `serves`: the one that does."""
    row = {"id": new_id(at), "model": model, "version": version, "seq": seq}
    return {"kind": KIND, "row": {**row, "why": why, "serves": serves, "at": at.isoformat()}}


def hand_over(db: Database, records: Iterable[Record]) -> None:
    """Queue a job for each problem among log records; a second time does nothing.

    Raises: UnavailableError.
    """
    rows = [record["row"] for record in records if record["kind"] == KIND]
    if not rows:
        return
    with db.keep() as session:
        for row in rows:
            jobs.enqueue(session, JOB, row, now=db.clock(), key=f"{JOB}:{row['id']}")
