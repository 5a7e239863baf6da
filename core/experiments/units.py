"""Who met which arm: traffic is split by user, so users are counted and not their predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, select
from sqlalchemy.orm import Session, aliased

from core.tables.entities import Release
from core.tables.telemetry import Label, Prediction
from core.truth import counting


@dataclass(frozen=True)
class Units:
    """The units of one arm; a user is one, and so is a prediction without a user.

    `assigned` units met the arm, `labelled` of them have an outcome. With n outcomes and s right
    ones per labelled unit, `nn`, `ns` and `ss` are the sums of n * n, n * s and s * s.
    """

    assigned: int
    labelled: int
    nn: int
    ns: int
    ss: int


@dataclass(frozen=True)
class Counted:
    """One arm: predictions, those whose truth is known, right ones of these, and their units."""

    predictions: int
    labelled: int
    correct: int
    units: Units


@dataclass(frozen=True)
class Pairs:
    """Requests that two versions answered, and the users behind them.

    `n` of them have a known outcome; the rest says who was right on these. In `units` s is how much
    oftener the second was right than the first; None where each request is its own.
    """

    answered: int
    users: int
    n: int
    first_right: int
    second_right: int
    only_first: int
    only_second: int
    units: Units | None = None


_UNIT = func.coalesce(func.nullif(Prediction.entity_id, ""), Prediction.id)
"""What the serving process assigned by: the user, else the prediction itself."""

NOTHING = Counted(0, 0, 0, Units(0, 0, 0, 0, 0))


def count(
    session: Session, model: str, experiment_id: str, labels: Sequence[str], *, since_seq: int = 0
) -> dict[str, Counted]:
    """Return the arms of an experiment by variant, summed up per unit by the database.

    Releases before `since_seq` are left out: they split the traffic otherwise.

    A prediction counts by what its sources agree on (see `core.truth`); a label outside
    `labels` (the model's classes; none: all count) is no label.
    """
    ours = _of_experiment(session, model, experiment_id, since_seq)
    if ours is None:
        return {}
    units = _per_unit(labels).where(*ours)
    return {
        variant: Counted(int(answered), int(n), int(s), Units(*map(int, of_units)))
        for variant, answered, n, s, *of_units in session.execute(_summed(units.subquery()))
    }


def count_classes(
    session: Session, model: str, experiment_id: str, labels: Sequence[str], *, since_seq: int = 0
) -> dict[str, dict[tuple[str, str], int]]:
    """Return by variant (control, treatment, shadow) how often (answer, truth) came together."""
    ours = _of_experiment(session, model, experiment_id, since_seq, shadows=True)
    if ours is None:
        return {}
    truth, found = _truths(labels).subquery(), dict[str, dict[tuple[str, str], int]]()
    cell = (Prediction.variant, Prediction.label, truth.c.value)
    query = select(*cell, func.count()).join(truth, truth.c.prediction_id == Prediction.id)
    for variant, said, true, n in session.execute(query.where(*ours).group_by(*cell)):
        found.setdefault(variant, {})[said, true] = n
    return found


def count_pairs(
    session: Session, model: str, experiment_id: str, version: str, labels: Sequence[str]
) -> Pairs:
    """Return how the answers of an experiment compare with those of `version` in its shadow."""
    ours = _of_experiment(session, model, experiment_id, 0)
    if ours is None:
        return Pairs(0, 0, 0, 0, 0, 0, 0)
    beside, truth = aliased(Prediction), _truths(labels).subquery()
    both = and_(beside.id == Prediction.id, beside.is_shadow, beside.version == version)
    first = case((truth.c.value == Prediction.label, 1), else_=0)
    second = case((truth.c.value == beside.label, 1), else_=0)
    sums = (first, second, first * (1 - second), second * (1 - first))
    names = ("first", "second", "only_first", "only_second")
    query = (
        select(
            func.count().label("answered"),
            func.count(truth.c.prediction_id).label("n"),
            *[func.sum(one).label(name) for one, name in zip(sums, names, strict=True)],
        )
        .select_from(Prediction)
        .join(beside, both)
        .outerjoin(truth, truth.c.prediction_id == Prediction.id)
        .group_by(_UNIT)
    )
    return _pairs(session, query.where(*ours).subquery())


def _pairs(session: Session, per: Subquery) -> Pairs:
    """Sum up what each unit saw of both versions."""
    gap, of = per.c.only_second - per.c.only_first, per.c.n
    seen = (per.c.answered, of, per.c.first, per.c.second, per.c.only_first, per.c.only_second)
    varies = (case((of > 0, 1), else_=0), of * of, of * gap, gap * gap)
    sums = [func.coalesce(func.sum(one), 0) for one in (*seen, *varies)]
    found = session.execute(select(func.count(), *sums).select_from(per)).one()
    users, answered, n, first, second, only_first, only_second, *spread = map(int, found)
    units = Units(users, *spread)
    return Pairs(answered, users, n, first, second, only_first, only_second, units)


def _of_experiment(
    session: Session, model: str, experiment_id: str, since_seq: int, *, shadows: bool = False
) -> list[ColumnElement[bool]] | None:
    """Return the conditions of the answers to clients, or of all; None where it never started."""
    released = select(Release.seq, Release.at).filter_by(model=model, experiment_id=experiment_id)
    found = session.execute(released.where(Release.seq >= since_seq)).all()
    if not found:
        return None
    return [
        Prediction.model == model,
        Prediction.release_seq.in_([seq for seq, _ in found]),
        Prediction.at >= min(at for _, at in found),  # the key leads with time
        *([] if shadows else [~Prediction.is_shadow]),
    ]


def _per_unit(labels: Sequence[str]) -> Select[str, int, int, Any]:
    """Return predictions, outcomes `n` and right ones `s` per unit and arm."""
    truth = _truths(labels).subquery()
    query = select(
        Prediction.variant,
        func.count().label("answered"),
        func.count(truth.c.prediction_id).label("n"),
        func.sum(case((truth.c.value == Prediction.label, 1), else_=0)).label("s"),
    )
    joined = query.outerjoin(truth, truth.c.prediction_id == Prediction.id)
    return joined.group_by(Prediction.variant, _UNIT)


def _truths(labels: Sequence[str]) -> Select[str, str]:
    """Return what was true of each prediction where that is known."""

    def fits(label: type[Label]) -> list[ColumnElement[bool]]:
        return [label.value.in_(labels)] if labels else []

    return select(Label.prediction_id, Label.value).where(*counting(Label, fits))


def _summed(per: Subquery) -> Select[Any]:
    n, s = per.c.n, per.c.s
    labelled = case((n > 0, 1), else_=0)
    columns = (per.c.answered, n, s), (labelled, n * n, n * s, s * s)
    sums = [[func.sum(column) for column in group] for group in columns]
    return select(per.c.variant, *sums[0], func.count(), *sums[1]).group_by(per.c.variant)
