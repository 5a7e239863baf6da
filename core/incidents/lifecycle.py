"""The life of an incident: opened, acknowledged, worked on, resolved; each step is a line of it."""

import hashlib
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
from core.specs.alerts import RULES, SEVERITIES
from core.tables.base import Json
from core.tables.entities import Alert, Incident

MOST_ENTRIES = 200
"""Entries of a timeline; beyond it the middle is dropped, never the beginning."""

WORKER = system("worker")


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
    actor: Actor = WORKER,
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
                return _extend(command, incident, severity, version, finding, channels)
            incident = begin(command, model, version, cause, severity, title)
            _fire(command, incident, finding)
            tell(command, channels, incident, title, finding.sentence)
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
            channels=channels,
        )


def begin(
    command: Command, model: str, version: str, cause: str, severity: str, title: str
) -> Incident:
    """Add an open incident; the database refuses a second one of the same model and cause."""
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
    add(command, incident, f"opened: {title}")
    command.session.flush()
    return incident


def _extend(
    command: Command,
    incident: Incident,
    severity: str,
    version: str,
    finding: Finding,
    channels: Sequence[str],
) -> Opened:
    command.note(incident=incident.id)
    if _noted(command.session, incident, finding):
        return Opened(incident, new=False, extended=False)
    raise_to(command, incident, severity, finding.sentence, channels)
    incident.version = version
    _fire(command, incident, finding)
    return Opened(incident, new=False, extended=True)


def _noted(session: Session, incident: Incident, finding: Finding) -> bool:
    query = select(Alert.id).filter_by(
        incident_id=incident.id, rule=finding.rule, report_id=finding.report_id
    )
    return session.scalars(query.limit(1)).first() is not None


def raise_to(
    command: Command, incident: Incident, severity: str, why: str, channels: Sequence[str]
) -> bool:
    """Let an incident be as grave as its newest finding, and tell so; it never falls silently."""
    if not graver(severity, incident.severity):
        return False
    add(command, incident, f"severity raised from {incident.severity} to {severity}")
    incident.severity = severity
    tell(command, channels, incident, f"Now {severity}: {incident.title}", why)
    return True


def graver(one: str, other: str) -> bool:
    """Say whether severity `one` is above `other`.

    >>> graver("critical", "high"), graver("low", "low")
    (True, False)
    """
    ranks: list[str] = [*SEVERITIES]
    return ranks.index(one) < ranks.index(other)


def tell(
    command: Command, channels: Sequence[str], incident: Incident, subject: str, why: str
) -> None:
    """Leave a message about an incident for each channel, in the transaction of what happened."""
    facts = {"model": incident.model, "severity": incident.severity, "incident_id": incident.id}
    outbox.post(command, [*channels], subject, text=why, **facts)


def fingerprint(model: str, cause: str, rule: str, report_id: str = "") -> str:
    """Return what makes alerts the same one: model and rule, over all versions and reports.

    A finding of no rule is told of by each report for itself.

    >>> fingerprint("spam", "drift", "drift", "r1")
    'spam:drift:drift'
    >>> fingerprint("spam", "serving", "release_cannot_serve", "release:2:damaged")
    'spam:serving:release_cannot_serve:47fd86dbb993'
    """
    known = f"{model}:{cause}:{rule}"
    if rule in RULES:
        return known
    return f"{known}:{hashlib.sha256(report_id.encode()).hexdigest()[:12]}"


def _fire(command: Command, incident: Incident, finding: Finding) -> None:
    mark = fingerprint(incident.model, incident.cause, finding.rule, finding.report_id)
    query = select(Alert).filter_by(fingerprint=mark).where(Alert.state != "resolved")
    alert = command.session.scalars(query.with_for_update()).first()
    if alert is None:
        alert = Alert(
            id=new_id(command.now),
            model=incident.model,
            rule=finding.rule,
            fingerprint=mark,
            fired=0,
            quiet=0,
            at=command.now,
        )
        command.session.add(alert)
    alert.version, alert.severity, alert.state = incident.version, incident.severity, "firing"
    alert.value, alert.threshold = finding.value, finding.threshold
    alert.sentence, alert.incident_id = finding.sentence, incident.id
    alert.report_id = alert.newest_report_id = finding.report_id
    alert.seen_at, alert.fired = command.now, alert.fired + 1
    add(command, incident, finding.sentence)


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
        add(command, incident, "acknowledged")
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
        add(command, incident, f"resolved: {reason.strip()}", ended="by hand")
        for alert in command.session.scalars(
            select(Alert).filter_by(incident_id=incident.id, state="firing")
        ):
            end_alert(command, alert, f"{command.actor.name} resolved the incident")
        return incident


def end_alert(command: Command, alert: Alert, why: str) -> None:
    """Let an alert be over."""
    alert.state, alert.ended_at, alert.ended_because = "resolved", command.now, why
    command.note(alert=alert.id, state="resolved", because=why)


def note_in(command: Command, incident_id: str, what: str, *, mitigating: bool = False) -> None:
    """Add a line to the timeline inside a command, for example of the executor.

    With `mitigating`, an unresolved incident is shown as being worked on. A resolved one takes
    the line too: what was started before goes on after. Raises: NotFoundError.
    """
    incident = get(command.session, incident_id, lock=True)
    if mitigating and incident.state != "resolved":
        incident.state = "mitigating"
    add(command, incident, what)


def _locked(command: Command, incident_id: str) -> Incident:
    incident = get(command.session, incident_id, lock=True)
    command.note(model=incident.model, incident=incident.id)
    if incident.state == "resolved":
        raise ConflictError("this incident is resolved already")
    return incident


def add(command: Command, incident: Incident, what: str, **about: str) -> None:
    """Add a line to the timeline; `about` is kept with it and not shown."""
    entry: Json = {"at": command.now.isoformat(), "who": command.actor.name, "what": what, **about}
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
