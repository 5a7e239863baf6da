"""The record of a kind of action on a model: how its outcomes were graded."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.statistics.intervals import wilson
from core.tables.decisions import Outcome
from core.tables.entities import Recommendation

_ONE_SIDED = 0.90
"""A two-sided interval at 90 % has the lower bound of a one-sided one at 95 %."""

Graded = tuple[str, datetime, str]
"""(grade, when, the recommendation's id)"""


@dataclass(frozen=True)
class Record:
    """How often it went well; `n` is all that was graded.

    `streak` are the good outcomes since the last bad one, neutral ones aside, and `low` is the
    one-sided lower 95 % bound (Wilson) of the share of good ones among these.
    """

    n: int
    good: int
    bad: int
    neutral: int
    streak: int
    low: float
    last_bad: tuple[datetime, str] | None = None  # when, and which recommendation

    def enough(self, bar: float, least: float) -> bool:
        """Say whether the record is good enough to act alone by."""
        return self.streak >= max(1, least) and self.low >= bar

    @property
    def sentence(self) -> str:
        """The counts in words."""
        if not self.n:
            return "Nothing like this was graded yet."
        counts = f"{self.good} good, {self.bad} bad, {self.neutral} neutral"
        since = f"; {self.streak} good since the last bad one" if self.bad else ""
        return f"{counts}{since}."


def of(session: Session, recommendation_id: str) -> Outcome | None:
    """Return the outcome of a proposal, or None while it is not known."""
    return session.get(Outcome, recommendation_id)


def record(session: Session, model: str, kind: str, *, own: bool = False) -> Record:
    """Return the record of a kind of action on a model.

    With `own` only what the product itself proposed counts, as it proposed it: what a person
    proposed or edited says nothing about the agent.
    """
    query = _graded(own=own).where(Outcome.model == model, Outcome.kind == kind)
    return record_of((grade, at, key) for _, _, grade, at, key in session.execute(query))


def records(session: Session) -> dict[tuple[str, str], Record]:
    """Return the product's own records by model and kind."""
    found: dict[tuple[str, str], list[Graded]] = {}
    for model, kind, grade, at, key in session.execute(_graded(own=True)):
        found.setdefault((model, kind), []).append((grade, at, key))
    return {about: record_of(rows) for about, rows in found.items()}


def is_own(row: Recommendation) -> bool:
    """Say whether the product proposed this itself, and nobody changed it."""
    return row.reasoner != "person" and row.edit_of is None


def record_of(newest_first: Iterable[Graded]) -> Record:
    """Count grades, the newest first.

    >>> noon = datetime(2030, 1, 1, 12)
    >>> seen = record_of([("good", noon, "r3"), ("neutral", noon, "r2"), ("bad", noon, "r1")])
    >>> seen.n, seen.streak, round(seen.low, 3)
    (3, 1, 0.27)
    """
    rows = list(newest_first)
    grades = [grade for grade, *_ in rows]
    bad = next(((at, key) for grade, at, key in rows if grade == "bad"), None)
    streak = sum(grade == "good" for grade in takewhile(lambda grade: grade != "bad", grades))
    return Record(
        n=len(rows),
        good=grades.count("good"),
        bad=grades.count("bad"),
        neutral=grades.count("neutral"),
        streak=streak,
        low=lower_bound(streak),
        last_bad=bad,
    )


def lower_bound(streak: int) -> float:
    """Return the one-sided lower 95 % bound (Wilson) of a share of which all `streak` were good.

    >>> [round(lower_bound(n), 3) for n in (0, 10, 11)]
    [0.0, 0.787, 0.803]
    """
    return wilson(streak, streak, level=_ONE_SIDED).low if streak else 0.0


def needed(bar: float, least: float) -> int | None:
    """Return how many good outcomes in a row a bar asks for; None: no number reaches it.

    All of n good have the lower bound n / (n + z²), z = 1.645.

    >>> needed(0.8, 10), needed(0.5, 10), needed(0.9, 1), needed(1.0, 1)
    (11, 10, 25, None)
    """
    if bar >= 1:
        return None
    n = max(1, math.ceil(least), math.floor(bar * 1.6448536**2 / (1 - bar)))
    while lower_bound(n) < bar:
        n += 1
    return n


def _graded(*, own: bool) -> Select[str, str, str, datetime, str]:
    columns = (Outcome.model, Outcome.kind, Outcome.grade, Outcome.at, Outcome.recommendation_id)
    query = select(*columns).order_by(Outcome.at.desc(), Outcome.recommendation_id.desc())
    if own:
        query = query.join(Recommendation, Recommendation.id == Outcome.recommendation_id)
        query = query.where(Recommendation.reasoner != "person", Recommendation.edit_of.is_(None))
    return query
