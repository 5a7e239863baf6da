"""What a window is compared with: the stored sample of the version, or the same hours last week."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from sqlalchemy.orm import Session

from core.datasets import versions
from core.errors import NotFoundError
from core.monitoring import reference as kept
from core.monitoring import windows
from core.monitoring.checks.subject import Subject
from core.monitoring.reference import Statistics
from core.monitoring.windows import Window
from core.settings import Settings
from core.tables.base import Json
from core.tables.entities import DatasetVersion

WEEK = timedelta(days=7)
WEEK_KEY = "week"


@dataclass(frozen=True)
class Reference:
    """Rows to compare with; `key` tells whether two windows were compared with the same.

    `statistics`: what is kept of the rows beside the data set; None for a text model, or where
    nothing is kept.
    """

    kind: str  # stored, week
    key: str
    frame: pd.DataFrame
    start: datetime | None = None
    end: datetime | None = None
    statistics: Statistics | None = None

    @property
    def told(self) -> Json:
        """What a report keeps of it."""
        ends = {"from": self.start, "to": self.end}
        return {
            "kind": self.kind,
            "key": self.key,
            **{name: at.isoformat() if at else None for name, at in ends.items()},
        }


def stored(session: Session, settings: Settings, of: Subject) -> Reference:
    """Return the sample that was stored with the version. Raises: NotFoundError."""
    row = session.get(DatasetVersion, of.version.reference_dataset_id)
    if row is None:
        raise NotFoundError("this version has no reference sample to compare with")
    frame = versions.frame(settings, row)
    statistics = None if of.spec.input.text else kept.of_dataset(settings, row)
    return Reference("stored", row.id, frame, statistics=statistics)


def last_week(session: Session, of: Subject, window: Window) -> Reference | None:
    """Return what the same version was asked in the same hours one week before the window.

    None where the season is not set, or fewer than `min_samples` answers are known.
    """
    watched = of.spec.monitoring
    if watched.season != "week":
        return None
    start, end = window.start - WEEK, window.end[0] - WEEK
    rows = windows.between(session, of.spec.name, of.version.version, start, end)
    frame = windows.frame(of.spec, rows)
    if len(frame) < watched.min_samples:
        return None
    return Reference("week", WEEK_KEY, frame, start, end)
