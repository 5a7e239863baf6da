"""What sources say was true: where they dispute each other, and how a person decides it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from core import answers, predictions
from core.access import Actor
from core.answers import Stretch
from core.datasets.values import category
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError
from core.predictions import MOST_READ
from core.tables.telemetry import EarlierLabel, Label, Prediction
from core.truth import PEOPLE, REVIEW, fitting


@dataclass(frozen=True, slots=True)
class Word:
    """What one source says of a prediction since when, and what it said before, oldest first."""

    source: str
    value: str
    at: datetime
    earlier: tuple[tuple[str, datetime], ...]

    def __str__(self) -> str:
        """Say it in a few words."""
        before = "".join(f", {value} before" for value, _ in self.earlier)
        return f"{self.source}: {self.value}{before}"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A prediction of which two sources say different things."""

    prediction: Prediction
    words: list[Word]


def disputes(session: Session, model: str, *, limit: int = 50) -> list[Dispute]:
    """Return the predictions that wait for a decision, the newest first; see `disputed`."""
    newest = sorted(_disputed(session, model), reverse=True)[:limit]
    ids = [prediction_id for _, prediction_id in newest]
    query = select(Prediction).where(Prediction.id.in_(ids), ~Prediction.is_shadow)
    rows = {row.id: row for row in session.scalars(query)}
    words = said(session, ids)
    return [Dispute(rows[key], words[key]) for key in ids]


def disputed(session: Session, model: str) -> int:
    """Count the predictions that wait for a decision.

    The cost is bounded: they are looked for behind the 20,000 newest labels, and where there are
    more, among as many of the newest answers too.
    """
    return len(_disputed(session, model))


def said(session: Session, prediction_ids: Sequence[str]) -> dict[str, list[Word]]:
    """Return what each source says of each prediction; a person's decision is one of them."""
    earlier: dict[tuple[str, str], list[tuple[str, datetime]]] = defaultdict(list)
    before = select(EarlierLabel).where(EarlierLabel.prediction_id.in_(prediction_ids))
    for old in session.scalars(before.order_by(EarlierLabel.at)):
        earlier[old.prediction_id, old.source].append((old.value, old.at))
    found: dict[str, list[Word]] = {key: [] for key in prediction_ids}
    now = select(Label).where(Label.prediction_id.in_(prediction_ids)).order_by(Label.source)
    for row in session.scalars(now):
        past = tuple(earlier[row.prediction_id, row.source])
        found[row.prediction_id].append(Word(row.source, row.value, row.at, past))
    return found


def resolve(
    db: Database, actor: Actor, prediction_id: str, value: str, *, reason: str
) -> Prediction:
    """Decide what was true of a prediction whose sources disagree; decided again, it is replaced.

    The decision stands whatever its sources say later.

    Raises: ForbiddenError; NotFoundError; InvalidInputError (no class of the version that
    answered, no reason); ConflictError (there is no dispute).
    """
    with db.command(actor, "label.resolve") as command:
        session, value = command.session, category(value) or ""
        command.note(prediction=prediction_id, value=value, reason=reason)
        row = predictions.get(session, prediction_id)
        words = said(session, [row.id])[row.id]
        command.note(model=row.model, before=[str(word) for word in words])
        _check(session, row, words, value, reason)
        _write(command, row.id, REVIEW, value)
        return row


def tell(db: Database, actor: Actor, prediction_id: str, value: str) -> Prediction:
    """Write down what a person says was true of a prediction; said again, it is replaced.

    It is one more source: where another says something else, both wait for a decision.

    Raises: ForbiddenError; NotFoundError; InvalidInputError (no class of that version).
    """
    with db.command(actor, "label.tell") as command:
        session, value = command.session, category(value) or ""
        command.note(prediction=prediction_id, value=value)
        row = predictions.get(session, prediction_id)
        command.note(model=row.model)
        _check_class(session, row, value)
        _write(command, row.id, PEOPLE + command.actor.name, value)
        return row


def _check_class(session: Session, row: Prediction, value: str) -> set[str]:
    classes = predictions.classes(session, [row.id]).get(row.id) or {row.label}
    if value not in classes:
        raise InvalidInputError(f"the label is one of {', '.join(sorted(classes))}")
    return classes


def _check(
    session: Session, row: Prediction, words: Sequence[Word], value: str, reason: str
) -> None:
    if not reason.strip():
        raise InvalidInputError("say why: the reason is kept on record")
    classes = _check_class(session, row, value)
    sides = {word.value for word in words if word.source != REVIEW and word.value in classes}
    if len(sides) < 2 and all(word.source != REVIEW for word in words):
        raise ConflictError("the sources of this label do not disagree; there is no dispute")


def _write(command: Command, prediction_id: str, source: str, value: str) -> None:
    session, now = command.session, command.now
    key = {"prediction_id": prediction_id, "source": source}
    before = session.get(Label, (prediction_id, source), with_for_update=True)
    if before is None:
        session.add(Label(**key, value=value, state="confirmed", at=now))
    elif before.value != value:
        session.merge(EarlierLabel(**key, at=before.at, value=before.value))
        before.value, before.at = value, now


def _disputed(session: Session, model: str) -> set[answers.Position]:
    words = select(Label.prediction_id, Label.source, Label.value)
    newest = words.order_by(Label.at.desc()).limit(MOST_READ)
    queries = [] if predictions.few(session, Stretch(model)) else [newest]
    n = session.scalar(select(func.count()).select_from(newest.subquery()))
    if n == MOST_READ or not queries:
        for part in answers.newest(session, Stretch(model), MOST_READ):
            keys = part.subquery()
            queries.append(words.join(keys, keys.c.id == Label.prediction_id))
    found = (session.execute(_apart(session, model, query)) for query in queries)
    return {(at, key) for rows in found for at, key in rows}


def _apart(session: Session, model: str, newest: Select[str, str, str]) -> Select[datetime, str]:
    """Return the answers of which one of these labels and another say different things.

    The labels are compared first, by themselves: few are apart, and the log has more answers.
    """
    fits = fitting(session, model)
    some, other, one, review = newest.subquery(), aliased(Label), aliased(Label), aliased(Label)
    elsewhere = and_(
        other.prediction_id == some.c.prediction_id,
        other.source != some.c.source,
        other.value != some.c.value,
    )
    ids = select(some.c.prediction_id).join(other, elsewhere).distinct().subquery()
    apart = and_(
        other.prediction_id == one.prediction_id,
        other.source > one.source,
        other.value != one.value,
        *fits(other),
    )
    disagree = select(one.prediction_id).join(other, apart)
    decided = exists().where(
        review.prediction_id == Prediction.id, review.source == REVIEW, *fits(review)
    )
    answered = answers.by_id(Stretch(model), select(ids.c.prediction_id))
    return answers.joined(select(Prediction.at, Prediction.id), answered).where(
        disagree.where(one.prediction_id == Prediction.id, *fits(one)).exists(), ~decided
    )
