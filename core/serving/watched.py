"""What REST tells of the watch over models: stored reports, alerts and incidents, read as they are.

Nothing here looks at predictions one by one but the mean accuracy of `status`: the answers cost
the same at any traffic.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import jobs, predictions, releases, specs
from core.access import Actor
from core.clock import hour_of
from core.db import Database
from core.errors import NotFoundError
from core.serving.stored import newest_report
from core.specs import ModelSpec
from core.specs.alerts import KINDS, SEVERITIES
from core.tables.entities import Alert, Incident
from core.tables.operational import Job
from core.tables.telemetry import HourlyCount, MonitorReport

JOBS = ("monitor", "backfill")
_DRIFT_FIGURES = ("vocabulary_drift", "tfidf_drift", "threshold")
_COLUMN = ("name", "kind", "change", "detail", "distance", "p_value", "drifted")


def drift(session: Session, model: str) -> dict[str, Any]:
    """Return the newest drift check of the champion that judged a window, and what is pending.

    Before the first judged window the report says why; `state` is unchecked without any.
    """
    judged = newest_report(session, model, "drift", judged=True)
    waiting = newest_report(session, model, "drift", judged=False)
    report = judged or waiting
    if report is None:
        return {**_UNCHECKED, "model": model}
    figures = report.figures
    return {
        "model": model,
        "state": report.state,
        "drift_detected": bool(figures.get("drift_detected", report.state == "fail")),
        **{name: figures.get(name) for name in _DRIFT_FIGURES},
        "new_patterns": [term["term"] for term in figures.get("new_terms") or ()],
        "score": report.score,
        "p_value": report.p_value,
        "n": report.n_current,
        "sentence": report.sentence,
        "pending": waiting.sentence if waiting and waiting.at >= report.at else None,
        "timestamp": report.at.isoformat(),
        **_watch(figures),
        "columns": [
            {name: column.get(name) for name in _COLUMN} for column in figures.get("columns") or ()
        ],
        "campaigns": [
            {name: one.get(name) for name in ("size", "share", "example", "terms")}
            for one in figures.get("campaigns") or ()
        ],
    }


def _watch(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return how far the evidence is on its way to an alarm, over the checks together."""
    watch: Mapping[str, Any] = figures.get("watch") or {}
    return {
        "alarm": watch.get("alarm"),
        "budget_used": watch.get("used"),
        "families": watch.get("families") or {},
        "checks": watch.get("checks"),
        "leading": watch.get("leading") or None,
    }


_UNCHECKED: dict[str, Any] = {
    "state": "unchecked",
    "drift_detected": False,
    **dict.fromkeys((*_DRIFT_FIGURES, "score", "p_value", "timestamp")),
    "new_patterns": [],
    "n": 0,
    "sentence": "No drift check has run yet.",
    "pending": None,
    **_watch({}),
    "columns": [],
    "campaigns": [],
}


def status(session: Session, *, hours: int, now: datetime) -> dict[str, Any]:
    """Sum up all models over the last `hours` hours."""
    since = now - timedelta(hours=hours)
    total, errors, milliseconds = _volume(session, first=hour_of(now) - hours + 1)
    seen = select(Alert.severity).where(Alert.incident_id.is_not(None))  # the others told nobody
    alerts = Counter(session.scalars(seen.where(func.coalesce(Alert.seen_at, Alert.at) >= since)))
    known = specs.all_active(session)
    accuracy = [predictions.accuracy(session, spec.name, since=since) for spec in known]
    labelled = sum(one.n for one in accuracy)
    answered = total - errors
    return {
        "status": _worst(session),
        "hours": hours,
        "total_predictions": total,
        "avg_accuracy": sum(one.correct for one in accuracy) / labelled if labelled else None,
        "avg_latency_ms": milliseconds / answered if answered else None,
        "avg_error_rate": errors / total if total else None,
        "drift_incidents": _drift_incidents(session, since),
        "avg_data_quality": _quality(session, since),
        "alerts": {severity: alerts[severity] for severity in SEVERITIES},
        "models": [line for spec in known if (line := _line(session, spec))],
    }


def _volume(session: Session, *, first: int) -> tuple[int, int, float]:
    query = select(
        func.sum(HourlyCount.requests),
        func.sum(HourlyCount.errors),
        func.sum(HourlyCount.latency_ms_sum),
    ).where(HourlyCount.hour >= first, HourlyCount.variant != "shadow")
    total, errors, milliseconds = session.execute(query).one()
    return int(total or 0), int(errors or 0), float(milliseconds or 0)


def _worst(session: Session) -> str:
    """Say how the worst unresolved incident leaves us."""
    unresolved = set(
        session.scalars(select(Incident.severity).where(Incident.state != "resolved").distinct())
    )
    if "critical" in unresolved:
        return "critical"
    return "degraded" if unresolved else "healthy"


def _drift_incidents(session: Session, since: datetime) -> int:
    query = select(func.count()).select_from(Incident)
    return session.scalar(query.where(Incident.cause == "drift", Incident.opened_at >= since)) or 0


def _quality(session: Session, since: datetime) -> float | None:
    query = select(func.avg(MonitorReport.score)).where(
        MonitorReport.kind == "quality", MonitorReport.at >= since
    )
    return session.scalar(query)


def _line(session: Session, spec: ModelSpec) -> dict[str, Any] | None:
    """Return one model in a line: what serves, and what the newest checks say; None unreleased."""
    release = releases.find_current(session, spec.name)
    if release is None:
        return None
    newest = _newest(session, spec.name)
    seen = drift(session, spec.name)
    performance, estimate = newest.get("performance"), newest.get("estimate")
    labels: Mapping[str, Any] = (performance.figures.get("labels") if performance else None) or {}
    return {
        "model": spec.name,
        "version": releases.champion(release),
        "drift": seen["state"],
        "drift_score": seen["score"],
        "budget_used": seen["budget_used"],
        "accuracy": _figure(performance, "accuracy"),
        "estimated_accuracy": _figure(estimate, "accuracy"),
        "label_coverage": labels.get("coverage"),
        "open_incidents": len(_open(session, spec.name)),
    }


def _figure(report: MonitorReport | None, name: str) -> float | None:
    value = report.figures.get(name) if report is not None else None
    return float(value) if isinstance(value, int | float) else None


def _newest(session: Session, model: str) -> dict[str, MonitorReport]:
    """Return the newest report of each kind on the champion, of a judged window if there is one."""
    found = {}
    for kind in KINDS:
        judged = newest_report(session, model, kind, judged=True)
        if report := judged or newest_report(session, model, kind, judged=False):
            found[kind] = report
    return found


def dashboard(session: Session, name: str) -> dict[str, Any]:
    """Return what the pages on drift and performance say first of a model, and what is open.

    Raises: NotFoundError (no such model, or nothing of it is released).
    """
    spec = specs.active(session, name)
    release = releases.current(session, spec.name)
    newest = _newest(session, spec.name)
    checks = [{**_head(report), **_told(report)} for report in newest.values()]
    incidents = _open(session, spec.name)
    return {
        "model": spec.name,
        "title": spec.title,
        "version": releases.champion(release),
        "release": release.seq,
        "released_at": release.at.isoformat(),
        "finding": _finding(incidents, checks),
        "drift": drift(session, spec.name),
        "performance": _beside(newest),
        "checks": checks,
        "incidents": [
            {name: getattr(one, name) for name in ("id", "state", "severity", "cause", "title")}
            | {"owner": one.owner, "opened_at": one.opened_at.isoformat()}
            for one in incidents
        ],
        "alerts": _live_alerts(session, spec.name),
    }


def _beside(newest: Mapping[str, MonitorReport]) -> dict[str, Any]:
    """Return realised accuracy beside the estimated one, each with its interval, and labels."""
    realised, estimated = newest.get("performance"), newest.get("estimate")
    labels: Mapping[str, Any] = (realised.figures.get("labels") if realised else None) or {}
    shares = ("coverage", "lag_median_hours", "lag_p90_hours", "n_predictions", "n_labelled")
    return {
        "accuracy": _figure(realised, "accuracy"),
        "accuracy_interval": realised.figures.get("accuracy_interval") if realised else None,
        "estimated_accuracy": _figure(estimated, "accuracy"),
        "estimated_interval": estimated.figures.get("accuracy_interval") if estimated else None,
        "baseline_accuracy": _figure(realised, "baseline_accuracy")
        or _figure(estimated, "baseline_accuracy"),
        "f1": _figure(realised, "f1"),
        "labels": {name: labels.get(name) for name in shares},
    }


def _finding(incidents: Sequence[Incident], checks: Sequence[Mapping[str, Any]]) -> str:
    if incidents:
        return f"{incidents[0].title}." + (
            f" {len(incidents) - 1} more open." if len(incidents) > 1 else ""
        )
    if not checks:
        return "No check has run yet."
    bad = [one for one in checks if one["state"] in ("warn", "fail", "error")]
    return str(bad[0]["sentence"]) if bad else "Nothing is wrong that the checks know of."


def _open(session: Session, model: str) -> list[Incident]:
    """Return the unresolved incidents of a model, the gravest first."""
    query = select(Incident).filter_by(model=model).where(Incident.state != "resolved")
    found = session.scalars(query.order_by(Incident.opened_at))
    return sorted(found, key=lambda one: SEVERITIES.index(one.severity))


def _live_alerts(session: Session, model: str) -> dict[str, int]:
    """Count the alerts that have not ended, by state."""
    query = select(Alert.state, func.count()).filter_by(model=model)
    counted = query.where(Alert.state != "resolved").group_by(Alert.state)
    return {state: n for state, n in session.execute(counted)}


def listed(
    session: Session,
    *,
    model: str | None,
    kind: str | None,
    since: datetime | None,
    before: str | None,
    limit: int,
) -> dict[str, Any]:
    """Return a page of reports, the newest first; `next` is the `before` of the page behind it.

    Raises: NotFoundError (no such model).
    """
    query = select(MonitorReport)
    if model is not None:
        query = query.filter_by(model=specs.active(session, model).name)
    if kind is not None:
        query = query.filter_by(kind=kind)
    if since is not None:
        query = query.where(MonitorReport.at >= since)
    if before is not None:
        query = query.where(MonitorReport.id < before)
    rows = list(session.scalars(query.order_by(MonitorReport.id.desc()).limit(limit + 1)))
    shown = rows[:limit]
    more = shown[-1].id if len(rows) > limit else None
    return {"reports": [_head(row) for row in shown], "next": more}


def report(session: Session, report_id: str) -> dict[str, Any]:
    """Return one report with its figures. Raises: NotFoundError."""
    row = session.get(MonitorReport, report_id)
    if row is None:
        raise NotFoundError(f"there is no monitor report {report_id}")
    return {
        **_head(row),
        **_told(row),
        "method": row.method,
        "assumptions": row.assumptions,
        "figures": row.figures,
    }


def _head(row: MonitorReport) -> dict[str, Any]:
    return {
        "id": row.id,
        "model": row.model,
        "version": row.version,
        "kind": row.kind,
        "origin": row.origin,
        "state": row.state,
        "sentence": row.sentence,
        "score": row.score,
        "p_value": row.p_value,
        "n": row.n_current,
        "window_start": row.window_start.isoformat(),
        "window_end": row.window_end.isoformat(),
        "at": row.at.isoformat(),
    }


def _told(row: MonitorReport) -> dict[str, Any]:
    """Return what a report says to the alert rules."""
    names = ("rule", "state", "severity", "value", "threshold", "sentence", "n")
    signals = row.figures.get("signals") or []
    return {"signals": [{name: one.get(name) for name in names} for one in signals]}


def ask(db: Database, actor: Actor, model: str) -> Job:
    """Queue a check of a model now; while one is queued or running, that is returned.

    Raises: NotFoundError (no such model, nothing released); ForbiddenError; ConflictError.
    """
    with db.read() as session:
        name = specs.active(session, model).name
        releases.current(session, name)
    return jobs.request(
        db, actor, "monitor", {"model": name}, key=f"monitor-asked:{name}", again=True
    )


def job(session: Session, job_id: str) -> dict[str, Any]:
    """Return how far a check is and what it found. Raises: NotFoundError (no check has this id)."""
    row = session.get(Job, job_id)
    if row is None or row.kind not in JOBS:
        raise NotFoundError("there is no check with this job id")
    return {
        "job_id": row.id,
        "kind": row.kind,
        "model": row.payload.get("model"),
        "status": row.state,
        "done": row.done,
        "total": row.total,
        "note": row.note,
        "error": row.error,
        "found": _found(row.result or {}),
        "asked_at": row.created_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
    }


def _found(result: Mapping[str, Any]) -> list[str]:
    """Return what a check or a backfill found, in sentences."""
    if "windows" in result:
        return [f"{result['windows']} windows judged, {result['drifted']} of them drifted."]
    return [str(one) for one in result.get("reports") or ()]
