"""Alerts from other systems: they open, extend and end incidents as our own rules do.

Who sends them says the same again every few hours, and again when it is over: the alert is known by
its fingerprint, so that saying it twice changes nothing. Its words are a stranger's: cut short, and
never evidence.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core import jobs, outbox, releases, specs
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError, NotFoundError
from core.ids import new_id
from core.incidents import reading, silences
from core.incidents.ending import settle
from core.incidents.lifecycle import add, begin, end_alert, find_open, raise_to, tell
from core.monitoring.labels import short
from core.settings import Settings
from core.tables.entities import Alert

ALL = silences.NO_MODEL

SEVERITIES = {
    "critical": "critical", "page": "critical", "error": "high", "high": "high", "warning": "high",
    "medium": "medium", "info": "low", "low": "low", "none": "low",
}  # fmt: skip
LONGEST_NAME, LONGEST_SENTENCE = 60, 300
PREFIX = "outside_"
TRIES = 3


@dataclass(frozen=True)
class OutsideAlert:
    """One alert as another system tells it; `mark` is its fingerprint there."""

    name: str
    model: str
    severity: str
    sentence: str
    mark: str
    firing: bool


@dataclass(frozen=True)
class Received:
    """What followed from alerts that were told: how many incidents, and of the rest why not."""

    opened: int = 0
    extended: int = 0
    resolved: int = 0
    unchanged: int = 0


def read(
    labels: Mapping[str, str], annotations: Mapping[str, str], *, mark: str, firing: bool
) -> OutsideAlert:
    """Return an alert from its labels and annotations (Alertmanager's words)."""
    name = short(labels.get("alertname") or "alert", LONGEST_NAME)
    told = annotations.get("summary") or annotations.get("description") or name
    given = (labels.get("severity") or "").lower()
    identity = mark or repr(sorted(labels.items()))
    return OutsideAlert(
        name=name,
        model=specs.canonical(labels.get("model", ""))[:100],
        severity=SEVERITIES.get(given, "high"),
        sentence=short(told, LONGEST_SENTENCE),
        mark=hashlib.sha256(identity.encode(errors="replace")).hexdigest()[:16],
        firing=firing,
    )


def cause_of(name: str) -> str:
    """Return the cause under which alerts of one name are one incident of a model.

    >>> cause_of("High error-rate: eu")
    'outside_high_error_rate_eu'
    """
    return f"{PREFIX}{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_') or 'alert'}"


def receive(
    db: Database, settings: Settings, actor: Actor, told: Sequence[OutsideAlert]
) -> Received:
    """Take alerts one by one, each in a transaction of its own; said again they change nothing.

    Raises: ForbiddenError; UnavailableError (those before it are taken; say all of it again).
    """
    counts = {"opened": 0, "extended": 0, "resolved": 0, "unchanged": 0}
    channels = outbox.channels(settings)
    for one in told:
        counts[_take(db, actor, one, channels)] += 1
    return Received(**counts)


def _take(db: Database, actor: Actor, told: OutsideAlert, channels: list[str]) -> str:
    model = _known(db, told.model)
    mark = f"{model}:{cause_of(told.name)}:{told.mark}"
    if not told.firing:
        return _over(db, actor, model, told, mark, channels)
    for attempt in range(TRIES):
        try:
            with db.command(actor, "alert.receive") as command:
                command.note(model=model, alert=told.name, says=told.sentence)
                return _fire(command, model, told, mark, channels)
        except ConflictError:  # told twice at the same moment: look again
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _known(db: Database, model: str) -> str:
    with db.read() as session:
        try:
            return specs.active(session, model).name if model else ALL
        except NotFoundError:
            return ALL


def _over(
    db: Database, actor: Actor, model: str, told: OutsideAlert, mark: str, channels: list[str]
) -> str:
    with db.read() as session:
        if reading.find_live(session, mark) is None:
            return "unchanged"
    with db.command(actor, "alert.receive") as command:
        command.note(model=model, alert=told.name)
        alert = reading.find_live(command.session, mark, lock=True)
        if alert is None:  # told twice at the same moment
            return "unchanged"
        end_alert(command, alert, "its own system says that it is over")
    settle(db, model, cause_of(told.name), channels)
    return "resolved"


def _fire(command: Command, model: str, told: OutsideAlert, mark: str, channels: list[str]) -> str:
    session, cause = command.session, cause_of(told.name)
    alert = reading.find_live(session, mark, lock=True)
    if alert is not None and alert.state == "firing":
        alert.seen_at, alert.fired = command.now, alert.fired + 1
        return "unchanged"
    alert = alert or _new(command, model, told, mark)
    alert.severity, alert.sentence, alert.seen_at = told.severity, told.sentence, command.now
    about = {"model": model, "rule": told.name, "cause": cause, "severity": told.severity}
    if silences.covering(session, command.now, **about):
        alert.state = "suppressed"
        return "unchanged"
    return _into_incident(command, alert, cause, channels)


def _new(command: Command, model: str, told: OutsideAlert, mark: str) -> Alert:
    serves = releases.find_current(command.session, model)
    alert = Alert(
        id=new_id(command.now),
        model=model,
        version=releases.champion(serves) if serves else "",
        rule=told.name,
        fingerprint=mark,
        state="pending",
        value=1.0,
        threshold=0.0,
        report_id="",
        at=command.now,
    )
    command.session.add(alert)
    return alert


def _into_incident(command: Command, alert: Alert, cause: str, channels: list[str]) -> str:
    session, alert.state = command.session, "firing"
    known = find_open(session, alert.model, cause, lock=True)
    whose = "all models" if alert.model == ALL else alert.model
    title = f"{alert.rule}, told by another system: {whose}"
    incident = known or begin(command, alert.model, alert.version, cause, alert.severity, title)
    alert.incident_id = incident.id
    add(command, incident, alert.sentence, rule=alert.rule)
    if known:
        raise_to(command, incident, alert.severity, alert.sentence, channels)
        return "extended"
    tell(command, channels, incident, title, alert.sentence)
    if alert.model != ALL and alert.version:
        _diagnose(command, incident.id, alert)
    return "opened"


def _diagnose(command: Command, incident_id: str, alert: Alert) -> None:
    """Ask the agent what our own facts say, as after an alarm of ours."""
    jobs.enqueue(
        command.session,
        "investigate",
        {"model": alert.model, "incident_id": incident_id},
        now=command.now,
        key=f"investigate:{incident_id}:{alert.id}",
    )
