"""What follows from the clock and the specs, and from no report: looked at every few seconds."""

from sqlalchemy.orm import Session

from core import outbox, specs
from core.db import Command, Database
from core.errors import ConflictError
from core.incidents import lifecycle, outside, reading, rules, silences
from core.incidents.ending import settle
from core.incidents.firing import fire, title
from core.incidents.lifecycle import WORKER, end_alert
from core.settings import Settings
from core.specs import ModelSpec
from core.specs.alerts import RULES
from core.tables.entities import Alert

FIRES = "fires"


def look(db: Database, settings: Settings) -> int:
    """Let alerts fire whose silence is over, and end those whose rule or model is gone.

    Incidents whose last alert has ended are resolved here where no report tells of their cause.
    Returns how many alerts and incidents changed. Any number of workers may look at once.
    """
    with db.read() as session:
        due = [row for row in reading.found(session, live=True) if _due(db, session, row)]
    channels = tuple(outbox.channels(settings))
    changed = sum(_act(db, row, channels) for row in due)
    with db.read() as session:
        known = [(one.model, one.cause) for one in lifecycle.all(session, open_only=True)]
    return changed + sum(settle(db, *one, channels) is not None for one in known)


def _due(db: Database, session: Session, row: Alert) -> str:
    """Return `FIRES`, why the alert ends, or nothing."""
    if row.model == outside.ALL:
        return ""
    spec = _spec(session, row)
    if spec is None:
        return "the model was archived"
    if row.rule not in RULES:
        return ""
    watch = rules.of(spec, row.rule)
    if not watch.enabled:
        return rules.SWITCHED_OFF
    if row.state != "suppressed" or row.quiet:
        return ""
    covered = silences.covering(session, db.clock(), **silences.about(row))
    return "" if covered else FIRES


def _spec(session: Session, row: Alert) -> ModelSpec | None:
    newest = specs.find_row(session, row.model)
    return specs.parse(newest.yaml) if newest and newest.state == "active" else None


def _act(db: Database, row: Alert, channels: tuple[str, ...]) -> bool:
    with db.read() as session:
        fires = _due(db, session, row) == FIRES
    try:
        with db.command(WORKER, "incident.open" if fires else "alert.fire") as command:
            command.note(model=row.model, rule=row.rule, alert=row.id)
            alert = reading.find_live(command.session, row.fingerprint, lock=True)
            due = _due(db, command.session, alert) if alert else ""
            if alert is None or not due or (due == FIRES) != fires:
                raise ConflictError("this alert has changed at the same moment")
            if fires:
                _fire(command, alert, channels)
            else:
                end_alert(command, alert, due)
    except ConflictError:  # another worker was faster, or a report was
        return False
    return True


def _fire(command: Command, alert: Alert, channels: tuple[str, ...]) -> None:
    spec = specs.active(command.session, alert.model)
    name = title(rules.of(spec, alert.rule), spec, alert)
    if incident := fire(command, alert, spec, name, channels):
        command.note(incident=incident.id)
