"""What operators tell the agent: notes in force, and freezes that hold changes back."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import ConflictError
from core.tables.decisions import Note

ALL = "*"


def in_force(session: Session, model: str, now: datetime) -> list[Note]:
    """Return the notes about a model or all models that count now, newest first."""
    query = select(Note).where(Note.model.in_((model, ALL)))
    query = query.where(Note.starts_at <= now, Note.ends_at > now)
    return list(session.scalars(query.order_by(Note.id.desc())))


def freeze(session: Session, model: str, now: datetime) -> Note | None:
    """Return the freeze that holds a model's changes back for the longest, or None."""
    frozen = [note for note in in_force(session, model, now) if note.freeze]
    return max(frozen, key=lambda note: note.ends_at, default=None)


def check_freeze(session: Session, model: str, now: datetime) -> None:
    """Raise `ConflictError` where changes of a model are frozen."""
    if note := freeze(session, model, now):
        raise ConflictError(
            f"changes are frozen by {note.author} until {note.ends_at:%Y-%m-%d %H:%M} UTC"
            f" ({note.text}); end the freeze first"
        )
