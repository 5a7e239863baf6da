"""The logged past: each decision with its facts, the policy of that time, and what came after."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core import policies, specs
from core.policies import ALL
from core.specs.thresholds import Policy
from core.tables.decisions import Message, Outcome
from core.tables.entities import ActionRow, FactBook, Incident, ModelSpecRow, Recommendation

FOLLOWS = timedelta(days=7)
"""How long after a decision an incident counts as having followed it."""


@dataclass(frozen=True)
class After:
    """What came of a decision: the proposal it made, and the incidents that opened afterwards."""

    recommendation_id: str | None = None
    state: str = ""
    executed_at: datetime | None = None
    grade: str = ""
    incident_id: str | None = None
    resolved_at: datetime | None = None
    followed_by: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Say what came of it.

        >>> After(state="succeeded", grade="good", followed_by=("accuracy",)).words
        'succeeded, graded good; an incident followed (accuracy)'
        >>> After().words
        'nothing'
        """
        came = f"{self.state}, graded {self.grade}" if self.grade else self.state
        causes = ", ".join(dict.fromkeys(self.followed_by))
        later = f"an incident followed ({causes})" if causes else ""
        return "; ".join(part for part in (came, later) if part) or "nothing"


@dataclass(frozen=True)
class Logged:
    """One decision as it was written down; `assumed`: its policy was not, the spec tells it."""

    id: str
    at: datetime
    model: str
    facts: list[Any]
    release_seq: int
    verdict: Mapping[str, Any]
    policy: Policy
    assumed: bool
    after: After


_ANSWERS = select(Message.fact_book_id).where(Message.fact_book_id.is_not(None))
"""Facts that a person's question was answered from: nothing was decided on them."""


def load(session: Session, model: str, since: datetime) -> Iterator[Logged]:
    """Yield the decisions about a model, or all ("*"), since a moment, the oldest first."""
    after = _Afterwards(session, model, since)
    policy_of = _Policies(session)
    query = select(
        FactBook.id,
        FactBook.at,
        FactBook.model,
        FactBook.facts,
        FactBook.verdict,
        FactBook.policy,
        FactBook.incident_id,
        FactBook.release_seq,
    ).where(FactBook.at >= since, FactBook.id.not_in(_ANSWERS))
    if model != ALL:
        query = query.filter_by(model=model)
    rows = session.execute(
        query.order_by(FactBook.at, FactBook.id).execution_options(yield_per=500)
    )
    for key, at, name, facts, verdict, policy, incident_id, seq in rows:
        used = policy_of(name, at, policy)
        came = after.of(key, name, at, incident_id)
        yield Logged(key, at, name, facts, seq, verdict, used, not policy, came)


class _Policies:
    """The policies of the past; the same values are the same object."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[Any, Policy] = {}
        self._edits: dict[str, list[ModelSpecRow]] = {}

    def __call__(self, model: str, at: datetime, recorded: Mapping[str, Any]) -> Policy:
        key = tuple(recorded.items()) if recorded else self._edit(model, at)
        if key not in self._known:
            self._known[key] = policies.remembered(recorded or self._stated(model, at))
        return self._known[key]

    def _edit(self, model: str, at: datetime) -> tuple[str, int]:
        """Name the edit of the spec that was in force: the first one, if all are younger."""
        if model not in self._edits:
            self._edits[model] = specs.history(self._session, model)
        edits = self._edits[model]
        then = next((row for row in edits if row.at <= at), edits[-1] if edits else None)
        return model, then.version if then else 0

    def _stated(self, model: str, at: datetime) -> dict[str, Any]:
        _, version = self._edit(model, at)
        if not version:
            return {}
        said = specs.at_version(self._session, model, version).policy
        return {"accuracy_floor": said.accuracy_floor, **said.overrides}


class _Afterwards:
    """What became of proposals and incidents, read once for all decisions."""

    def __init__(self, session: Session, model: str, since: datetime) -> None:
        mine = {} if model == ALL else {"model": model}
        proposed = select(
            Recommendation.fact_book_id, Recommendation.id, Recommendation.state
        ).where(Recommendation.fact_book_id.is_not(None), Recommendation.proposed_at >= since)
        proposed = proposed.where(Recommendation.edit_of.is_(None)).filter_by(**mine)
        self._proposals = {book: (key, state) for book, key, state in session.execute(proposed)}
        done = select(ActionRow.recommendation_id, ActionRow.finished_at).filter_by(**mine)
        done = done.where(ActionRow.at >= since, ActionRow.state.in_(("succeeded", "reverted")))
        self._executed = {key: at for key, at in session.execute(done)}
        graded = select(Outcome.recommendation_id, Outcome.grade).filter_by(**mine)
        graded = graded.where(Outcome.at >= since)
        self._grades = {key: grade for key, grade in session.execute(graded)}
        open_since = or_(Incident.resolved_at.is_(None), Incident.resolved_at >= since)
        rows = session.scalars(select(Incident).filter_by(**mine).where(open_since))
        self._incidents = sorted(rows, key=lambda row: row.opened_at)
        self._resolved = {row.id: row.resolved_at for row in self._incidents}
        self._opened: dict[str, tuple[list[datetime], list[Incident]]] = {}
        for row in self._incidents:
            times, own = self._opened.setdefault(row.model, ([], []))
            times.append(row.opened_at)
            own.append(row)

    def of(self, book: str, model: str, at: datetime, incident_id: str | None) -> After:
        key, state = self._proposals.get(book, (None, ""))
        times, incidents = self._opened.get(model, ([], []))
        later = incidents[bisect_right(times, at) : bisect_right(times, at + FOLLOWS)]
        return After(
            recommendation_id=key,
            state=state,
            executed_at=self._executed.get(key),
            grade=self._grades.get(key or "", ""),
            incident_id=incident_id,
            resolved_at=self._resolved.get(incident_id or ""),
            followed_by=tuple(row.cause for row in later if row.id != incident_id),
        )
