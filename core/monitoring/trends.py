"""How a model did over days, weeks and months: from hourly counters and stored reports.

Both are summed by the database, a row per period, so that the cost does not grow with traffic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Integer, case, func, literal_column, select
from sqlalchemy.orm import Session

from core.monitoring.reports import BACKFILL, JUDGED
from core.specs import canonical
from core.tables.base import Json
from core.tables.telemetry import HourlyCount, MonitorReport

Per = Literal["day", "week", "month"]
SPANS: Mapping[Per, int] = {"day": 30, "week": 26, "month": 12}
"""How many periods are shown, the present one among them."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of one period; `mean_ms` is the mean latency of the answers, None without any."""

    start: datetime
    requests: int
    errors: int
    mean_ms: float | None

    @property
    def error_rate(self) -> float | None:
        """Share of requests that failed; None without a request."""
        return self.errors / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Judged:
    """The judged windows of one version in one period: how many, how many bad, the worst score."""

    start: datetime
    version: str
    windows: int
    bad: int
    worst: float | None
    newest: str  # the id of the newest report


@dataclass(frozen=True, slots=True)
class Quality:
    """Accuracy of one version at the end of a period, as the newest report of it says."""

    start: datetime
    version: str
    value: float
    low: float | None
    high: float | None
    n: int


def starts(per: Per, now: datetime) -> list[datetime]:
    """Return when each period began, oldest first, in UTC; a week begins on Monday.

    >>> [f"{at:%Y-%m-%d}" for at in starts("month", datetime(2030, 2, 3, tzinfo=UTC))[-2:]]
    ['2030-01-01', '2030-02-01']
    >>> f"{starts('week', datetime(2030, 2, 3, tzinfo=UTC))[-1]:%A %Y-%m-%d}"
    'Monday 2030-01-28'
    """
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    back = range(SPANS[per] - 1, -1, -1)
    if per == "month":
        months = [12 * today.year + today.month - 1 - n for n in back]
        return [datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in months]
    if per == "week":
        monday = today - timedelta(days=today.weekday())
        return [monday - timedelta(weeks=n) for n in back]
    return [today - timedelta(days=n) for n in back]


def traffic(session: Session, model: str, per: Per, *, now: datetime) -> list[Traffic]:
    """Return the requests of each period, oldest first; shadows are left out."""
    begun = starts(per, now)
    day = HourlyCount.hour // literal_column("24", Integer)  # not bound: it groups as well
    query = select(
        day,
        func.sum(HourlyCount.requests),
        func.sum(HourlyCount.errors),
        func.sum(HourlyCount.latency_ms_sum),
    ).where(
        HourlyCount.model == canonical(model),
        HourlyCount.variant != "shadow",
        HourlyCount.hour >= int(begun[0].timestamp()) // 3600,
    )
    sums: dict[datetime, list[float]] = {start: [0, 0, 0.0] for start in begun}
    for number, *counted in session.execute(query.group_by(day)):
        start = _period(begun, datetime.fromtimestamp(number * 86400, UTC))
        sums[start] = [a + b for a, b in zip(sums[start], counted, strict=True)]
    return [_traffic(start, *sums[start]) for start in begun]


def _period(begun: Sequence[datetime], at: datetime) -> datetime:
    return max(start for start in begun if start <= at)


def _traffic(start: datetime, requests: float, errors: float, total_ms: float) -> Traffic:
    answered = requests - errors
    mean = total_ms / answered if answered > 0 else None
    return Traffic(start, int(requests), int(errors), mean)


def judged(session: Session, model: str, kind: str, per: Per, *, now: datetime) -> list[Judged]:
    """Return what the judged windows of a kind say, per period and version.

    Oldest first, within a period by their newest window. A period in which a model was watched
    live is told by that alone, another one by a backfill.
    """
    begun = starts(per, now)
    row = MonitorReport
    inner = (
        select(_number(begun).label("period"), row.version, row.origin, row.state, row.score,
               row.window_end, row.id)
        .where(row.model == canonical(model), row.kind == kind, row.state.in_(JUDGED))
        .where(row.at >= begun[0], row.window_end >= begun[0])  # the first one is in the index
        .subquery()
    )  # fmt: skip
    bad = func.sum(case((inner.c.state != "pass", 1), else_=0))
    key = inner.c.period, inner.c.version, inner.c.origin
    query = select(
        *key, func.count(), bad, func.max(inner.c.score), func.max(inner.c.id),
    ).group_by(*key)  # fmt: skip
    query = query.order_by(inner.c.period, func.max(inner.c.window_end), func.max(inner.c.id))
    rows = session.execute(query).all()
    live = {number for number, _version, origin, *_ in rows if origin != BACKFILL}
    return [
        Judged(begun[number], version, *rest)
        for number, version, origin, *rest in rows
        if (origin != BACKFILL) == (number in live)
    ]


def _number(begun: Sequence[datetime]) -> ColumnElement[int]:
    """Return the number of the period in which a window ended."""
    newest_first = reversed(list(enumerate(begun)))
    return case(
        *((MonitorReport.window_end >= start, number) for number, start in newest_first), else_=0
    ).cast(Integer)


def accuracy(session: Session, model: str, kind: str, per: Per, *, now: datetime) -> list[Quality]:
    """Return the accuracy at the end of each period, realised ("performance") or ("estimate").

    In the order of `judged`: of the versions of one period the newest is the last.
    A report that holds no accuracy, as those of other releases of this product may, is left out.
    """
    found = judged(session, model, kind, per, now=now)
    query = select(MonitorReport).where(MonitorReport.id.in_([one.newest for one in found]))
    by_id = {report.id: report for report in session.scalars(query)}
    told = [quality(one.start, by_id[one.newest]) for one in found]
    return [one for one in told if one is not None]


def quality(start: datetime, report: MonitorReport) -> Quality | None:
    """Return the accuracy that a report tells; None where it tells none."""
    value = report.figures.get("accuracy")
    if not isinstance(value, int | float):
        return None
    low, high = interval(report.figures, "accuracy")
    n = int(report.figures.get("n_labelled") or report.n_current)
    return Quality(start, report.version, float(value), low, high, n)


def interval(figures: Json, metric: str) -> tuple[float | None, float | None]:
    """Return the interval of a metric in a report's figures; (None, None) where there is none.

    >>> interval({"f1_interval": [0.8, 0.9]}, "f1"), interval({}, "f1")
    ((0.8, 0.9), (None, None))
    """
    told = figures.get(f"{metric}_interval") or (metric == "accuracy" and figures.get("interval"))
    if isinstance(told, list | tuple) and len(told) == 2:
        return told[0], told[1]
    return None, None
