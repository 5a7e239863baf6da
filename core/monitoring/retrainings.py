"""How the trainings of a model ended: finished, refused by the gate, failed or cancelled."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.specs import canonical
from core.tables.entities import ModelVersion, Run

Outcome = Literal["succeeded", "refused", "failed", "cancelled", "under way"]
OUTCOMES: tuple[Outcome, ...] = ("succeeded", "refused", "failed", "cancelled", "under way")
_KINDS = ("train", "retrain")


@dataclass(frozen=True, slots=True)
class Training:
    """One training: when it was asked for, by what, how it ended, and the version it made."""

    run_id: str
    at: datetime
    kind: str
    trigger: str
    outcome: Outcome
    version: str | None
    seconds: float | None  # None while it is under way
    why: str


@dataclass(frozen=True, slots=True)
class Success:
    """How many of the `n` trainings that ended made a version that the gate did not refuse."""

    n: int
    counts: dict[Outcome, int]

    @property
    def rate(self) -> float | None:
        """Share that succeeded; None before any training ended."""
        return self.counts["succeeded"] / self.n if self.n else None


def recent(session: Session, model: str, *, limit: int = 100) -> list[Training]:
    """Return the newest trainings of a model, newest first."""
    answer = ModelVersion.gate["answer"].as_string()
    query = (
        select(Run, answer)
        .outerjoin(ModelVersion, ModelVersion.run_id == Run.id)
        .where(Run.model == canonical(model), Run.kind.in_(_KINDS))
    )
    rows = session.execute(query.order_by(Run.at.desc(), Run.id.desc()).limit(limit))
    return [_training(run, gate) for run, gate in rows]


def _training(run: Run, gate: str | None) -> Training:
    begun, ended = run.started_at, run.finished_at
    return Training(
        run_id=run.id,
        at=run.at,
        kind=run.kind,
        trigger=run.trigger,
        outcome=_outcome(run.state, gate),
        version=run.version,
        seconds=(ended - begun).total_seconds() if begun and ended else None,
        why=run.error or run.reason,
    )


def _outcome(state: str, gate: str | None) -> Outcome:
    """Return how a training ended; a version that was refused is no success.

    >>> _outcome("finished", "refuse"), _outcome("finished", None), _outcome("queued", None)
    ('refused', 'succeeded', 'under way')
    """
    if state == "finished":
        return "refused" if gate == "refuse" else "succeeded"
    if state == "failed":
        return "failed"
    return "cancelled" if state == "cancelled" else "under way"


def success(trainings: Sequence[Training]) -> Success:
    """Return how often trainings succeed; those under way do not count yet."""
    counted = Counter(one.outcome for one in trainings)
    counts = {outcome: counted[outcome] for outcome in OUTCOMES}
    return Success(len(trainings) - counts["under way"], counts)
