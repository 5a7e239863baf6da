"""Reading the prediction log. Only the shipper writes it: see `core/serving/shipper.py`.

What was true of a prediction, `core/truth.py` says, everywhere the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from core import answers
from core.answers import Stretch
from core.clock import begin_of, hour_of, utc_now
from core.errors import NotFoundError
from core.specs import canonical
from core.tables.entities import ModelVersion, Release
from core.tables.telemetry import HourlyCount, Label, Prediction
from core.truth import classes_of, with_label

MOST_READ = 20_000
"""Labels, and then answers, that one look at what was true reads."""

_HOURS = 24
_SAMPLE = 5_000  # of more answers than that, among which the labelled are counted
_CLOCKS_APART = timedelta(hours=1)  # a label may seem older than its answer by another clock


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
    version: str

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
        for found, versions in classes_of(session, model)
        for version in versions
    }
    return {key: of[model, version] for key, model, version in answered if (model, version) in of}


def recent(session: Session, model: str, limit: int) -> list[Prediction]:
    """Return the newest answers, newest first, of the last hours in which the model was asked.

    The counters say which hours these are, so that a model that nobody asked for weeks costs no
    more than one that is asked now; of very few requests an hour, those of 24 such hours are read.
    """
    name = canonical(model)
    counted = _newest_hours(session, name)
    if not counted:
        return []
    enough = [total < limit for total in accumulate(n for _, n in counted)]
    oldest = counted[min(sum(enough), len(counted) - 1)][0]
    query = _answers(name, version=None, since=begin_of(oldest))
    until = Prediction.at < begin_of(counted[0][0] + 1)
    return list(session.scalars(query.where(until).order_by(Prediction.at.desc()).limit(limit)))


def _newest_hours(session: Session, model: str) -> list[tuple[int, int]]:
    """Return the last hours with answers, and how many, newest first."""
    answered = func.sum(HourlyCount.requests - HourlyCount.errors)
    query = (
        select(HourlyCount.hour, answered)
        .where(HourlyCount.model == model, HourlyCount.variant != "shadow")
        .group_by(HourlyCount.hour)
        .having(answered > 0)
    )
    rows = session.execute(query.order_by(HourlyCount.hour.desc()).limit(_HOURS))
    return [(hour, n) for hour, n in rows]


def labelled(
    session: Session, model: str, *, limit: int, most_read: int = MOST_READ
) -> list[Labelled]:
    """Return the newest predictions whose truth is known, with their inputs, newest first."""
    found = newest_outcomes(session, model, limit=limit, most_read=most_read)
    rows: dict[str, Labelled] = {}
    for start in range(0, len(found), 500):
        ids = [one.id for one in found[start : start + 500]]
        query = with_label(session, model, _among(ids)).add_columns(Label)
        rows |= {row.id: Labelled(row, label) for row, label in session.execute(query)}
    return [rows[one.id] for one in found]


def newest_outcomes(
    session: Session, model: str, *, limit: int, most_read: int = MOST_READ
) -> list[Outcome]:
    """Return the newest answers whose truth is known, newest first.

    They are those of the `most_read` newest labels, and where these are not all labels, those
    among as many of the newest answers.
    """
    of = Stretch(model)
    if few(session, of):
        return _among_answers(session, of, limit, most_read)[:limit]
    rows, first = _behind_labels(session, of, limit, most_read)
    if len(rows) < limit and first is not None:
        rows += _among_answers(session, of, limit, most_read)
    return _newest_first(list({row.id: row for row in rows}.values()))[:limit]


def few(session: Session, of: Stretch) -> bool:
    """Say whether a stretch has so few answers that these are read rather than newest labels."""
    return sum(answers.hours(session, of).values()) <= MOST_READ


def label_counts(session: Session, model: str, *, since: datetime) -> tuple[int, int]:
    """Return how many answers have a label, and how many there are, since the hour of `since`.

    Of more than 20,000 answers, those with a label are estimated through a sample of 5,000.
    """
    recent = and_(HourlyCount.model == model, HourlyCount.hour >= hour_of(since))
    versions = session.scalars(select(HourlyCount.version).where(recent).distinct())
    stretches = [Stretch.of(model, version, since, None) for version in versions]
    counted = [(of, answers.hours(session, of)) for of in stretches]
    answered = sum(sum(hours.values()) for _, hours in counted)
    share = _SAMPLE / answered if answered > MOST_READ else 1.0
    read = known = 0
    for of, hours in counted:
        drawn = answers.by_hour(of, hours, share=share)
        read += answers.count(session, drawn)
        among = with_label(session, model, answers.joined(select(Prediction), drawn))
        known += session.scalar(among.with_only_columns(func.count())) or 0
    return (round(answered * known / read) if read else 0), answered


def outcomes(
    session: Session, model: str, version: str, *, since: datetime, until: datetime, limit: int
) -> list[Outcome]:
    """Return the newest answers from `since` until `until` whose truth is known, newest first.

    The cost is bounded: of many answers, they are looked for behind the newest labels, and where
    these do not reach back as far, among the newest answers. So it may be fewer than `limit`, but
    no label of any answer as new as the oldest one returned is left out.
    """
    of = Stretch.of(model, version, since, until)
    if few(session, of):
        return _among_answers(session, of, limit, MOST_READ)[:limit]
    rows, first = _behind_labels(session, of, limit, MOST_READ)
    if first is not None:
        rows = [row for row in rows if row.at >= first]
        if len(rows) < limit:
            rows = max(rows, _among_answers(session, of, limit, MOST_READ), key=len)
    return rows[:limit]


def truths(session: Session, model: str, prediction_ids: Sequence[str]) -> dict[str, Outcome]:
    """Return what was true of these answers, where that is known, by prediction id."""
    rows = session.execute(_outcomes(session, model, _among(prediction_ids)))
    return {row.id: Outcome(*row) for row in rows}


def inputs(session: Session, prediction_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what was asked, by prediction id."""
    query = select(Prediction.id, Prediction.input).where(Prediction.id.in_(prediction_ids))
    return {key: given for key, given in session.execute(query)}


def _among(prediction_ids: Sequence[str]) -> Select[Any]:
    return select(Prediction).where(Prediction.id.in_(prediction_ids), ~Prediction.is_shadow)


def _newest_first(rows: list[Outcome]) -> list[Outcome]:
    return sorted(rows, key=lambda row: (row.at, row.id), reverse=True)


def _behind_labels(
    session: Session, of: Stretch, limit: int, most_read: int
) -> tuple[list[Outcome], datetime | None]:
    """Return the newest outcomes behind the newest labels.

    The second value is since when these tell of every answer; None: there are no other labels.
    """
    newest = select(Label.prediction_id, Label.at).order_by(Label.at.desc()).limit(most_read)
    if of.after is not None:
        newest = newest.where(Label.at >= of.after[0] - _CLOCKS_APART)
    found = newest.subquery()
    n, first = session.execute(select(func.count(), func.min(found.c.at))).one()
    ours = of.inside(answers.by_id(of, select(found.c.prediction_id)))
    known = _outcomes(session, of.model, answers.joined(select(Prediction), ours)).cte()
    known = known.prefix_with("MATERIALIZED")  # before they are put in order: see `answers`
    rows = select(known).order_by(known.c.at.desc(), known.c.id.desc()).limit(limit)
    return [Outcome(*row) for row in session.execute(rows)], first if n == most_read else None


def _among_answers(session: Session, of: Stretch, limit: int, most_read: int) -> list[Outcome]:
    """Return the outcomes among the newest answers, newest first."""
    rows: list[Outcome] = []
    for part in answers.newest(session, of, most_read):
        query = _outcomes(session, of.model, answers.joined(select(Prediction), part))
        rows += _newest_first([Outcome(*row) for row in session.execute(query)])
        if len(rows) >= limit:
            break
    return rows


def _outcomes(
    session: Session, model: str, query: Select[Any]
) -> Select[str, datetime, str, float, str, datetime, str]:
    of = (Prediction.id, Prediction.at, Prediction.label.label("said"), Prediction.probability)
    told = (Label.value.label("truth"), Label.at.label("told_at"), Prediction.version)
    return with_label(session, model, query).with_only_columns(*of, *told)


def labels_since(session: Session, model: str, moment: datetime) -> int:
    """Count the predictions whose truth became known after `moment`."""
    answers = _answers(model, version=None, since=None)
    query = with_label(session, model, answers).where(Label.at > moment, _labelled_since(moment))
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
    query = with_label(session, model, answers)
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
    known = with_label(session, model, select(Prediction).where(ours))
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


def _positive(session: Session, model: str) -> str:
    query = select(ModelVersion.signature).filter_by(model=model)
    signature = session.scalars(query.order_by(ModelVersion.number.desc()).limit(1)).first()
    return str((signature or {}).get("positive", ""))
