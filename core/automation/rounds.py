"""One round of checks: each by itself, several windows where several are due."""

import logging
from collections.abc import Callable, Iterator
from typing import cast

from core import releases
from core.db import Database
from core.errors import PilothouseError, reason
from core.monitoring import checks, reports
from core.monitoring.checks import subject
from core.monitoring.checks.watching import MOST_AT_ONCE
from core.settings import Settings
from core.specs.alerts import KINDS
from core.tables.telemetry import MonitorReport

Check = Callable[[Database, Settings, str], MonitorReport | None]

log = logging.getLogger("monitor")


def look(db: Database, settings: Settings, model: str) -> Iterator[MonitorReport]:
    """Make every check of a model, and yield what each found as soon as it is stored.

    Raises: NotFoundError (no such model, or nothing is released).
    """
    for kind in KINDS:
        yield from _windows(db, settings, model, kind)


def newest(db: Database, model: str) -> list[MonitorReport]:
    """Return the newest report of each check of what serves, made since it serves.

    What was found when the same version served before, until a rollback, is over.
    """
    with db.read() as session:
        serving = releases.champion(releases.current(session, model))
        since = releases.serving_since(session, model)
        found = [reports.newest_window(session, model, serving, kind) for kind in KINDS]
        return [report for report in found if report is not None and report.at >= since]


def _windows(db: Database, settings: Settings, model: str, kind: str) -> Iterator[MonitorReport]:
    """Judge the windows that are due, oldest first; at most `MOST_AT_ONCE`."""
    for _ in range(MOST_AT_ONCE):
        report = _carefully(db, settings, model, kind)
        if report is None:
            return
        yield report
        if not report.figures.get("left"):
            return


def _carefully(db: Database, settings: Settings, model: str, kind: str) -> MonitorReport | None:
    """Make one check; where it breaks, store why, and leave its predictions to the next round."""
    try:
        return _check(kind)(db, settings, model)
    except Exception as problem:  # one broken check must not blind the others
        if not isinstance(problem, PilothouseError):
            log.exception("the %s check of %s broke", kind, model)
        with db.read() as session:
            of = subject.subject(session, model, kind)
        words = f"The {kind} check could not be made: {reason(problem)}"
        return subject.unfinished(db, of, kind, "error", 0, words)


def _check(kind: str) -> Check:
    """Return the check of a kind, as `core/monitoring/checks` names it."""
    return cast(Check, getattr(checks, f"check_{kind}"))
