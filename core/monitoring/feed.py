"""The newest answers of a model, read at a cost that does not grow with the log."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.specs import canonical
from core.tables.telemetry import HourlyCount, Prediction

_HOURS = 24
_HOUR = timedelta(hours=1)


def newest(session: Session, model: str, limit: int) -> list[Prediction]:
    """Return the newest answers, newest first, of the last hours in which the model was asked.

    The counters say which hours these are, so that a model that nobody asked for weeks costs no
    more than one that is asked now; of very few requests an hour, those of 24 such hours are read.
    """
    name = canonical(model)
    counted = _counted(session, name)
    if not counted:
        return []
    enough = [total < limit for total in accumulate(n for _, n in counted)]
    oldest = counted[min(sum(enough), len(counted) - 1)][0]
    query = select(Prediction).where(
        Prediction.model == name,
        ~Prediction.is_shadow,
        Prediction.at >= _begin(oldest),
        Prediction.at < _begin(counted[0][0]) + _HOUR,
    )
    return list(session.scalars(query.order_by(Prediction.at.desc()).limit(limit)))


def _counted(session: Session, model: str) -> list[tuple[int, int]]:
    """Return the last hours with answers, and how many, newest first."""
    answers = func.sum(HourlyCount.requests - HourlyCount.errors)
    query = (
        select(HourlyCount.hour, answers)
        .where(HourlyCount.model == model, HourlyCount.variant != "shadow")
        .group_by(HourlyCount.hour)
        .having(answers > 0)
    )
    rows = session.execute(query.order_by(HourlyCount.hour.desc()).limit(_HOURS))
    return [(hour, n) for hour, n in rows]


def _begin(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)
