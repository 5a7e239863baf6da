"""From "this release cannot be loaded", said by an api process, to an incident, and to its end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import incidents, outbox, releases
from core.clock import hour_of
from core.db import Database
from core.incidents import Finding, Opened
from core.serving import problems
from core.settings import Settings
from core.tables.entities import Incident, Release
from core.tables.telemetry import Prediction

CAUSE = "serving"


def alarm(db: Database, settings: Settings, told: Mapping[str, Any]) -> Opened:
    """Open an incident for a release that an api process could not load, or extend the open one.

    `told`: the row of `core.serving.problems.record`. Several processes tell of the same release;
    it counts once. Nothing serves at all where `told["serves"]` is None: then it is critical.
    """
    model, version, serves = told["model"], told["version"], told["serves"]
    instead = f"release {serves} serves on" if serves else "nothing serves instead"
    return incidents.open(
        db,
        model=model,
        version=version,
        cause=CAUSE,
        severity="high" if serves else "critical",
        title=f"{model} {version} was released and cannot be served",
        finding=Finding(
            rule="release_cannot_serve",
            value=1.0,
            threshold=0.0,
            report_id=f"release:{told['seq']}:{told['why']}"[:200],
            sentence=f"Release {told['seq']}: {told['why']}; {instead}.",
        ),
        channels=outbox.channels(settings),
    )


def clear(db: Database, settings: Settings) -> list[Incident]:
    """Resolve the incidents of releases that serve by now, or that a newer one has followed.

    While a process that could not load it says nothing else, that another one answers proves
    nothing. A process that ended, or was not heard for `problems.GONE_AFTER`, holds up nobody.
    """
    with db.read() as session:
        known = [one for one in incidents.all(session, open_only=True) if one.cause == CAUSE]
        served = [(one, _over(session, one, db.clock())) for one in known]
    channels = outbox.channels(settings)
    ended = [incidents.over(db, one, why, channels) for one, why in served if why]
    return [one for one in ended if one is not None]


def _over(session: Session, incident: Incident, now: datetime) -> str:
    """Say what shows that an incident is over, or nothing."""
    told = [int(row.report_id.split(":")[1]) for row in incidents.alerts(session, incident.id)]
    release = releases.find_current(session, incident.model)
    if release is None or not told or release.seq < max(told):
        return ""
    what = f"release {release.seq} ({releases.label(release)})"
    if release.seq > max(told) and _answers(session, release, now):
        return f"{what} answers"
    last = problems.newest(session, incident.model, now)
    if any(one["state"] == "failed" for one in last):
        return ""
    if any((one["state"], one["seq"]) == ("serves", release.seq) for one in last):
        return f"{what} is loaded now wherever it could not be"
    return f"{what} answers, and no process fails to load it" * _answers(session, release, now)


def _answers(session: Session, release: Release, now: datetime) -> bool:
    """Say whether a release has answered lately."""
    hour = hour_of(now)  # the newest two hours: an index finds them, however many answers there are
    query = select(Prediction.id).filter_by(model=release.model, release_seq=release.seq)
    query = query.where(
        Prediction.hour.in_((hour, hour - 1)), Prediction.version == releases.champion(release)
    )
    return session.scalars(query.limit(1)).first() is not None
