"""One round of watching a model: the checks, and the incidents that follow from their reports."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import incidents, registry, specs
from core.adapters import evidently_report
from core.automation import rounds
from core.datasets import versions
from core.db import Database
from core.errors import NotFoundError
from core.monitoring import reports, windows
from core.settings import Settings
from core.tables.entities import DatasetVersion, FactBook, Incident
from core.tables.telemetry import MonitorReport

ASK_AGAIN = timedelta(hours=6)
"""An incident that lasts is investigated again after this time."""


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
    """Check everything that is watched of what serves, and open, extend or end incidents.

    A check that breaks leaves a report in state error and does not stop the others. Quality comes
    first, so that the drift report can say that its inputs are broken. The newest reports of
    before are considered again, which changes nothing unless a worker died before it did so.
    Raises: NotFoundError (no such model, or nothing is released).
    """
    with db.read() as session:
        spec = specs.active(session, model)
    before = rounds.newest(db, spec.name)
    followed = [incidents.consider(db, settings, spec, report) for report in before]
    found = []
    for report in rounds.look(db, settings, spec.name):
        found.append(report)
        followed.append(incidents.consider(db, settings, spec, report))
    found.sort(key=lambda report: report.kind != "drift")
    with db.read() as session:
        incident = incidents.gravest(session, spec.name)
        needs_answer = incident is not None and not _answered(session, incident, db)
    return Checked(
        tuple(found),
        incident,
        opened=any(one.opened for one in followed),
        resolved=tuple(ended for one in followed for ended in one.resolved),
        needs_answer=needs_answer,
    )


def _answered(session: Session, incident: Incident, db: Database) -> bool:
    query = select(FactBook.id).filter_by(incident_id=incident.id)
    query = query.where(FactBook.at > db.clock() - ASK_AGAIN)
    return session.scalars(query.limit(1)).first() is not None


def full_report(db: Database, settings: Settings, report_id: str) -> Path:
    """Render Evidently's report on the window of a drift report; returns the HTML file.

    It shows the columns that the reference of that version and the spec of today share.
    Raises: NotFoundError (no such report, version or reference; predictions no longer stored; no
    column in common), InvalidInputError (Evidently cannot describe them).
    """
    with db.read() as session:
        report = reports.get(session, report_id)
        spec = specs.active(session, report.model)
        version = registry.get(session, report.model, report.version)
        reference = session.get(DatasetVersion, version.reference_dataset_id)
        current = windows.frame(spec, windows.of_report(session, report))
    if reference is None or current.empty:
        raise NotFoundError("the predictions or the reference of this report are not stored")
    before = versions.frame(settings, reference)
    shared = [name for name in spec.columns if name in before and name in current]
    if not shared:
        raise NotFoundError("the reference of this version has none of the columns of today's spec")
    return evidently_report.render(
        before[shared],
        current[shared],
        text_column=spec.input.text,
        path=settings.folder("reports") / f"drift-{report.id}.html",
    )
