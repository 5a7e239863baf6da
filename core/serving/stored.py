"""Figures from the database that change slowly; read now and then by the refresh thread."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import predictions, releases
from core.tables.entities import Run
from core.tables.operational import Job
from core.tables.telemetry import JUDGED, MonitorReport


@dataclass(frozen=True, slots=True)
class Stored:
    """Trainings, drift, accuracy and the queue, as of the last look."""

    trainings: Mapping[tuple[str, str], int] = field(default_factory=dict)
    training_seconds: Mapping[str, float] = field(default_factory=dict)
    drift_scores: Mapping[str, float] = field(default_factory=dict)
    accuracies: Mapping[str, float] = field(default_factory=dict)
    jobs_waiting: int = 0


def read(session: Session, models: list[str], now: datetime) -> Stored:
    """Read the figures of `models`; accuracy over the last day."""
    ended = ("finished", "failed", "cancelled")
    counts = select(Run.model, Run.state, func.count()).where(Run.state.in_(ended))
    rows = session.execute(counts.group_by(Run.model, Run.state)).all()
    waiting = select(func.count()).select_from(Job).where(Job.state == "queued")
    since = now - timedelta(days=1)
    return Stored(
        trainings={(model, state): n for model, state, n in rows},
        training_seconds=_known({model: _seconds(session, model) for model in models}),
        drift_scores=_known({model: _drift(session, model) for model in models}),
        accuracies=_known(
            {model: predictions.accuracy(session, model, since=since).accuracy for model in models}
        ),
        jobs_waiting=session.scalar(waiting) or 0,
    )


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _seconds(session: Session, model: str) -> float | None:
    query = select(Run).where(Run.model == model, Run.state == "finished")
    run = session.scalars(query.order_by(Run.finished_at.desc()).limit(1)).first()
    if run is None or run.started_at is None or run.finished_at is None:
        return None
    return (run.finished_at - run.started_at).total_seconds()


def _drift(session: Session, model: str) -> float | None:
    report = newest_report(session, model, "drift", judged=True)
    return report.score if report else None


def newest_report(session: Session, model: str, kind: str, *, judged: bool) -> MonitorReport | None:
    """Return the newest live report of a kind on what serves, made since it serves."""
    release = releases.find_current(session, model)
    if release is None:
        return None
    query = select(MonitorReport).filter_by(
        model=model, version=releases.champion(release), kind=kind, origin="live"
    )
    query = query.where(MonitorReport.at >= releases.serving_since(session, model))
    known = MonitorReport.state.in_(JUDGED)
    newest = (MonitorReport.at.desc(), MonitorReport.window_end.desc())
    return session.scalars(
        query.where(known if judged else ~known).order_by(*newest).limit(1)
    ).first()
