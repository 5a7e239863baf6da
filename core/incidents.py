"""Incidents: what a person should know about, from open to resolved, each with its timeline.

A model has at most one unresolved incident per cause; further findings extend it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import outbox
from core.access import Actor, system
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.ids import new_id
from core.specs import canonical
from core.tables.base import Json
from core.tables.entities import Alert, Incident

SEVERITIES = ("critical", "high", "medium", "low")
MOST_ENTRIES = 200
"""Entries of a timeline; beyond it the middle is dropped, never the beginning."""

_WORKER = system("worker")


@dataclass(frozen=True)
class Finding:
    """What a rule found in one monitor report; the same report alerts once per rule."""

    rule: str
    value: float
    threshold: float
    report_id: str
    sentence: str


@dataclass(frozen=True)
class Opened:
    """The incident that a finding belongs to, and whether it is new or got something new."""

    incident: Incident
    new: bool
    extended: bool


def open(
    db: Database,
    *,
    model: str,
    version: str,
    cause: str,
    severity: str,
    title: str,
    finding: Finding,
    actor: Actor = _WORKER,
    channels: Sequence[str] = (),
) -> Opened:
    """Open an incident, or extend the unresolved one of the same model and cause.

    A finding that was noted before changes nothing. A new incident leaves a message for each
    channel. Raises: ForbiddenError.
    """
    with db.read() as session:
        known = find_open(session, model, cause)
        if known and _noted(session, known, finding):
            return Opened(known, new=False, extended=False)
    try:
        with db.command(actor, "incident.open") as command:
            command.note(model=model, cause=cause, finding=finding.sentence)
            if incident := find_open(command.session, model, cause, lock=True):
                return _extend(command, incident, severity, version, finding)
            incident = _new(command, model, version, cause, severity, title)
            _fire(command, incident, finding)
            facts = {"model": model, "severity": severity, "incident_id": incident.id}
            outbox.post(command, [*channels], title, text=finding.sentence, **facts)
            return Opened(incident, new=True, extended=False)
    except ConflictError:  # another worker opened it between our look and our insert
        with db.read() as session:
            if find_open(session, model, cause) is None:
                raise
        return open(
            db,
            model=model,
            version=version,
            cause=cause,
            severity=severity,
            title=title,
            finding=finding,
            actor=actor,
        )


def _new(
    command: Command, model: str, version: str, cause: str, severity: str, title: str
) -> Incident:
    incident = Incident(
        id=new_id(command.now),
        model=model,
        version=version,
        state="open",
        severity=severity,
        cause=cause,
        title=title,
        timeline=[],
        opened_at=command.now,
    )
    command.session.add(incident)
    command.note(incident=incident.id, severity=severity)
    _add(command, incident, f"opened: {title}")
    command.session.flush()
    return incident


def _extend(
    command: Command, incident: Incident, severity: str, version: str, finding: Finding
) -> Opened:
    command.note(incident=incident.id)
    if _noted(command.session, incident, finding):
        return Opened(incident, new=False, extended=False)
    if SEVERITIES.index(severity) < SEVERITIES.index(incident.severity):
        _add(command, incident, f"severity raised from {incident.severity} to {severity}")
        incident.severity = severity
    incident.version = version
    _fire(command, incident, finding)
    return Opened(incident, new=False, extended=True)


def _noted(session: Session, incident: Incident, finding: Finding) -> bool:
    query = select(Alert.id).filter_by(
        incident_id=incident.id, rule=finding.rule, report_id=finding.report_id
    )
    return session.scalars(query.limit(1)).first() is not None


def _fire(command: Command, incident: Incident, finding: Finding) -> None:
    command.session.add(
        Alert(
            id=new_id(command.now),
            model=incident.model,
            rule=finding.rule,
            severity=incident.severity,
            fingerprint=f"{incident.model}:{incident.cause}:{finding.rule}",
            state="firing",
            value=finding.value,
            threshold=finding.threshold,
            incident_id=incident.id,
            report_id=finding.report_id,
            at=command.now,
        )
    )
    _add(command, incident, finding.sentence)


def acknowledge(db: Database, actor: Actor, incident_id: str) -> Incident:
    """Take charge of an open incident: its owner is who acknowledges it first.

    Raises: NotFoundError; ConflictError (somebody has it, or it is resolved); ForbiddenError.
    """
    with db.command(actor, "incident.acknowledge") as command:
        incident = _locked(command, incident_id)
        if incident.owner:
            raise ConflictError(f"{incident.owner} has acknowledged this incident already")
        if incident.state == "open":
            incident.state = "acknowledged"
        incident.owner = command.actor.name
        _add(command, incident, "acknowledged")
        return incident


def resolve(db: Database, actor: Actor, incident_id: str, reason: str) -> Incident:
    """Close an incident, saying why; its alerts stop firing.

    Raises: InvalidInputError (no reason); NotFoundError; ConflictError (resolved); ForbiddenError.
    """
    with db.command(actor, "incident.resolve") as command:
        if not reason.strip():
            raise InvalidInputError("say in a few words why the incident is over")
        incident = _locked(command, incident_id)
        incident.state, incident.resolved_at = "resolved", command.now
        command.note(reason=reason)
        _add(command, incident, f"resolved: {reason.strip()}")
        for alert in command.session.scalars(
            select(Alert).filter_by(incident_id=incident.id, state="firing")
        ):
            alert.state = "resolved"
        return incident


def note_in(command: Command, incident_id: str, what: str, *, mitigating: bool = False) -> None:
    """Add a line to the timeline inside a command, for example of the executor.

    With `mitigating`, an unresolved incident is shown as being worked on. A resolved one takes
    the line too: what was started before goes on after. Raises: NotFoundError.
    """
    incident = get(command.session, incident_id, lock=True)
    if mitigating and incident.state != "resolved":
        incident.state = "mitigating"
    _add(command, incident, what)


def _locked(command: Command, incident_id: str) -> Incident:
    incident = get(command.session, incident_id, lock=True)
    command.note(model=incident.model, incident=incident.id)
    if incident.state == "resolved":
        raise ConflictError("this incident is resolved already")
    return incident


def _add(command: Command, incident: Incident, what: str) -> None:
    entry: Json = {"at": command.now.isoformat(), "who": command.actor.name, "what": what}
    entries = [*incident.timeline, entry]
    if len(entries) > MOST_ENTRIES:
        entries = entries[: MOST_ENTRIES // 4] + entries[-MOST_ENTRIES * 3 // 4 :]
    incident.timeline = entries  # a new list: a change inside the old one would not be stored


def get(session: Session, incident_id: str, *, lock: bool = False) -> Incident:
    """Return an incident. Raises: NotFoundError."""
    query = select(Incident).filter_by(id=incident_id)
    if incident := session.scalars(query.with_for_update() if lock else query).first():
        return incident
    raise NotFoundError(f"there is no incident {incident_id}")


def find_open(session: Session, model: str, cause: str, *, lock: bool = False) -> Incident | None:
    """Return the unresolved incident of a model with this cause, or None."""
    query = select(Incident).filter_by(model=canonical(model), cause=cause)
    query = query.where(Incident.state != "resolved")
    return session.scalars(query.with_for_update() if lock else query).first()


def newest_resolved(session: Session, model: str, cause: str) -> Incident | None:
    """Return the incident of this cause that was resolved last, or None."""
    query = select(Incident).filter_by(model=canonical(model), cause=cause, state="resolved")
    return session.scalars(query.order_by(Incident.resolved_at.desc()).limit(1)).first()


def all(
    session: Session, model: str | None = None, open_only: bool = False, limit: int = 200
) -> list[Incident]:
    """Return incidents, the newest first."""
    query = select(Incident).order_by(Incident.opened_at.desc(), Incident.id.desc()).limit(limit)
    if model is not None:
        query = query.filter_by(model=canonical(model))
    if open_only:
        query = query.where(Incident.state != "resolved")
    return list(session.scalars(query))


def alerts(session: Session, incident_id: str) -> list[Alert]:
    """Return the alerts of an incident, the oldest first."""
    query = select(Alert).filter_by(incident_id=incident_id).order_by(Alert.at, Alert.id)
    return list(session.scalars(query))
