"""What time does to a proposal: figures change beside the sealed ones, and reasons go away."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import policies, recommendations
from core.access import system
from core.agent import fact_names, facts, policy
from core.agent.facts import Fact, FactBook
from core.agent.verdict import Act, Verdict
from core.clock import Clock
from core.db import Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.tables.entities import Recommendation

AGENT = system("agent")
TARGETS = frozenset({"version", "to", "experiment_id", "cause", "kind"})
"""Arguments that say what an action is about; the others say how much of it."""
OWN_TRACES = frozenset({"pending_approval", "candidate.proposed_before"})
"""Facts that a waiting proposal makes itself: they must not speak against it."""


@dataclass(frozen=True)
class Figure:
    """One piece of a proposal's evidence: as it was sealed, and as it is now (None: not known)."""

    fact: str
    label: str
    sealed: dict[str, Any]
    now: Fact | None
    link: str

    @property
    def differs(self) -> bool:
        """Whether it is known now, and not what was sealed, to the digits that facts keep."""
        return self.now is not None and _kept(self.now.value) != _kept(self.sealed.get("value"))


def _kept(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value


def lapse(db: Database) -> int:
    """Let the agent's waiting proposals lapse that fresh facts no longer ask for; returns how many.

    What a person proposed or changed, and what the gate proposed while its release still serves,
    waits for its own time. The incident is told why.
    """
    with db.read() as session:
        query = select(Recommendation).filter_by(state="proposed", proposed_by=AGENT.name)
        rows = list(session.scalars(query.order_by(Recommendation.id)))
        due = list(_reasons(session, rows, db.clock)) if rows else []
    return sum(recommendations.withdraw(db, AGENT, row.id, because=why) for row, why in due)


def fresh(session: Session, row: Recommendation, clock: Clock) -> list[Figure]:
    """Return a proposal's evidence with what the same facts say now."""
    cited = {str(one.get("fact", "")) for one in row.evidence} & fact_names.LABELS.keys()
    nothing = not cited or row.model == recommendations.EVERYWHERE
    book = facts.gather(session, row.model, now=clock(), wanted=cited) if not nothing else None
    found = []
    for one in row.evidence:
        name, link = str(one.get("fact", "")), str(one.get("link") or "")
        now = book.fact(name) if book else None
        label = str(one.get("label") or name)
        found.append(Figure(name, label, dict(one), now, now.source if now else link))
    return found


def _reasons(
    session: Session, rows: list[Recommendation], clock: Clock
) -> Iterator[tuple[Recommendation, str]]:
    verdicts: dict[str, Verdict | None] = {}
    for row in rows:
        try:
            recommendations.check_target(session, row)
        except ConflictError as stale:
            yield row, str(stale)
            continue
        if row.fact_book_id is None:  # the gate's word, which no newer fact takes back
            continue
        if row.model not in verdicts:
            verdicts[row.model] = _verdict(session, row.model, clock)
        verdict = verdicts[row.model]
        if verdict is not None and not _allows(verdict, row):
            said = " ".join(verdict.sentences)
            yield row, f"on fresh facts the policy no longer asks for this: {said}"


def _verdict(session: Session, model: str, clock: Clock) -> Verdict | None:
    """Return what the policy says now, but for the proposals that wait; None without a spec."""
    try:
        rules = policies.in_force(session, model)
        book = facts.gather(session, model, now=clock())
    except (InvalidInputError, NotFoundError):  # no spec any more, or none that can be read
        return None
    known = [fact for fact in book if fact.id not in OWN_TRACES]
    return policy.decide(FactBook(book.model, known, book.release_seq), rules.policy)


def _allows(verdict: Verdict, row: Recommendation) -> bool:
    wanted = _target(Act(row.kind, row.arguments))
    return any(_target(act) == wanted for act in verdict.actions)


def _target(act: Act) -> tuple[str, dict[str, str]]:
    return act.kind, {name: str(act.arguments[name]) for name in TARGETS & act.arguments.keys()}
