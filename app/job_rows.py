"""Jobs of the queue as rows: what each does and what it is about, in words."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app import ui
from core import actions, recommendations, runs
from core.tables.operational import Job

WORDS = {
    "train": "train",
    "track": "copy a training to MLflow",
    "mirror": "copy what serves to MLflow",
    "validate": "check data",
    "propose_promotion": "propose a release",
    "monitor": "check the model",
    "judge_again": "judge a version again",
    "investigate": "look into it",
    "answer": "answer a question",
    "execute": "carry out",
    "evidently_report": "make the full report",
    "backfill": "check the past",
    "drill": "fire drill",
}


def names(session: Session) -> dict[str, str]:
    """Return what the newest runs and actions are about, by their id."""
    found = {run.id: run.model for run in runs.history(session, limit=50)}
    for row in actions.recent(session, limit=50):
        found[row.id] = recommendations.title(row.model, row.kind, row.arguments)
    return found


def about(payload: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """Say which model or thing a job is about; nothing rather than an id.

    >>> about({"model": "spam"}, {}), about({"action_id": "7"}, {"7": "Retrain spam"})
    ('spam', 'Retrain spam')
    """
    named = str(payload.get("run_id") or payload.get("action_id") or "")
    return str(payload.get("model") or known.get(named, ""))


def rows(found: Iterable[Job], known: Mapping[str, str], now: datetime) -> Iterable[dict[str, Any]]:
    """Return jobs, ready to be shown."""
    for job in found:
        yield {
            "job": WORDS.get(job.kind, job.kind.replace("_", " ")),
            "about": about(job.payload, known),
            "state": job.state,
            "progress": f"{min(job.done, job.total)} of {job.total}" if job.total else "",
            "attempts": job.attempts,
            "created": ui.when(job.created_at, now),
            "error": job.error or "",
        }
