"""What every check starts from: the model, what serves of it, and its window before."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from core import policies, registry, releases, specs
from core.db import Database
from core.ids import new_id
from core.monitoring.due import Due, Size, due
from core.monitoring.reports import LIVE, PENDING, newest_window, store
from core.monitoring.windows import Position, Window
from core.specs import ModelSpec
from core.tables.base import Json
from core.tables.entities import ModelVersion
from core.tables.telemetry import MonitorReport

CLOCKS_APART = timedelta(minutes=1)
"""An answer that is younger than now by more is from the future: some clock was set back."""


@dataclass(frozen=True)
class Subject:
    """What is watched: a version, since when it serves, and its window before.

    `origin` is live, or backfill for a stretch of the past, whose first window follows `first`.
    Windows have the spec's size unless another is given.
    """

    spec: ModelSpec
    version: ModelVersion
    since: datetime
    before: MonitorReport | None
    origin: str = LIVE
    first: str = ""
    size: Size | None = None

    @property
    def contiguous(self) -> bool:
        """Whether the window before belongs to the same term of service."""
        return self.before is not None and self.before.window_end >= self.since

    def ahead(self, now: datetime) -> str:
        """Say that the window before ends in the future, which some clock was set back from."""
        if self.before is None or self.before.window_end <= now + CLOCKS_APART:
            return ""
        until = f"{self.before.window_end:%Y-%m-%d %H:%M} UTC"
        return f"A clock was set back: the report before ends at {until}, so this begins anew."

    @property
    def after(self) -> Position:
        """The end of the window before; a new term of service starts a new window."""
        if self.before is None or not self.contiguous:
            return self.since, ""
        return self.before.window_end, self.before.window_last_id

    @property
    def cut(self) -> Size:
        """How its windows are cut."""
        return self.size or Size.of(self.spec)

    def next_window(self, session: Session, *, until: datetime) -> Due:
        """Return the next window behind the one before, among the answers up to `until`."""
        of = (self.spec.name, self.version.version, self.after)
        return due(session, *of, size=self.cut, until=until)

    def report(self, kind: str, state: str, *, now: datetime, **fields: Any) -> MonitorReport:  # noqa: ANN401 (columns)
        """Return a report about this subject, not yet stored."""
        of = {"model": self.spec.name, "version": self.version.version, "origin": self.origin}
        return MonitorReport(id=new_id(now), kind=kind, state=state, at=now, **of, **fields)

    def place(self, window: Window) -> dict[str, Any]:
        """Return the columns that say which window a report is about."""
        return {
            "window_start": window.start,
            "window_end": window.end[0],
            "window_last_id": window.end[1],
            "follows": self.before.window_last_id if self.before else self.first,
            "n_current": window.n,
        }

    def skipped(self, kind: str, window: Window, why: str, *, now: datetime) -> MonitorReport:
        """Return a report that uses a window up without a verdict; what is followed goes on."""
        watch = self.before.figures.get("watch") if self.before and self.contiguous else None
        return self.report(
            kind,
            "inconclusive",
            now=now,
            **self.place(window),
            n_reference=0,
            method="",
            sentence=f"Not judged: {why}",
            figures={"watch": watch} if watch else {},
            assumptions="",
        )


def subject(session: Session, model: str, kind: str) -> Subject:
    """Return what a check of this kind is about.

    Raises: NotFoundError (no such model, or nothing is released).
    """
    spec = policies.judging(session, specs.active(session, model))
    champion = releases.champion(releases.current(session, spec.name))
    return Subject(
        spec=spec,
        version=registry.get(session, spec.name, champion),
        since=releases.serving_since(session, spec.name),
        before=newest_window(session, spec.name, champion, kind),
    )


def not_due(db: Database, of: Subject, kind: str, found: Due) -> MonitorReport:
    """Store why the next window is not judged yet; its predictions are left to it."""
    waits = f"{found.waiting:,} predictions since the last window"
    if of.after[0] > db.clock() + CLOCKS_APART:
        words = (
            f"Not judged yet: the last window ends in the future, at {of.after[0]:%Y-%m-%d %H:%M}"
            " UTC, so a clock was set back. What is answered after that is judged."
        )
    elif found.closes is not None:
        words = f"Not judged yet: {waits}; it closes at {found.closes:%Y-%m-%d %H:%M} UTC."
    else:
        words = f"Not judged yet: {waits}, {found.lacking:,} more are needed."
    return unfinished(db, of, kind, "inconclusive", found.waiting, words)


def undecided(
    db: Database, of: Subject, kind: str, window: Window, why: str, *, left: int
) -> MonitorReport:
    """Store why a window has no verdict: one of a fixed size is over, another waits for more."""
    if not of.cut.rows and not of.cut.minutes:
        return unfinished(db, of, kind, "inconclusive", window.n, f"Not judged yet: {why}")
    report = of.skipped(kind, window, why, now=db.clock())
    report.figures = {**report.figures, "left": left}
    return store(db, report)


def unfinished(
    db: Database,
    of: Subject,
    kind: str,
    state: str,
    n: int,
    sentence: str,
    figures: Json | None = None,
) -> MonitorReport:
    """Store why a window is not judged: its predictions are left to the next one."""
    report = of.report(
        kind,
        state,
        now=db.clock(),
        window_start=of.after[0],
        window_end=of.after[0],
        window_last_id=of.after[1],
        follows=PENDING,
        n_current=n,
        n_reference=0,
        method="",
        sentence=sentence,
        figures=figures or {},
        assumptions="",
    )
    return store(db, report)


def plain(figures: Json) -> Json:
    """Return figures as every database gives them back: tuples are lists, NaN and infinity None."""
    given_back: Json = json.loads(json.dumps(figures), parse_constant=lambda _: None)
    return given_back
