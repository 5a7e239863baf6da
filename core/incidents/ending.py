"""How an incident ends by itself: when none of its alerts fires any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core.db import Command, Database
from core.errors import ConflictError
from core.incidents import reading, silences
from core.incidents.lifecycle import WORKER, add, end_alert, find_open, tell
from core.incidents.reading import alerts
from core.tables.entities import Alert, Incident

QUIET_AFTER_RETURN = timedelta(hours=1)
"""What came back once ends only when it has been quiet this long: no message at every swing."""


def settle(db: Database, model: str, cause: str, channels: Sequence[str]) -> Incident | None:
    """Resolve the open incident of a model and cause if all its alerts have ended, and tell so."""
    with db.read() as session:
        if _over(session, find_open(session, model, cause), db.clock()) is None:
            return None
    try:
        with db.command(WORKER, "incident.resolve") as command:
            incident = find_open(command.session, model, cause, lock=True)
            ended = _over(command.session, incident, command.now)
            if incident is None or ended is None:
                raise ConflictError("this incident has changed at the same moment")
            _resolve(command, incident, ended, channels)
            return incident
    except ConflictError:  # a person or another worker was faster
        return None


def over(db: Database, incident: Incident, why: str, channels: Sequence[str]) -> Incident | None:
    """End the alerts of an incident whose cause is known to be gone, and with them the incident."""
    with db.command(WORKER, "alert.fire") as command:
        command.note(model=incident.model, incident=incident.id)
        for alert in alerts(command.session, incident.id, lock=True):
            if alert.state != "resolved":
                end_alert(command, alert, why)
    return settle(db, incident.model, incident.cause, channels)


def _over(session: Session, incident: Incident | None, now: datetime) -> list[Alert] | None:
    """Return the ended alerts of an incident that is over, else None."""
    found = alerts(session, incident.id) if incident else []
    if incident is None or not found or any(alert.state != "resolved" for alert in found):
        return None
    if not any("again" in line for line in incident.timeline):
        return found
    last = max((alert.ended_at for alert in found if alert.ended_at), default=incident.opened_at)
    stirs = any(silences.cause_of(row) == incident.cause for row in _pending(session, incident))
    return None if stirs or now - last < QUIET_AFTER_RETURN else found


def _pending(session: Session, incident: Incident) -> list[Alert]:
    return reading.found(session, model=incident.model, state="pending")


def _resolve(
    command: Command, incident: Incident, ended: list[Alert], channels: Sequence[str]
) -> None:
    newest = max(ended, key=lambda alert: (alert.ended_at or alert.at, alert.id))
    why = f"The cause is gone: {newest.ended_because}."
    lasted = f"It lasted {duration(command.now - incident.opened_at)}."
    incident.state, incident.resolved_at = "resolved", command.now
    command.note(model=incident.model, incident=incident.id, reason=why)
    add(command, incident, f"resolved by itself. {why} {lasted}", ended="itself")
    if not any(_silenced(command, incident, alert) for alert in ended):
        tell(command, channels, incident, f"Over: {incident.title}", f"{why} {lasted}")


def _silenced(command: Command, incident: Incident, alert: Alert) -> bool:
    about = silences.about(alert) | {"severity": incident.severity}
    return silences.covering(command.session, command.now, **about) is not None


def duration(lasted: timedelta) -> str:
    """Say how long something lasted.

    >>> duration(timedelta(minutes=42)), duration(timedelta(hours=3)), duration(timedelta(days=4))
    ('42 min', '3.0 h', '4.0 days')
    """
    minutes = lasted / timedelta(minutes=1)
    if minutes < 90:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"
