"""Alerts, incidents and silences as plain values, for REST and for `--json`."""

from datetime import datetime

from core.incidents import silences
from core.incidents.silences import Preview
from core.tables.base import Json
from core.tables.entities import Alert, Incident, Silence

_ALERT = (
    *("id", "model", "version", "rule", "severity", "state", "value", "threshold", "sentence"),
    *("seen_at", "ended_at", "ended_because", "incident_id", "report_id"),
)
_INCIDENT = (
    *("id", "model", "version", "state", "severity", "cause", "title", "owner"),
    *("opened_at", "resolved_at"),
)
_SILENCE = ("id", "matchers", "author", "comment", "starts_at", "ends_at", "ended_by")


def alert(row: Alert) -> Json:
    """Return an alert as plain values."""
    own = {name: getattr(row, name) for name in _ALERT}
    return {**own, "since": row.at, "reports": row.fired}


def incident(row: Incident) -> Json:
    """Return an incident with its timeline as plain values."""
    lines = [{name: line[name] for name in ("at", "who", "what")} for line in row.timeline]
    return {**{name: getattr(row, name) for name in _INCIDENT}, "timeline": lines}


def silence(row: Silence, now: datetime) -> Json:
    """Return a silence, with what the clock says of it, as plain values."""
    own = {name: getattr(row, name) for name in _SILENCE}
    covers, state = silences.describe(row.matchers), silences.state(row, now)
    return {**own, "covers": covers, "state": state}


def preview(shown: Preview) -> Json:
    """Return what a silence would cover as plain values."""
    return {
        "sentence": shown.sentence,
        "now": [alert(row) for row in shown.now],
        "last_7_days": len(shown.before),
        "incidents": [row.title for row in shown.incidents],
    }
