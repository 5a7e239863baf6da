"""Reading alerts: those of an incident, those that live, and all of them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.specs import canonical
from core.tables.entities import Alert

STATES = ("pending", "firing", "suppressed", "resolved")


def alerts(session: Session, incident_id: str, *, lock: bool = False) -> list[Alert]:
    """Return the alerts of an incident, the oldest first."""
    query = select(Alert).filter_by(incident_id=incident_id).order_by(Alert.at, Alert.id)
    return list(session.scalars(query.with_for_update() if lock else query))


def find_live(session: Session, fingerprint: str, *, lock: bool = False) -> Alert | None:
    """Return the alert of this fingerprint that has not ended, or None."""
    query = select(Alert).filter_by(fingerprint=fingerprint).where(Alert.state != "resolved")
    return session.scalars(query.with_for_update() if lock else query).first()


def newest(session: Session, fingerprint: str) -> Alert | None:
    """Return the newest alert of this fingerprint, ended or not, or None."""
    query = select(Alert).filter_by(fingerprint=fingerprint).order_by(Alert.id.desc())
    return session.scalars(query.limit(1)).first()


def found(
    session: Session,
    *,
    model: str | None = None,
    state: str | None = None,
    severity: str | None = None,
    rule: str | None = None,
    live: bool = False,
    limit: int = 200,
) -> list[Alert]:
    """Return alerts, the newest first; with `live` those only that have not ended."""
    query = select(Alert).order_by(Alert.at.desc(), Alert.id.desc()).limit(limit)
    if model is not None:
        query = query.filter_by(model=canonical(model))
    for column, wanted in ((Alert.state, state), (Alert.severity, severity), (Alert.rule, rule)):
        if wanted is not None:
            query = query.where(column == wanted)
    if live:
        query = query.where(Alert.state != "resolved")
    return list(session.scalars(query))
