"""What is known of the labels of a version: when its answers are old enough, and what was true."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from core import predictions
from core.monitoring import maturity, windows
from core.monitoring.checks.subject import Subject
from core.monitoring.maturity import Maturity
from core.monitoring.performance import Answers
from core.predictions import Outcome

MOST_LABELLED = 5_000
"""Labelled answers that evidence is gathered from; older ones are forgotten."""

_LOOKS_BACK = timedelta(days=60)  # for the lag of labels


@dataclass(frozen=True)
class Cohort:
    """The newest labelled answers that are old enough, oldest first, and what tells how old."""

    rows: Sequence[Outcome]
    maturity: Maturity

    @property
    def digest(self) -> str:
        """Tells whether a cohort is the same: the same answers with the same truth."""
        words = "\n".join(f"{row.id} {row.truth}" for row in self.rows)
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    def answers(self, positive: str) -> Answers:
        """Return them as arrays; a probability that is none counts as even odds."""
        given = np.array([row.probability for row in self.rows], dtype=float)
        return Answers(
            said=np.array([row.said == positive for row in self.rows], dtype=bool),
            truth=np.array([row.truth == positive for row in self.rows], dtype=bool),
            probability=np.clip(np.nan_to_num(given, nan=0.5), 0.0, 1.0),
        )

    def lacking(self, fewest: int) -> str | None:
        """Say why the cohort is not judged, None where it is."""
        if not self.maturity.settled and len(self.rows) >= fewest:
            return f"Not judged yet: {self.maturity.sentence}"
        if len(self.rows) >= fewest:
            return None
        words = f"Not judged yet: {len(self.rows):,} labelled predictions"
        if self.maturity.delay and self.maturity.waiting:
            delay = maturity.words_of(self.maturity.delay)
            words += f" are {delay} old or older (labels of younger ones wait)"
        return f"{words}, {fewest - len(self.rows):,} more are needed."

    def figures(self) -> dict[str, Any]:
        """Return what a report shows of the labels."""
        known, hour = self.maturity, 3600.0
        return {
            "n_predictions": known.n,
            "n_labelled": known.n_labelled,
            "coverage": known.coverage,
            "lag_median_hours": None if known.lag_median is None else known.lag_median / hour,
            "lag_p90_hours": None if known.lag_p90 is None else known.lag_p90 / hour,
            "delay_hours": known.delay / hour,
            "settled": known.settled,
            "learned": known.learned,
            "waiting": known.waiting,
            "selective": known.selective,
            "positive_labelled": known.positive_labelled,
            "positive_unlabelled": known.positive_unlabelled,
            "probability_labelled": known.probability_labelled,
            "probability_unlabelled": known.probability_unlabelled,
            "sentence": known.sentence,
        }


def cohort(session: Session, of: Subject, now: datetime) -> Cohort:
    """Return the matured labelled answers of a subject, 5,000 at most."""
    known = learn(session, of, now)
    name, version = of.spec.name, of.version.version
    ripe = now - timedelta(seconds=known.delay)
    rows = predictions.outcomes(
        session, name, version, since=of.since, until=ripe, limit=MOST_LABELLED
    )
    return Cohort(rows[::-1], known)


def learn(session: Session, of: Subject, now: datetime) -> Maturity:
    """Return how late the labels of a version come, from a sample of its answers."""
    start = max(of.since, now - _LOOKS_BACK)
    drawn = windows.between(session, of.spec.name, of.version.version, start, now)
    told = predictions.truths(session, of.spec.name, [row.id for row in drawn])
    rows = [
        (
            (now - row.at).total_seconds(),
            (told[row.id].told_at - row.at).total_seconds() if row.id in told else None,
            row.label == of.spec.positive,
            row.probability,
        )
        for row in drawn
    ]
    hours = of.spec.monitoring.label_delay_hours
    return maturity.learn(maturity.answers_of(rows), delay=None if hours is None else hours * 3600)
