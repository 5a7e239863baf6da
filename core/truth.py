"""What was true of a prediction: what its sources agree on, for accuracy, arms and training alike.

A source is taken at its newest word. Where two sources say different things the truth is disputed,
and neither counts until a person decides (`core/labels.py`). A label that is no class of the
version that answered is no label.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from core.tables.entities import ModelVersion
from core.tables.telemetry import Label, Prediction

REVIEW = "pilothouse:review"
"""The source of what a person decided about a dispute; no client may name it."""

PEOPLE = "panel:"
"""What the sources of labels that people give in the panel begin with; no client's may."""

Fits = Callable[[type[Label]], list[ColumnElement[bool]]]


def with_label(session: Session, model: str, query: Select[Any]) -> Select[Any]:
    """Join what was true of each prediction."""
    fits = fitting(session, model)
    return query.join(Label, Label.prediction_id == Prediction.id).where(*counting(Label, fits))


def counting(label: type[Label], fits: Fits) -> list[ColumnElement[bool]]:
    """Return the conditions that a label is what was true: at most one per prediction is.

    It is a person's decision, or no other source says anything else; of several that agree, the
    newest counts. `fits` are the conditions that a label is one of a class that is known.
    """
    other = aliased(Label)
    later = or_(other.at > label.at, and_(other.at == label.at, other.source > label.source))
    beaten = exists().where(
        other.prediction_id == label.prediction_id,
        other.source != label.source,
        or_(other.value != label.value, other.source == REVIEW, later),
        *fits(other),
    )
    return [or_(label.source == REVIEW, ~beaten), *fits(label)]


def fitting(session: Session, model: str) -> Fits:
    """Return what says that a label is a class of the version that answered."""
    known = classes_of(session, model)

    def fits(label: type[Label]) -> list[ColumnElement[bool]]:
        return [
            or_(Prediction.version.not_in(versions), label.value.in_(found))
            for found, versions in known
        ]

    return fits


def classes_of(session: Session, model: str) -> list[tuple[tuple[str, ...], list[str]]]:
    """Return each set of classes that versions of a model answer with, and these versions."""
    query = select(ModelVersion.version, ModelVersion.signature["labels"])
    versions: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for version, found in session.execute(query.where(ModelVersion.model == model)):
        if found:
            versions[tuple(found)].append(version)
    return list(versions.items())
