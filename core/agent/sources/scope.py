"""What all readers of facts start from: the model, what serves, and the reports about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import predictions, releases
from core.monitoring import reports
from core.settings import Settings
from core.tables.entities import ModelVersion, Release
from core.tables.telemetry import JUDGED, MonitorReport

ALARM = ("warn", "fail")
SERVICE_HOURS = 2
LONGEST_HISTORY = 12
NEWEST_LABELS = 1_000
_WINDOWS = 50  # of which one looks how many in a row were alarms


@dataclass(frozen=True)
class Item:
    """One reading on its way to becoming a fact; `foreign` values hold a stranger's words."""

    id: str
    value: Any
    source: str
    at: datetime | None = None
    n: int | None = None
    interval: tuple[float, float] | None = None
    foreign: bool = False


class Window(NamedTuple):
    """A judged report without its figures."""

    state: str
    score: float | None
    at: datetime


@dataclass(frozen=True)
class Scope:
    """What all readers need: the model, what serves of it, and since when.

    What was found before a rollback to the version that serves is over. Reports are read once.
    """

    session: Session
    model: str
    now: datetime
    settings: Settings
    release: Release | None
    version: ModelVersion | None
    since: datetime | None = None

    @cached_property
    def drift_report(self) -> MonitorReport | None:
        """The newest drift report that came to a conclusion about what serves."""
        return self.newest("drift")

    @cached_property
    def performance_report(self) -> MonitorReport | None:
        """The newest report that judged labelled answers of what serves."""
        return self.newest("performance")

    @property
    def alarm(self) -> bool:
        """Whether the drift report is an alarm, by itself or as the last of many."""
        found = self.drift_report
        return found is not None and (found.state in ALARM or self.standing)

    @property
    def standing(self) -> bool:
        """Whether the alarm of all windows together stands, however the newest one looks."""
        watch = self.drift_report.figures.get("watch") if self.drift_report else None
        return isinstance(watch, dict) and bool(watch.get("alarm"))

    def labelled(self, version: str, since: datetime, until: datetime) -> tuple[int, int]:
        """Return how many of a version's newest 1,000 answers with a truth were right: (n, right).

        Reading them costs the same however many answers and labels of other models there are.
        """
        span, most = {"since": since, "until": min(until, self.now)}, NEWEST_LABELS
        rows = predictions.outcomes(self.session, self.model, version, **span, limit=most)
        return len(rows), sum(one.correct for one in rows)

    def newest(self, kind: str) -> MonitorReport | None:
        """Return the newest conclusive report of a kind on what serves, made since it serves."""
        if self.version is None:
            return None
        of = self.session, self.model, self.version.version, kind
        return next(iter(reports.judged(*of, limit=1, since=self.since)), None)

    def past(self, kind: str) -> list[Window]:
        """Return the newest 50 conclusive windows of a kind without their figures, newest first."""
        if self.version is None:
            return []
        row = MonitorReport
        of = {"model": self.model, "version": self.version.version, "kind": kind}
        query = select(row.state, row.score, row.at).filter_by(**of, origin=reports.LIVE)
        query = query.where(row.state.in_(JUDGED))
        if self.since is not None:
            query = query.where(row.at >= self.since)
        newest_first = query.order_by(row.window_end.desc(), row.window_last_id.desc())
        return [Window(*one) for one in self.session.execute(newest_first.limit(_WINDOWS))]

    def hours_ago(self, moment: datetime) -> float:
        """Return how many hours have passed."""
        return round((self.now - moment) / timedelta(hours=1), 2)


def scope(session: Session, model: str, now: datetime, settings: Settings) -> Scope:
    """Return what the readers start from."""
    release = releases.find_current(session, model)
    champion = releases.champion(release) if release else None
    version = session.get(ModelVersion, (model, champion)) if champion else None
    since = releases.serving_since(session, model) if release else None
    return Scope(session, model, now, settings, release, version, since)


def alarms_in_a_row(windows: Sequence[Window]) -> int:
    """Return how many alarms the newest window ends.

    >>> alarms_in_a_row([Window("fail", 1, None), Window("warn", 1, None), Window("pass", 0, None)])
    2
    """
    quiet = [place for place, window in enumerate(windows) if window.state not in ALARM]
    return quiet[0] if quiet else len(windows)


def dicts(value: object) -> list[dict[str, Any]]:
    """Return the rows of a report's figure that are whole."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
