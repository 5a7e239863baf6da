"""Which processes live: each says so every few seconds."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import Database
from core.tables.operational import Heartbeat

SECONDS = 5.0
SILENT_AFTER = timedelta(seconds=30)


def beat(db: Database, process: str, begun: datetime | None = None) -> None:
    """Note that `process` lives now, and since when if that is known."""
    detail = {"begun": begun.isoformat()} if begun else {}
    with db.keep() as session:
        session.merge(Heartbeat(process=process, at=db.clock(), detail=detail))


def since(row: Heartbeat) -> datetime | None:
    """Return when a process began, or None where it does not say."""
    begun = row.detail.get("begun")
    return datetime.fromisoformat(begun) if begun else None


def lives(db: Database, process: str) -> bool:
    """Say whether `process` was heard of within the last 30 seconds."""
    with db.read() as session:
        row = session.get(Heartbeat, process)
        return row is not None and db.clock() - row.at < SILENT_AFTER


def all(session: Session) -> list[Heartbeat]:
    """Return the newest word of every process, by name."""
    return list(session.scalars(select(Heartbeat).order_by(Heartbeat.process)))
