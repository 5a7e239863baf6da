"""Reading the prediction log. Only the shipper writes it: see `core/serving/shipper.py`.

What was true of a prediction is what its sources agree on, everywhere the same: for accuracy, arms
and training. A source is taken at its newest word. Where two sources say different things the truth
is disputed, and neither counts until a person decides (`core/labels.py`). A label that is no class
of the version that answered is no label.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from core.clock import hour_of, utc_now
from core.errors import NotFoundError
from core.tables.entities import ModelVersion, Release
from core.tables.telemetry import HourlyCount, Label, Prediction

REVIEW = "pilothouse:review"
"""The source of what a person decided about a dispute; no client may name it."""

_MOST_READ = 20_000  # labels, or answers, that one look at outcomes reads
_CLOCKS_APART = timedelta(hours=1)  # a label may seem older than its answer by another clock

Fits = Callable[[type[Label]], list[ColumnElement[bool]]]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A prediction whose truth is known."""

    prediction: Prediction
    label: Label

    @property
    def correct(self) -> bool:
        """Whether the prediction was right."""
        return self.prediction.label == self.label.value


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered, what was true, and since when that is known; without the input."""

    id: str
    at: datetime
    said: str
    probability: float
    truth: str
    told_at: datetime

    @property
    def correct(self) -> bool:
        """Whether the answer was right."""
        return self.said == self.truth


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often labelled predictions were right, counted per outcome."""

    n: int
    correct: int
    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def accuracy(self) -> float | None:
        """Share of right answers; None without labels."""
        return self.correct / self.n if self.n else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn); None without any.

        >>> Accuracy(n=10, correct=8, tp=3, fp=1, fn=1, tn=5).f1
        0.75
        """
        whole = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / whole if whole else None


def get(session: Session, prediction_id: str) -> Prediction:
    """Return one answered prediction. Raises: NotFoundError."""
    query = select(Prediction).where(Prediction.id == prediction_id, ~Prediction.is_shadow)
    if row := session.scalars(query).first():
        return row
    raise NotFoundError("there is no prediction with this id")


def classes(session: Session, prediction_ids: Sequence[str]) -> dict[str, set[str]]:
    """Return, per stored prediction, the classes of the version that answered."""
    ids = Prediction.id.in_(prediction_ids)
    query = select(Prediction.id, Prediction.model, Prediction.version).where(
        ids, ~Prediction.is_shadow
    )
    answered = session.execute(query).all()
    of = {
        (model, version): set(found)
        for model in {model for _, model, _ in answered}
        for found, versions in _classes(session, model)
        for version in versions
    }
    return {key: of[model, version] for key, model, version in answered if (model, version) in of}


def window(
    session: Session,
    model: str,
    version: str,
    *,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Prediction]:
    """Return answers of a version behind the prediction `after` = (at, id), oldest first."""
    query = _answers(model, version=version, since=None)
    if after is not None:
        at, last = literal(after[0], Prediction.at.type), literal(after[1])
        query = query.where(tuple_(Prediction.at, Prediction.id) > tuple_(at, last))
    query = query.order_by(Prediction.at, Prediction.id).limit(limit)
    return list(session.scalars(query))


def recent(session: Session, model: str, limit: int) -> list[Prediction]:
    """Return the newest answers, newest first."""
    query = _answers(model, version=None, since=None)
    return list(session.scalars(query.order_by(Prediction.at.desc()).limit(limit)))


def labelled(
    session: Session,
    model: str,
    *,
    version: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
    shadow: bool = False,
) -> list[Labelled]:
    """Return predictions whose truth is known, the newest prediction first."""
    query = _answers(model, version=version, since=since, shadow=shadow)
    query = _with_label(session, model, query).add_columns(Label).order_by(Prediction.at.desc())
    rows: Sequence[Any] = session.execute(query.limit(limit)).all()
    return [Labelled(prediction, label) for prediction, label in rows]


def outcomes(
    session: Session, model: str, version: str, *, since: datetime, until: datetime, limit: int
) -> list[Outcome]:
    """Return the newest answers from `since` until `until` whose truth is known, newest first.

    The cost is bounded: they are looked for behind the newest labels, and where these are so many
    that they do not reach back as far, behind the newest answers. So it may be fewer than `limit`,
    but no label of any answer as new as the oldest one returned is left out.
    """
    rows, whole = _behind_labels(session, model, version, since, until)
    if len(rows) < limit and not whole:
        first = _newest_answers_from(session, model, version, until) or since
        query = _answers(model, version=version, since=max(since, first))
        more = _outcomes(session, model, query.where(Prediction.at <= until))
        rows = max(rows, more, key=len)
    return sorted(rows, key=lambda row: (row.at, row.id), reverse=True)[:limit]


def truths(session: Session, model: str, prediction_ids: Sequence[str]) -> dict[str, Outcome]:
    """Return what was true of these answers, where that is known, by prediction id."""
    query = select(Prediction).where(Prediction.id.in_(prediction_ids), ~Prediction.is_shadow)
    return {row.id: row for row in _outcomes(session, model, query)}


def inputs(session: Session, prediction_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what was asked, by prediction id."""
    query = select(Prediction.id, Prediction.input).where(Prediction.id.in_(prediction_ids))
    return {key: given for key, given in session.execute(query)}


def _behind_labels(
    session: Session, model: str, version: str, since: datetime, until: datetime
) -> tuple[list[Outcome], bool]:
    """Return the outcomes among the newest labels, as far back as these tell of every answer.

    The second value says that this is all there are.
    """
    newest = select(Label.prediction_id, Label.at).where(Label.at >= since - _CLOCKS_APART)
    newest = newest.order_by(Label.at.desc()).limit(_MOST_READ)
    found = newest.subquery()
    n, first = session.execute(select(func.count(), func.min(found.c.at))).one()
    # no range of time in the words: databases would begin to read there, at the whole log
    query = _answers(model, version=version, since=None)
    query = query.where(Prediction.id.in_(select(found.c.prediction_id)))
    start = since if n < _MOST_READ else max(since, first)
    rows = [row for row in _outcomes(session, model, query) if start <= row.at <= until]
    return rows, n < _MOST_READ


def _newest_answers_from(
    session: Session, model: str, version: str, until: datetime
) -> datetime | None:
    """Return when the newest answers until `until` begin that may be read; None: read them all."""
    query = _answers(model, version=version, since=None).where(Prediction.at <= until)
    query = query.with_only_columns(Prediction.at).order_by(Prediction.at.desc())
    return session.scalar(query.offset(_MOST_READ).limit(1))


def _outcomes(session: Session, model: str, query: Select[Any]) -> list[Outcome]:
    of = (Prediction.id, Prediction.at, Prediction.label, Prediction.probability)
    known = _with_label(session, model, query).with_only_columns(*of, Label.value, Label.at)
    return [Outcome(*row) for row in session.execute(known)]


def labels_since(session: Session, model: str, moment: datetime) -> int:
    """Count the predictions whose truth became known after `moment`."""
    answers = _answers(model, version=None, since=None)
    query = _with_label(session, model, answers).where(Label.at > moment, _labelled_since(moment))
    return session.scalar(query.with_only_columns(func.count())) or 0


def accuracy(
    session: Session,
    model: str,
    *,
    version: str | None = None,
    since: datetime | None = None,
    positive: str | None = None,
    shadow: bool = False,
) -> Accuracy:
    """Count right and wrong answers; the positive class is the newest version's unless given."""
    wanted = positive if positive is not None else _positive(session, model)
    answers = _answers(model, version=version, since=since, shadow=shadow)
    if since is not None:
        answers = answers.where(_labelled_since(since - _CLOCKS_APART))
    query = _with_label(session, model, answers)
    counts = _confusion(session, query, wanted)
    return Accuracy(
        n=sum(n for *_, n in counts),
        correct=sum(n for _, _, right, n in counts if right),
        tp=sum(n for said, true, _, n in counts if said and true),
        fp=sum(n for said, true, _, n in counts if said and not true),
        fn=sum(n for said, true, _, n in counts if not said and true),
        tn=sum(n for said, true, _, n in counts if not said and not true),
    )


def _confusion(
    session: Session, query: Select[Any], positive: str
) -> list[tuple[bool, bool, bool, int]]:
    """Return (said positive, is positive, right, how many) per pair of answer and truth."""
    pair = (Prediction.label, Label.value)
    rows = session.execute(query.with_only_columns(*pair, func.count()).group_by(*pair))
    return [(said == positive, true == positive, said == true, n) for said, true, n in rows]


def arm_counts(session: Session, model: str, release_seq: int) -> dict[str, tuple[int, int, int]]:
    """Return per variant of one release: predictions, labelled ones, and right ones of these."""
    release = session.get(Release, (model, release_seq))
    since = release.at if release else None  # the key leads with time: this bounds the read
    ours = and_(Prediction.release_seq == release_seq, *_conditions(model, None, since))
    all_rows = select(Prediction.variant, func.count()).where(ours).group_by(Prediction.variant)
    grouping = (Prediction.variant, Prediction.label, Label.value)
    known = _with_label(session, model, select(Prediction).where(ours))
    query = known.with_only_columns(*grouping, func.count())
    labels = [
        (variant, said == true, n)
        for variant, said, true, n in session.execute(query.group_by(*grouping))
    ]
    return {
        variant: (
            n,
            sum(count for name, _, count in labels if name == variant),
            sum(count for name, correct, count in labels if name == variant and correct),
        )
        for variant, n in session.execute(all_rows)
    }


def volume(
    session: Session, model: str, hours: int, *, now: datetime | None = None
) -> list[HourlyCount]:
    """Return the hourly counters of the last `hours` hours, oldest first."""
    first = hour_of(now or utc_now()) - hours + 1
    query = select(HourlyCount).where(HourlyCount.model == model, HourlyCount.hour >= first)
    return list(session.scalars(query.order_by(HourlyCount.hour, HourlyCount.version)))


def _answers(
    model: str, *, version: str | None, since: datetime | None, shadow: bool = False
) -> Select[Any]:
    wanted = Prediction.is_shadow if shadow else ~Prediction.is_shadow
    return select(Prediction).where(wanted, *_conditions(model, version, since))


def _conditions(
    model: str, version: str | None, since: datetime | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [Prediction.model == model]
    if version is not None:
        conditions.append(Prediction.version == version)
    if since is not None:
        conditions.append(Prediction.at >= since)
    return conditions


def _labelled_since(moment: datetime) -> ColumnElement[bool]:
    """Return a condition that holds for every answer of which something was said since.

    It changes no result, only where databases begin to read: labels are few, answers are not.
    """
    return Prediction.id.in_(select(Label.prediction_id).where(Label.at >= moment))


def _with_label(session: Session, model: str, query: Select[Any]) -> Select[Any]:
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
    known = _classes(session, model)

    def fits(label: type[Label]) -> list[ColumnElement[bool]]:
        return [
            or_(Prediction.version.not_in(versions), label.value.in_(found))
            for found, versions in known
        ]

    return fits


def _classes(session: Session, model: str) -> list[tuple[tuple[str, ...], list[str]]]:
    """Return each set of classes that versions of a model answer with, and these versions."""
    query = select(ModelVersion.version, ModelVersion.signature["labels"])
    versions: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for version, found in session.execute(query.where(ModelVersion.model == model)):
        if found:
            versions[tuple(found)].append(version)
    return list(versions.items())


def _positive(session: Session, model: str) -> str:
    query = select(ModelVersion.signature).filter_by(model=model)
    signature = session.scalars(query.order_by(ModelVersion.number.desc()).limit(1)).first()
    return str((signature or {}).get("positive", ""))
