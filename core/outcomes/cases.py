"""What an outcome is graded from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from core.specs.thresholds import Policy
from core.tables.base import Table
from core.tables.entities import ActionRow, Recommendation

LONGEST = timedelta(days=14)
"""After this an outcome that is still not known is neutral."""

PATIENCE = timedelta(hours=72)
"""For so long a change is taken back, or blamed for an incident, because of itself."""

SERVING = ("promote", "rollback", "change_weights", "set_threshold")
"""Kinds that change what serves, graded by labelled traffic."""

AnyTable = TypeVar("AnyTable", bound=Table)


@dataclass(frozen=True)
class Case:
    """One executed proposal, looked at now; reads only."""

    session: Session
    row: Recommendation
    action: ActionRow
    policy: Policy
    now: datetime

    @property
    def at(self) -> datetime:
        """When it was carried out."""
        return self.action.finished_at or self.action.at

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What was approved."""
        return self.action.arguments

    @property
    def is_late(self) -> bool:
        """Whether nobody waits any longer for what is not known yet."""
        return self.now >= self.at + LONGEST

    @property
    def fewest(self) -> int:
        """How many labelled answers a side needs at least."""
        return max(1, int(self.policy.min_labels))

    def named(self, table: type[AnyTable]) -> AnyTable | None:
        """Return the row of a table that the action made: its id stands in what it left."""
        ids = [value for value in self.action.after.values() if isinstance(value, str)]
        return next((row for key in ids if (row := self.session.get(table, key))), None)
