"""What an api process cannot serve, and that it can again, on its way to an incident and its end.

The process writes to its log on disk only; the shipper makes a job of it, the worker an incident.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import jobs
from core.clock import epoch_ms
from core.db import Database
from core.ids import new_id, uuid7
from core.serving.spool import Record
from core.tables.operational import Job

KIND = "problem"
JOB = "cannot_serve"
JOB_OVER = "serves_again"
TELL_AGAIN = timedelta(hours=1)
"""How often a process says again what it still cannot serve."""

GONE_AFTER = 2 * TELL_AGAIN + timedelta(minutes=15)
"""A process that has said nothing for so long is no more, or its log does not arrive."""

State = Literal["failed", "serves", "gone"]


def record(
    model: str,
    version: str,
    seq: int,
    why: str,
    *,
    serves: int | None,
    at: datetime,
    teller: str,
    n: int,
    state: State = "failed",
) -> Record:
    """Return the record of a release that could not be loaded; `serves`: the one that does.

    `teller` is the process that says so, for the `n`-th time; later it says that it `serves` what
    it could not, or that it ends (`gone`) without having served it.
    """
    row = {"id": new_id(at), "model": model, "version": version, "seq": seq, "state": state}
    told = {"why": why, "serves": serves, "at": at.isoformat(), "teller": teller, "n": n}
    return {"kind": KIND, "row": {**row, **told}}


def hand_over(db: Database, records: Iterable[Record]) -> None:
    """Queue a job for each problem among log records; a second time does nothing.

    Raises: UnavailableError.
    """
    rows = [record["row"] for record in records if record["kind"] == KIND]
    if not rows:
        return
    with db.keep() as session:
        for row in rows:
            kind = JOB if row.get("state", "failed") == "failed" else JOB_OVER
            jobs.enqueue(session, kind, row, now=db.clock(), key=f"{JOB}:{row['id']}")


def newest(session: Session, model: str, now: datetime) -> list[dict[str, Any]]:
    """Return the last word of each process that told of a model, of those that may still live."""
    first = uuid7(epoch_ms(now - GONE_AFTER), bytes(10))  # ids begin with their time
    told = select(Job.payload).where(Job.id >= first, Job.kind.in_((JOB, JOB_OVER)))
    last: dict[str, dict[str, Any]] = {}
    for row in session.scalars(told):
        teller = row.get("teller", "")
        before = last.get(teller, {"n": -1})
        if row["model"] == model and row.get("n", 0) > before["n"]:
            last[teller] = {"state": "failed", "n": 0, **row}
    return list(last.values())
