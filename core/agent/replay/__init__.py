"""Any policy over the logged past: what it would have decided, when, against what happened.

Each decision was written down with its facts and the policy that made it. The same policy gives the
same decision again, to the last word; another one shows what it would have changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core import policies, specs
from core.agent import policy as rules
from core.agent.facts import FactBook
from core.agent.replay import past, summary
from core.agent.replay.decision import Replayed, Said, said, spelled
from core.agent.replay.past import After, Logged
from core.agent.replay.summary import Summary
from core.agent.replay.waiting import Waiting
from core.policies import ALL
from core.specs.thresholds import Policy

__all__ = ["After", "Replay", "Replayed", "Said", "Summary", "rehearse", "replay"]

Chooser = Callable[[str], Policy]


@dataclass(frozen=True)
class Replay:
    """Every decision of a span twice: as it was made, and as a policy would have made it."""

    model: str
    since: datetime
    decisions: tuple[Replayed, ...]
    summary: Summary

    @property
    def changed(self) -> list[Replayed]:
        """The decisions that the policy would have made otherwise."""
        return [one for one in self.decisions if one.changed]

    def plain(self, most: int = 100) -> dict[str, Any]:
        """Return plain values, ready for JSON, with the newest `most` decisions that differ."""
        newest = [one.plain() for one in reversed(self.changed[-most:])]
        since = self.since.isoformat()
        return {"model": self.model, "since": since, **asdict(self.summary), "changed_ones": newest}


def replay(
    session: Session, *, model: str, since: datetime, policy: Mapping[str, Any] | None = None
) -> Replay:
    """Run a policy over what was decided about a model, or all ("*"), since a moment.

    Without `policy` each decision is made again by the policy that is recorded with it, which must
    give the same. With it, its values count, and what is in force now for the others.

    Raises: NotFoundError (no such model); InvalidInputError (no such threshold).
    """
    if policy is None:
        if model != ALL:
            specs.active(session, model)
        return _run(session, model, since, None)
    return _run(session, model, since, _given(session, policy))


def rehearse(
    session: Session, *, scope: str, thresholds: Mapping[str, Any], since: datetime
) -> Replay:
    """Run the policy that would be in force if `thresholds` were all that `scope` says itself.

    Raises: NotFoundError (no such model); InvalidInputError (a value cannot be).
    """
    known: dict[str, Policy] = {}

    def choose(model: str) -> Policy:
        if model not in known:
            known[model] = policies.would_be(session, model, scope, thresholds).policy
        return known[model]

    if scope != ALL:
        choose(scope)
    return _run(session, scope, since, choose)


def _given(session: Session, policy: Mapping[str, Any]) -> Chooser:
    known: dict[str, Policy] = {}

    def choose(model: str) -> Policy:
        if model not in known:
            now = policies.in_force(session, model).policy
            known[model] = Policy.of(now.accuracy_floor, {**asdict(now), **policy})
        return known[model]

    return choose


def _run(session: Session, model: str, since: datetime, choose: Chooser | None) -> Replay:
    known = {spec.name for spec in specs.all_active(session)}
    waiting, found = Waiting(), []
    for logged in past.load(session, model, since):
        if choose is None:
            found.append(_again(logged, logged.policy, None))
        elif logged.model in known:  # an archived model decides nothing any more
            found.append(_again(logged, choose(logged.model), waiting))
    return Replay(model, since, tuple(found), summary.of(found))


def _again(logged: Logged, policy: Policy, waiting: Waiting | None) -> Replayed:
    book = FactBook.from_plain(logged.model, logged.facts, logged.release_seq)
    seen = waiting.seen(book, logged.at) if waiting else book
    mine, live = spelled(rules.decide(seen, policy)), logged.verdict
    one = Replayed(
        id=logged.id,
        at=logged.at,
        model=logged.model,
        live=said(live),
        replayed=said(mine),
        same=all(mine.get(name) == value for name, value in live.items()),
        assumed=logged.assumed,
        after=logged.after,
    )
    if one.changed and said(spelled(rules.decide(book, logged.policy))) == one.replayed:
        one = replace(one, by_rules=True)
    if waiting and one.changed:
        waiting.decided(logged.model, logged.at, live, mine, logged.after.recommendation_id)
    return one
