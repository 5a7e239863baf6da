"""Asking people for the truth of some answers, where too few labels come by themselves.

The answers are drawn at random from the last week of the version that serves, so that what is
learnt from them holds for all; those that have a label already are left out.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core import answers, releases
from core.access import Actor
from core.answers import Stretch
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.ids import new_id
from core.tables.decisions import LabelRequest
from core.tables.telemetry import Label, Prediction

LOOK_BACK = timedelta(days=7)
FEWEST, MOST = 10, 5_000
_SPARE = 3, 30  # so many times the wanted answers are looked at: some have a label already


def open_in(command: Command, *, model: str, rows: int, reason: str) -> LabelRequest:
    """Draw answers whose truth is asked for, inside a command; one request of a model is open.

    Raises: InvalidInputError (rows); NotFoundError (nothing is released); ConflictError (a request
    is open, or no answer without a label is left).
    """
    session = command.session
    if not FEWEST <= rows <= MOST:
        raise InvalidInputError(f"ask for {FEWEST} to {MOST:,} labels")
    if known := open_of(session, model):
        raise ConflictError(
            f"{len(known.prediction_ids)} labels of {model} are asked for already since"
            f" {known.at:%Y-%m-%d %H:%M} UTC"
        )
    version = releases.champion(releases.current(session, model))
    drawn = _draw(session, model, version, rows, command.now)
    if not drawn:
        raise ConflictError(f"{model} {version} has no answer of the last week without a label")
    row = LabelRequest(
        id=new_id(command.now),
        model=model,
        version=version,
        state="open",
        prediction_ids=drawn,
        reason=reason,
        author=command.actor.name,
        at=command.now,
    )
    command.session.add(row)
    command.note(model=model, label_request=row.id, rows=len(drawn))
    return row


def close_in(command: Command, request_id: str, *, because: str) -> LabelRequest:
    """End a request inside a command; labels that were given stay. Raises: ConflictError."""
    query = select(LabelRequest).filter_by(id=request_id).with_for_update()
    row = command.session.scalars(query).first() or get(command.session, request_id)
    command.note(model=row.model, label_request=row.id, reason=because)
    check_open(row)
    row.state, row.closed_at, row.closed_because = "closed", command.now, because
    return row


def check_open(row: LabelRequest) -> None:
    """Raise `ConflictError` once a request is closed."""
    if row.state != "open":
        raise ConflictError(f"this request is closed already: {row.closed_because}")


def close(db: Database, actor: Actor, request_id: str, *, reason: str) -> LabelRequest:
    """End a request by hand. Raises: InvalidInputError (no reason), and what `close_in` raises."""
    with db.command(actor, "label_request.close") as command:
        if not reason.strip():
            raise InvalidInputError("say why no more labels are needed")
        return close_in(command, request_id, because=reason.strip())


def get(session: Session, request_id: str) -> LabelRequest:
    """Return a request. Raises: NotFoundError."""
    if row := session.get(LabelRequest, request_id):
        return row
    raise NotFoundError(f"there is no request for labels {request_id}")


def open_of(session: Session, model: str) -> LabelRequest | None:
    """Return the open request of a model, or None."""
    query = select(LabelRequest).filter_by(model=model, state="open")
    return session.scalars(query.order_by(LabelRequest.id.desc())).first()


def given(session: Session, request: LabelRequest) -> int:
    """Count the answers of a request that have a label by now, whoever gave it."""
    return len(_labelled(session, request.prediction_ids))


def unlabelled(session: Session, request: LabelRequest, limit: int) -> list[Prediction]:
    """Return the first answers of a request that wait for a label, in the order of the draw."""
    known = _labelled(session, request.prediction_ids)
    ids = [key for key in request.prediction_ids if key not in known][:limit]
    query = select(Prediction).where(Prediction.id.in_(ids), ~Prediction.is_shadow)
    rows = {row.id: row for row in session.scalars(query)}
    return [rows[key] for key in ids if key in rows]


def _labelled(session: Session, prediction_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(prediction_ids), 500):
        some = prediction_ids[start : start + 500]
        found |= set(
            session.scalars(select(Label.prediction_id).where(Label.prediction_id.in_(some)))
        )
    return found


def _draw(session: Session, model: str, version: str, rows: int, now: datetime) -> list[str]:
    """Return answers in the order of their random sample key, none of them labelled."""
    of = Stretch.of(model, version, now - LOOK_BACK, now)
    hours = answers.hours(session, of)
    n = sum(hours.values())
    drawn: list[str] = []
    for spare in _SPARE:
        part = answers.by_hour(of, hours, share=min(1.0, spare * rows / n) if n else 1.0)
        key, prediction_id = part.selected_columns.sample_key, part.selected_columns.id
        known = exists().where(Label.prediction_id == prediction_id)
        found = session.execute(part.where(~known).order_by(key).limit(rows))
        drawn = [row.id for row in found]
        if len(drawn) == rows:
            break
    return drawn
