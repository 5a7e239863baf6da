"""Proposing a change of the policy: drafted, replayed over the past, and put to another person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import policies, recommendations, specs
from core.access import Actor
from core.agent.replay import Replay, rehearse
from core.db import Database
from core.errors import InvalidInputError
from core.policies import ALL, Changes
from core.recommendations import Basis
from core.tables.decisions import PolicyVersion
from core.tables.entities import ActionRow, Recommendation

PROPOSE = "recommendation.propose"
LONGEST_DAYS = 365
KEPT = 50  # decisions that differ, kept with the version for those who look at it


def preview(
    session: Session, *, scope: str, thresholds: Changes, days: float, now: datetime
) -> Replay:
    """Return what a change of the policy would have done in the last `days`; changes nothing.

    Raises: NotFoundError (no such model); InvalidInputError (threshold, value, days; nothing would
    change).
    """
    if not 0 < days <= LONGEST_DAYS:
        raise InvalidInputError(f"replay 1 to {LONGEST_DAYS} days")
    own = policies.altered(session, scope, thresholds)
    return rehearse(session, scope=scope, thresholds=own, since=now - timedelta(days=days))


def propose(
    db: Database,
    actor: Actor,
    *,
    scope: str,
    thresholds: Changes,
    reason: str,
    days: float = 30,
    channels: Sequence[str] = (),
) -> Recommendation:
    """Draft a version of the policy and propose it, with what its replay found as the evidence.

    `scope` is a model or "*"; a value of None takes a threshold back to what lies underneath.
    Another person approves it. Raises: ForbiddenError; NotFoundError; InvalidInputError.
    """
    scope = scope if scope == ALL else specs.canonical(scope)
    with db.attempt(actor, PROPOSE) as attempt:
        found = preview(
            attempt.session, scope=scope, thresholds=thresholds, days=days, now=attempt.now
        )
    with db.command(actor, PROPOSE) as command:
        row = policies.draft_in(
            command,
            scope=scope,
            thresholds=thresholds,
            reason=reason,
            replay=found.plain(KEPT),
        )
        changed = policies.changes_of(command.session, row)
        return recommendations.propose_in(
            command,
            model=scope,
            kind="change_policy",
            arguments={"version": str(row.version)},
            title=_title(scope, changed),
            reasoning=" ".join((reason.strip().rstrip(".") + ".", *found.summary.sentences)),
            basis=Basis(severity="medium", evidence=_evidence(row, changed, found, days)),
            channels=channels,
        )


@dataclass(frozen=True)
class Told:
    """A version with the proposal that drafted it, and the action that put it in force last."""

    version: PolicyVersion
    proposal: Recommendation | None
    action: ActionRow | None


def history(session: Session, scope: str) -> list[Told]:
    """Return the versions of a scope, newest first, with what people did about them."""
    query = select(Recommendation).filter_by(model=scope, kind="change_policy")
    proposals = {row.arguments["version"]: row for row in session.scalars(query.order_by("id"))}
    done = select(ActionRow).filter_by(model=scope, kind="change_policy", state="succeeded")
    carried_out = {row.arguments["version"]: row for row in session.scalars(done.order_by("id"))}
    rows = policies.history(session, scope)
    keys = [(row, str(row.version)) for row in rows]
    return [Told(row, proposals.get(key), carried_out.get(key)) for row, key in keys]


def _title(scope: str, changed: list[tuple[str, float, float]]) -> str:
    named = ", ".join(
        f"{name.replace('_', ' ')} {was:g} → {new:g}" for name, was, new in changed[:3]
    )
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"Change the policy of {policies.scope_words(scope)}: {named}{more}"


def _evidence(
    row: PolicyVersion, changed: list[tuple[str, float, float]], found: Replay, days: float
) -> list[Mapping[str, Any]]:
    """Return each threshold with its new value, and the counts of the replay."""
    link = "/automation?" + urlencode({"part": "Policy", "scope": policies.scope_words(row.model)})
    told = found.summary
    cards: list[Mapping[str, Any]] = [
        {
            "fact": f"policy.{name}",
            "label": f"{name.replace('_', ' ')} (now {was:g})",
            "value": new,
            "interval": None,
            "n": None,
            "link": link,
        }
        for name, was, new in changed
    ]
    span = f"of the last {days:g} days"
    counts = {
        f"decisions {span} that would differ": told.changed,
        **{f"more proposals to {kind.replace('_', ' ')}": n for kind, n in told.more.items()},
        **{f"fewer proposals to {kind.replace('_', ' ')}": n for kind, n in told.fewer.items()},
    }
    counted: list[Mapping[str, Any]] = [
        {
            "fact": "policy.replay",
            "label": label,
            "value": value,
            "interval": None,
            "n": told.decisions,
            "link": link,
        }
        for label, value in counts.items()
    ]
    return cards + counted
