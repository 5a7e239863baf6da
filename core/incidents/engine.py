"""The alert engine: from the signals of a monitor report to alerts, incidents and messages.

A signal that fires makes an alert, pending until as many reports in a row say so as its rule asks
for; then it fires and opens the incident of its model and cause, or extends it. As many good
reports in a row end the alert, and the last alert to end ends the incident. A signal that comes to
no conclusion changes nothing. It reads the report's signals and the stored alerts, nothing else.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from core import outbox
from core.db import Command, Database
from core.errors import ConflictError
from core.ids import new_id
from core.incidents import reading, rules, silences
from core.incidents.ending import settle
from core.incidents.firing import fire, repeat, title
from core.incidents.lifecycle import WORKER, end_alert, find_open, fingerprint, graver
from core.incidents.rules import Watch
from core.monitoring import signals
from core.monitoring.signals import Signal
from core.settings import Settings
from core.specs import ModelSpec
from core.specs.alerts import RULES
from core.tables.entities import Alert, Incident
from core.tables.telemetry import MonitorReport

TRIES = 4
"""Two workers that are told the same at once: the slower one looks again."""

Step = Literal["pend", "fire", "repeat", "suppress", "quiet", "end"]


@dataclass(frozen=True)
class Considered:
    """What followed from a report: incidents that opened (also again), and that ended.

    `incident` is the gravest one of this model that is not resolved.
    """

    opened: tuple[Incident, ...]
    resolved: tuple[Incident, ...]
    incident: Incident | None


@dataclass(frozen=True)
class _Told:
    """One signal with all that is needed to act on it."""

    spec: ModelSpec
    report: MonitorReport
    signal: Signal
    watch: Watch
    channels: tuple[str, ...]

    @property
    def mark(self) -> str:
        return fingerprint(self.spec.name, self.watch.cause, self.watch.name)

    @property
    def severity(self) -> str:
        return self.watch.severity_of(self.signal)


def consider(
    db: Database, settings: Settings, spec: ModelSpec, report: MonitorReport
) -> Considered:
    """Let a report raise, extend and end alerts and incidents; a second time changes nothing.

    A report of a backfill changes nothing either: it is about the past.
    """
    opened: list[Incident] = []
    ended: list[Incident] = []
    channels = tuple(outbox.channels(settings))
    for signal in signals.read(report) if report.origin != "backfill" else ():
        told = _Told(spec, report, signal, rules.of(spec, signal.rule), channels)
        if incident := _act(db, told):
            opened.append(incident)
        if incident := settle(db, spec.name, told.watch.cause, channels):
            ended.append(incident)
    with db.read() as session:
        return Considered(tuple(opened), tuple(ended), gravest(session, spec.name))


def gravest(session: Session, model: str) -> Incident | None:
    """Return the gravest unresolved incident of a model that alert rules opened, or None."""
    causes = dict.fromkeys(rule.cause for rule in RULES.values())
    worst: Incident | None = None
    for cause in causes:
        one = find_open(session, model, cause)
        if one is not None and (worst is None or graver(one.severity, worst.severity)):
            worst = one
    return worst


def _act(db: Database, told: _Told) -> Incident | None:
    """Take the step that is due; returns the incident that it opened."""
    for attempt in range(TRIES):
        with db.read() as session:
            step = _due(session, told, reading.find_live(session, told.mark), db)
        if step is None:
            return None
        try:
            with db.command(WORKER, "incident.open" if step == "fire" else "alert.fire") as command:
                command.note(model=told.spec.name, rule=told.watch.name, report=told.report.id)
                alert = reading.find_live(command.session, told.mark, lock=True)
                if _due(command.session, told, alert, db) != step:
                    raise ConflictError("another worker considered this alert at the same moment")
                return _take(command, told, step, alert)
        except ConflictError:
            if attempt == TRIES - 1:
                raise
    return None


def _due(session: Session, told: _Told, alert: Alert | None, db: Database) -> Step | None:
    """Return what this signal asks for, given the live alert of its rule."""
    judged, newest = told.watch.judged(told.signal), reading.newest(session, told.mark)
    if newest is not None and newest.newest_report_id == told.report.id:
        return None
    if judged == "firing":
        return _due_bad(session, told, alert, db)
    if alert is None or judged == "unknown":
        return None
    if judged == "off" or alert.state == "pending":
        return "end"
    return "end" if alert.quiet + 1 >= told.watch.windows else "quiet"


def _due_bad(session: Session, told: _Told, alert: Alert | None, db: Database) -> Step:
    if alert is not None and alert.state == "firing":
        return "repeat"
    confirmed = alert is not None and alert.state == "suppressed"
    if not confirmed and _fired(told, alert) < told.watch.needed(told.severity):
        return "pend"
    about = {"model": told.spec.name, "rule": told.watch.name, "cause": told.watch.cause}
    silence = silences.covering(session, db.clock(), **about, severity=told.severity)
    return "suppress" if silence else "fire"


def _fired(told: _Told, alert: Alert | None) -> int:
    """Count the reports in a row that fire; those on another version do not count."""
    if alert is None or (alert.state == "pending" and alert.version != told.report.version):
        return 1
    return alert.fired + 1


def _take(command: Command, told: _Told, step: Step, alert: Alert | None) -> Incident | None:
    if step in ("quiet", "end"):
        assert alert is not None  # noqa: S101, `_due` has seen it
        _good(command, told, step, alert)
        return None
    row, before = alert or _new(command, told), alert.version if alert else ""
    _seen(command, told, row, _fired(told, alert))
    if step == "fire":
        return fire(command, row, told.spec, title(told.watch, told.spec, row), told.channels)
    if step == "repeat":
        repeat(command, row, told.spec, told.channels, before=before)
    else:
        row.state = "pending" if step == "pend" else "suppressed"
        command.note(alert=row.id, state=row.state)
    return None


def _new(command: Command, told: _Told) -> Alert:
    row = Alert(
        id=new_id(command.now),
        model=told.spec.name,
        rule=told.watch.name,
        fingerprint=told.mark,
        state="pending",
        at=command.now,
    )
    command.session.add(row)
    return row


def _seen(command: Command, told: _Told, row: Alert, fired: int) -> None:
    signal = told.signal
    row.version, row.severity = told.report.version, told.severity
    row.value, row.threshold, row.sentence = signal.value, signal.threshold, signal.sentence
    row.report_id = row.newest_report_id = told.report.id
    row.seen_at, row.fired, row.quiet = command.now, fired, 0
    command.session.flush()


def _good(command: Command, told: _Told, step: Step, alert: Alert) -> None:
    alert.quiet, alert.newest_report_id = alert.quiet + 1, told.report.id
    command.note(alert=alert.id, state=alert.state)
    if step == "end":
        end_alert(command, alert, _why(told, alert))


def _why(told: _Told, alert: Alert) -> str:
    if told.watch.judged(told.signal) == "off":
        return rules.SWITCHED_OFF
    good = "a good report" if alert.quiet == 1 else f"{alert.quiet} good reports in a row"
    if alert.version != told.report.version:
        return f"{alert.version} no longer serves, and {good} on {told.report.version}"
    return f"{good} before it was confirmed" if alert.incident_id is None else good
