"""What an alert that fires does: open its incident, extend it, or open it again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import policies, releases
from core.db import Command
from core.incidents import silences
from core.incidents.lifecycle import (
    add,
    begin,
    find_open,
    graver,
    newest_resolved,
    raise_to,
    tell,
)
from core.incidents.rules import Watch
from core.specs import ModelSpec
from core.tables.entities import Alert, Incident

AGAIN = timedelta(hours=1)
"""What fires again this soon after it ended by itself is the same incident, not a new one."""

NEW_LINE = timedelta(hours=1)
"""An alert that goes on says so in the timeline this often, unless something changed."""

BESIDE = {
    "data_quality": "inputs are broken at the same time",
    "serving": "a release cannot be served at the same time",
}


def title(watch: Watch, spec: ModelSpec, alert: Alert) -> str:
    """Return what the incident of an alert is called."""
    return f"{watch.title}: {spec.title} {alert.version}"


def fire(
    command: Command, alert: Alert, spec: ModelSpec, name: str, channels: Sequence[str]
) -> Incident | None:
    """Let an alert fire; returns the incident where it is new or open again.

    A new one and one that is open again are told, a further alert of an open one is a line.
    """
    cause = silences.cause_of(alert)
    alert.state = "firing"
    known = find_open(command.session, alert.model, cause, lock=True)
    incident = known or _again(command, alert, cause) or _first(command, alert, cause, name)
    alert.incident_id = incident.id
    command.note(alert=alert.id, incident=incident.id, finding=alert.sentence)
    add(command, incident, _said(alert), rule=alert.rule)
    if known:
        repeat(command, alert, spec, channels, before=incident.version, said=True)
        return None
    if incident.opened_at == command.now:
        _beside(command, incident, spec)
    subject = incident.title if incident.opened_at == command.now else f"Again: {incident.title}"
    tell(command, channels, incident, subject, alert.sentence)
    return incident


def _said(alert: Alert) -> str:
    return alert.sentence if alert.fired < 2 else f"{alert.sentence} ({alert.fired} reports so far)"


def _first(command: Command, alert: Alert, cause: str, name: str) -> Incident:
    return begin(command, alert.model, alert.version, cause, alert.severity, name)


def _again(command: Command, alert: Alert, cause: str) -> Incident | None:
    """Open the incident again that ended by itself a short time ago."""
    row = newest_resolved(command.session, alert.model, cause)
    if row is None or row.resolved_at is None or command.now - row.resolved_at > AGAIN:
        return None
    ends = [line for line in row.timeline if "ended" in line]
    if not ends or ends[-1]["ended"] != "itself":  # a person's word stands: a new incident follows
        return None
    row.state, row.resolved_at = "acknowledged" if row.owner else "open", None
    row.version = alert.version
    if graver(alert.severity, row.severity):
        row.severity = alert.severity
    add(command, row, "open again: it came back within an hour", again="yes")
    return row


def repeat(
    command: Command,
    alert: Alert,
    spec: ModelSpec,
    channels: Sequence[str],
    *,
    before: str,
    said: bool = False,
) -> None:
    """Extend the incident of an alert that goes on; `before`: the version it was seen in before.

    A line for each change, otherwise one an hour. Under a silence nothing more is sent.
    """
    incident = command.session.get_one(Incident, alert.incident_id, with_for_update=True)
    command.note(alert=alert.id, incident=incident.id)
    silence = silences.covering(command.session, command.now, **silences.about(alert))
    if silence and not any(line.get("silence") == silence.id for line in incident.timeline):
        until = f"{silence.ends_at:%Y-%m-%d %H:%M} UTC"
        words = f"{silence.author} silenced this until {until}: {silence.comment}"
        add(command, incident, words, silence=silence.id)
    incident.version = alert.version
    if before not in ("", alert.version):
        add(command, incident, f"{alert.version} serves now, and it goes on", rule=alert.rule)
    raised = raise_to(
        command, incident, alert.severity, alert.sentence, () if silence else channels
    )
    if not said and (raised or command.now - _last_line(incident, alert) >= NEW_LINE):
        add(command, incident, _said(alert), rule=alert.rule)


def _last_line(incident: Incident, alert: Alert) -> datetime:
    lines = [line["at"] for line in incident.timeline if line.get("rule") == alert.rule]
    return datetime.fromisoformat(lines[-1]) if lines else incident.opened_at


def _beside(command: Command, incident: Incident, spec: ModelSpec) -> None:
    """Say what else is wrong with the model, here and there: often one explains the other."""
    others = select(Incident).filter_by(model=incident.model).where(Incident.state != "resolved")
    for other in command.session.scalars(others.where(Incident.id != incident.id)):
        if words := BESIDE.get(other.cause):
            add(command, incident, f"{words}: {other.title}", beside=other.id)
        if words := BESIDE.get(incident.cause):
            add(command, other, f"{words}: {incident.title}", beside=incident.id)
    if words := _release(command.session, incident, spec, command.now):
        add(command, incident, words)


def _release(session: Session, incident: Incident, spec: ModelSpec, now: datetime) -> str:
    policy = policies.in_force(session, spec.name).policy
    past = releases.history(session, incident.model)
    if len(past) < 2:
        return ""
    newest = max(past, key=lambda release: release.seq)
    hours = (now - newest.at) / timedelta(hours=1)
    if hours > policy.recent_release_hours:
        return ""
    return f"release {newest.seq} ({releases.label(newest)}) began to serve {hours:.1f} h before"
