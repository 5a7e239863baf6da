"""One round of watching a model: the checks, and the incidents that follow from their reports.

Drift opens an incident when several windows in a row agree; an accuracy that surely fell does so
at once. The same number of good windows in a row ends it.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import incidents, outbox, registry, specs
from core.access import system
from core.adapters import evidently_report
from core.datasets import versions
from core.db import Database
from core.errors import ConflictError, NotFoundError
from core.incidents import SEVERITIES, Finding
from core.monitoring import checks, reports, windows
from core.monitoring.reports import Streak
from core.settings import Settings
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion, FactBook, Incident
from core.tables.telemetry import MonitorReport

ASK_AGAIN = timedelta(hours=6)
"""An incident that lasts is investigated again after this time."""

_CAUSES = {"drift": "drift", "performance": "accuracy"}
_WORKER = system("worker")


@dataclass(frozen=True)
class Checked:
    """What one round found; `incident` is the gravest unresolved one that these checks keep open.

    `needs_answer`: nobody has investigated that incident yet, or not for six hours.
    """

    reports: tuple[MonitorReport, ...]
    incident: Incident | None
    opened: bool
    resolved: tuple[Incident, ...]
    needs_answer: bool


def check(db: Database, settings: Settings, model: str) -> Checked:
    """Check drift, performance and inputs of what serves, and open, extend or end incidents.

    A report on the quality of inputs opens none: what it finds is a sign, not yet a harm.

    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        spec = specs.active(session, model)
    found: list[MonitorReport] = []
    opened, ended = False, []
    for parts in range(spec.monitoring.windows, 0, -1):
        report = checks.check_drift(db, settings, spec.name, parts=parts)
        found.append(report)
        if report.state not in reports.JUDGED:
            break
        opened |= alarm(db, settings, spec, report)
    report = checks.check_performance(db, spec.name)
    found.append(report)
    opened |= alarm(db, settings, spec, report)
    if inputs := checks.check_quality(db, spec.name):
        found.append(inputs)
    for kind in _CAUSES:
        if resolved := clear(db, spec, report.version, kind):
            ended.append(resolved)
    with db.read() as session:
        incident = _gravest(session, spec.name)
        needs_answer = incident is not None and not _answered(session, incident, db)
    return Checked(tuple(found), incident, opened, tuple(ended), needs_answer)


def alarm(db: Database, settings: Settings, spec: ModelSpec, report: MonitorReport) -> bool:
    """Open an incident if `report` completes an alarm, or extend the open one; say if it is new.

    Windows judged before the last incident of this cause was resolved do not count again.
    """
    cause = _CAUSES[report.kind]
    with db.read() as session:
        before = incidents.newest_resolved(session, spec.name, cause)
        since = before.resolved_at if before else None
        streak = reports.streak(session, spec.name, report.version, report.kind, since=since)
        known = incidents.find_open(session, spec.name, cause)
    if streak is None or not streak.bad:
        return False
    severity = _severity(streak, spec.monitoring.windows)
    if severity is None and known is None:
        return False
    newest = streak.newest
    return incidents.open(
        db,
        model=spec.name,
        version=newest.version,
        cause=cause,
        severity=severity or "high",
        title=_title(spec, newest),
        finding=_finding(spec, newest, streak.length),
        channels=outbox.channels(settings),
    ).new


def _severity(streak: Streak, needed: int) -> str | None:
    """How grave a run of bad windows is; None while it is too short for an incident."""
    if streak.newest.kind == "performance" and streak.newest.state == "fail":
        return "critical"
    return "high" if streak.length >= needed else None


def _title(spec: ModelSpec, report: MonitorReport) -> str:
    what = "The data has drifted" if report.kind == "drift" else "Accuracy has fallen"
    return f"{what}: {spec.title} {report.version}"


def _finding(spec: ModelSpec, report: MonitorReport, length: int) -> Finding:
    if report.kind == "drift":
        said = f"Window {length} in a row that drifted. {report.sentence}"
        p_value = 1.0 if report.p_value is None else report.p_value
        return Finding("drift", p_value, spec.monitoring.alpha, report.id, said)
    accuracy = float(report.figures.get("accuracy", 0.0))
    return Finding("accuracy", accuracy, spec.policy.accuracy_floor, report.id, report.sentence)


def clear(db: Database, spec: ModelSpec, version: str, kind: str) -> Incident | None:
    """Resolve the incident whose cause is gone: enough good windows in a row since the last bad."""
    with db.read() as session:
        known = incidents.find_open(session, spec.name, _CAUSES[kind])
        if known is None:
            return None
        streak = reports.streak(session, spec.name, version, kind, since=known.opened_at)
    needed = spec.monitoring.windows
    if streak is None or streak.bad or streak.length < needed:
        return None
    reason = f"The cause is gone: {streak.length} good windows in a row."
    try:
        return incidents.resolve(db, _WORKER, known.id, reason)
    except ConflictError:  # a person or another worker was faster
        return None


def _gravest(session: Session, model: str) -> Incident | None:
    found = [incidents.find_open(session, model, cause) for cause in _CAUSES.values()]
    unresolved = [incident for incident in found if incident is not None]
    return min(unresolved, key=lambda one: SEVERITIES.index(one.severity), default=None)


def _answered(session: Session, incident: Incident, db: Database) -> bool:
    query = select(FactBook.id).filter_by(incident_id=incident.id)
    query = query.where(FactBook.at > db.clock() - ASK_AGAIN)
    return session.scalars(query.limit(1)).first() is not None


def full_report(db: Database, settings: Settings, report_id: str) -> Path:
    """Render Evidently's report on the window of a drift report; returns the HTML file.

    Raises: NotFoundError (no such report, version or reference; predictions no longer stored).
    """
    with db.read() as session:
        report = reports.get(session, report_id)
        spec = specs.active(session, report.model)
        version = registry.get(session, report.model, report.version)
        reference = session.get(DatasetVersion, version.reference_dataset_id)
        current = windows.frame(spec, windows.of_report(session, report))
    if reference is None or current.empty:
        raise NotFoundError("the predictions or the reference of this report are not stored")
    return evidently_report.render(
        versions.frame(settings, reference)[spec.columns],
        current,
        text_column=spec.input.text,
        path=settings.folder("reports") / f"drift-{report.id}.html",
    )
