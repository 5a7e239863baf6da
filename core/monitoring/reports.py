"""Monitor reports: stored one per window, read newest first."""

from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.db import Database
from core.errors import NotFoundError
from core.specs import canonical
from core.tables import telemetry
from core.tables.telemetry import MonitorReport

JUDGED = telemetry.JUDGED
LIVE, BACKFILL = "live", "backfill"
PENDING = "pending"
"""What the one report of an unfinished window "follows"."""

_PLACE = (MonitorReport.window_end, MonitorReport.window_last_id)
_NEWEST_WINDOW = tuple(column.desc() for column in _PLACE)
_EPOCH = datetime.fromtimestamp(0, UTC)
_MADE_LAST = 100  # reports, among which the last of a chain is looked for


def store(db: Database, report: MonitorReport) -> MonitorReport:
    """Add a report in place of the one about the unfinished window, which it continues.

    Where another worker judged this window first, return that worker's report.
    """
    of = {"model": report.model, "version": report.version, "kind": report.kind}
    of["origin"] = report.origin = report.origin or LIVE
    try:
        with db.append() as session:
            session.execute(delete(MonitorReport).filter_by(**of, follows=PENDING))
            session.add(report)
            session.flush()
        return report
    except IntegrityError:
        with db.read() as session:
            query = select(MonitorReport).filter_by(**of, follows=report.follows)
            return session.scalars(query).first() or report


def reports(
    session: Session,
    model: str,
    kind: str | None = None,
    limit: int = 50,
    *,
    version: str | None = None,
    origin: str | None = None,
    since: datetime | None = None,
) -> list[MonitorReport]:
    """Return the newest reports, newest first; of all kinds, versions and origins unless named.

    With `since` those only that were made then or later.
    One of a backfill stands where it would have been made: at the end of its window.
    """
    query = select(MonitorReport).filter_by(model=canonical(model))
    if origin is not None:
        query = query.filter_by(origin=origin)
    if kind is not None:
        query = query.filter_by(kind=kind)
    if version is not None:
        query = query.filter_by(version=version)
    if since is not None:
        query = query.where(MonitorReport.at >= since)
    by_time = (MonitorReport.at.desc(), *_NEWEST_WINDOW)
    return list(session.scalars(query.order_by(*by_time).limit(limit)))


def judged(
    session: Session,
    model: str,
    version: str,
    kind: str,
    *,
    limit: int,
    origin: str = LIVE,
    since: datetime | None = None,
) -> list[MonitorReport]:
    """Return the newest reports of one version that passed, warned or failed, newest first.

    Only what was watched live: a backfill is no evidence for an alarm.
    """
    query = select(MonitorReport).filter_by(model=canonical(model), version=version, kind=kind)
    query = query.where(MonitorReport.state.in_(JUDGED), MonitorReport.origin == origin)
    if since is not None:
        query = query.where(MonitorReport.at >= since)
    return list(session.scalars(query.order_by(*_NEWEST_WINDOW).limit(limit)))


def gravest(
    session: Session, model: str, kind: str, *, since: datetime, until: datetime, most: int
) -> list[MonitorReport]:
    """Return judged windows that ended since a moment, live and of a backfill, newest first.

    The time is cut into `most` equal stretches; of each version in each of them only the gravest
    window is returned: so much is read, however many there are.
    """
    row = MonitorReport
    query = (
        select(row.id, row.version, row.window_end, row.state, row.score)
        .where(row.model == canonical(model), row.kind == kind, row.state.in_(JUDGED))
        .where(row.at >= since, row.window_end >= since)  # the first one is in the index
    )
    step = (until - since) / most
    worst: dict[tuple[str, int], tuple[int, float, datetime, str]] = {}
    for key, version, end, state, score in session.execute(query):
        place = version, (end - _EPOCH) // step
        found = JUDGED.index(state), score or 0.0, end, key
        worst[place] = max(worst.get(place, found), found)
    ids = [key for *_, key in worst.values()]
    return list(session.scalars(select(row).where(row.id.in_(ids)).order_by(*_NEWEST_WINDOW)))


def newest_window(
    session: Session, model: str, version: str, kind: str, *, origin: str = LIVE
) -> MonitorReport | None:
    """Return the report on the window used up last, judged or not: the one that none follows.

    That is not always the one that ends last: windows of labels can end earlier than the one before
    where answers must be older than was thought.
    """
    of = {"model": canonical(model), "version": version, "kind": kind, "origin": origin}
    told = (MonitorReport.id, MonitorReport.follows, *_PLACE)  # without the figures: these are long
    query = select(*told).filter_by(**of).where(MonitorReport.follows != PENDING)
    rows = session.execute(query.order_by(MonitorReport.at.desc()).limit(_MADE_LAST)).all()
    ends = {row.window_last_id for row in rows}
    behind = select(MonitorReport.follows).filter_by(**of).where(MonitorReport.follows.in_(ends))
    followed = set(session.scalars(behind))
    last = [row for row in rows if row.window_last_id not in followed] or rows
    newest = max(last, key=lambda row: (row.window_end, row.window_last_id), default=None)
    return session.get(MonitorReport, newest.id) if newest else None


def overlapping(
    session: Session,
    report: tuple[str, str, str],
    *,
    start: datetime,
    end: datetime,
    origin: str = LIVE,
) -> MonitorReport | None:
    """Return the newest judged report, by (model, version, kind), on a window that meets a span."""
    model, version, kind = report
    of = {"model": canonical(model), "version": version, "kind": kind, "origin": origin}
    query = (
        select(MonitorReport)
        .filter_by(**of)
        .where(
            MonitorReport.state.in_(JUDGED),
            MonitorReport.window_start <= end,
            MonitorReport.window_end >= start,
        )
    )
    return session.scalars(query.order_by(*_NEWEST_WINDOW).limit(1)).first()


def get(session: Session, report_id: str) -> MonitorReport:
    """Return a report. Raises: NotFoundError."""
    if report := session.get(MonitorReport, report_id):
        return report
    raise NotFoundError(f"there is no monitor report {report_id}")
