"""Whether a decision would be taken, asked before anybody makes it: nothing is changed by it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.access import Actor, require
from core.errors import PilothouseError
from core.recommendations.deciding import (
    check_approving,
    check_rejecting,
    check_target,
    check_time,
)
from core.recommendations.means import check_means
from core.tables.entities import Recommendation

DECIDE = "recommendation.decide"


@dataclass(frozen=True)
class WhyNot:
    """Why one person cannot approve, reject or change a proposal now; empty where they can."""

    approve: str
    reject: str
    change: str

    @property
    def both(self) -> bool:
        """Whether this person can neither approve nor reject it."""
        return bool(self.approve and self.reject)


def why_not(
    session: Session, actor: Actor, row: Recommendation, *, solo: bool, now: datetime
) -> WhyNot:
    """Ask the checks that a decision goes through, without deciding."""

    def approving() -> None:
        require(actor, DECIDE)
        check_approving(session, actor, row, solo=solo)
        check_target(session, row)
        check_time(row, now)
        check_means(session, row.kind)

    def rejecting() -> None:
        require(actor, DECIDE)
        check_rejecting(session, actor, row)

    def changing() -> None:
        require(actor, "recommendation.edit")
        check_target(session, row)
        check_time(row, now)

    return WhyNot(_refusal(approving), _refusal(rejecting), _refusal(changing))


def _refusal(check: Callable[[], None]) -> str:
    try:
        check()
    except PilothouseError as problem:
        return str(problem)
    return ""
