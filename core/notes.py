"""What operators tell the agent: notes in force, and freezes that hold changes back."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import specs
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.ids import new_id
from core.tables.decisions import Note

ALL = "*"
LONGEST_TEXT = 500
MOST_HOURS, MOST_FROZEN_HOURS = 720, 168


def write(
    db: Database, actor: Actor, *, model: str, text: str, freeze: bool = False, hours: float
) -> Note:
    """Tell the agent something about a model, or about all ("*"), for some hours from now.

    Raises: ForbiddenError; NotFoundError (no such model); InvalidInputError (no text, too long a
    one, hours out of range).
    """
    with db.command(actor, "note.write") as command:
        return write_in(command, model=model, text=text, freeze=freeze, hours=hours)


def write_in(
    command: Command,
    *,
    model: str,
    text: str,
    freeze: bool,
    hours: float,
    author: str | None = None,
) -> Note:
    """Do what `write` does inside a command; `author` is who approved it, where nobody wrote it."""
    name = model if model == ALL else specs.active(command.session, model).name
    row = Note(
        id=new_id(command.now),
        model=name,
        freeze=freeze,
        text=_checked(text),
        author=author or command.actor.name,
        starts_at=command.now,
        ends_at=command.now + timedelta(hours=_hours(hours, freeze)),
        at=command.now,
    )
    command.session.add(row)
    command.session.flush()
    command.note(model=name, reason=row.text, note=row.id, freeze=freeze)
    command.note(ends_at=row.ends_at.isoformat())
    return row


def end(db: Database, actor: Actor, note_id: str) -> Note:
    """End a note, and what it freezes, now. Raises: ForbiddenError, and as `end_in`."""
    with db.command(actor, "note.end") as command:
        return end_in(command, note_id)


def end_in(command: Command, note_id: str) -> Note:
    """Do what `end` does inside a command. Raises: NotFoundError; ConflictError (it is over)."""
    row = get(command.session, note_id, lock=True)
    command.note(model=row.model, note=row.id, freeze=row.freeze)
    check_counts(row, command.now)
    row.ends_at, row.ended_by = command.now, command.actor.name
    return row


def get(session: Session, note_id: str, *, lock: bool = False) -> Note:
    """Return a note. Raises: NotFoundError."""
    query = select(Note).filter_by(id=note_id)
    if row := session.scalars(query.with_for_update() if lock else query).first():
        return row
    raise NotFoundError(f"there is no note {note_id[:40]}")


def check_counts(row: Note, now: datetime) -> None:
    """Raise `ConflictError` once a note is over."""
    if over := _over(row, now):
        raise ConflictError(f"this {'freeze' if row.freeze else 'note'} {over} already")


def _over(row: Note, now: datetime) -> str:
    """Say how a note ended; empty while it counts."""
    if row.ended_by is not None:
        return f"was ended by {row.ended_by}"
    return "has run out" if now >= row.ends_at else ""


def _checked(text: str) -> str:
    said = text.strip()
    if not said:
        raise InvalidInputError("say in a few words what the agent should know")
    if len(said) > LONGEST_TEXT:
        raise InvalidInputError(f"a note has at most {LONGEST_TEXT} characters")
    return said


def _hours(hours: float, freeze: bool) -> float:
    most = MOST_FROZEN_HOURS if freeze else MOST_HOURS
    if not 0 < hours <= most:
        what = "a freeze" if freeze else "a note"
        raise InvalidInputError(f"{what} lasts more than 0 hours and at most {most}")
    return hours


def in_force(session: Session, model: str | None, now: datetime) -> list[Note]:
    """Return the notes that count now, newest first: those about a model or all, or every one."""
    query = select(Note).where(Note.starts_at <= now, Note.ends_at > now)
    if model is not None:
        query = query.where(Note.model.in_((model, ALL)))
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
