"""Several decisions of one person, one after the other: each stands for itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.access import Actor
from core.db import Database
from core.errors import PilothouseError
from core.recommendations.deciding import approve, reject

Verb = Literal["approve", "reject"]


@dataclass(frozen=True)
class Decision:
    """What somebody decides about one proposal, as it was shown to them (`digest`)."""

    id: str
    digest: str
    verb: Verb
    reason: str = ""


@dataclass(frozen=True)
class Decided:
    """What came of one decision; `sentence` says why where it was refused."""

    id: str
    verb: Verb
    done: bool
    sentence: str


def decide_each(
    db: Database, actor: Actor, decisions: Sequence[Decision], *, solo: bool
) -> list[Decided]:
    """Carry out decisions one by one; one that is refused does not stop those after it."""
    return [_decide(db, actor, one, solo=solo) for one in decisions]


def _decide(db: Database, actor: Actor, one: Decision, *, solo: bool) -> Decided:
    try:
        if one.verb == "reject":
            row = reject(db, actor, one.id, reason=one.reason)
            return Decided(one.id, one.verb, True, f"rejected: {row.title}")
        row = approve(db, actor, one.id, digest=one.digest, solo=solo, reason=one.reason)
        return Decided(one.id, one.verb, True, f"approved: {row.title}")
    except PilothouseError as problem:
        return Decided(one.id, one.verb, False, str(problem))
