"""When the next window of a model is complete: by rows, by time, or all that waits at a check."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from core import answers
from core.answers import Position, Stretch
from core.monitoring import windows
from core.specs import ModelSpec


@dataclass(frozen=True)
class Size:
    """How windows are cut: at least `fewest` answers; by rows, by minutes, or all that waits.

    With both, a window ends at whichever comes first.
    """

    fewest: int
    rows: int | None = None
    minutes: float | None = None

    @classmethod
    def of(cls, spec: ModelSpec) -> "Size":
        """Return what a spec says."""
        watched = spec.monitoring
        return cls(watched.min_samples, watched.window_rows, watched.window_minutes)

    @property
    def least(self) -> int:
        """How many answers have to wait before a window can be due."""
        return self.fewest if self.minutes else max(self.fewest, self.rows or 0)


@dataclass(frozen=True)
class Due:
    """The next window behind a position, or why there is none yet.

    `waiting` answers lie behind the position, `lacking` more are needed; `closes` is when a window
    by time ends. `left` further windows may be due behind this one.
    """

    window: windows.Window | None
    waiting: int
    lacking: int = 0
    closes: datetime | None = None
    left: int = 0


def due(
    session: Session,
    model: str,
    version: str,
    after: Position,
    *,
    size: Size,
    until: datetime,
) -> Due:
    """Return the next window behind `after` among the answers up to `until`.

    Answers from the future (a clock was set back) wait until their time has come.
    """
    of = Stretch(model, version, after, answers.through(until))
    n = windows.waiting(session, of)
    if n < size.least:
        return Due(None, n, lacking=size.least - n)
    if size.minutes is None:
        take = max(size.rows, size.fewest) if size.rows else n
        window = windows.behind(session, of, n=take, total=n)
        return Due(window, n, left=(n - take) // take)
    return _by_time(session, of, n, size=size, until=until)


def _by_time(session: Session, of: Stretch, n: int, *, size: Size, until: datetime) -> Due:
    """Cut at the first full stretch of time by which enough answers had come."""
    minutes = size.minutes or 0.0
    enough = answers.nth(session, of, size.fewest)
    if enough is None:  # the counters promised more than is stored
        return Due(None, n, lacking=size.fewest)
    closes = stretch_end(enough[0], minutes)
    if closes > until:
        return Due(None, n, closes=closes)
    of = replace(of, until=(closes, ""))  # before any answer of that very moment
    inside = max(size.fewest, windows.waiting(session, of))
    take = min(inside, max(size.rows, size.fewest)) if size.rows else inside
    window = windows.behind(session, of, n=take, total=inside)
    more = int((until - closes) / timedelta(minutes=minutes))
    rest = n - take
    return Due(window, n, left=min(rest // size.fewest, more + (inside - take) // size.fewest))


def stretch_end(moment: datetime, minutes: float) -> datetime:
    """Return the end of the stretch of time, counted from 1970, in which `moment` lies.

    >>> str(stretch_end(datetime(2030, 1, 1, 12, 7, tzinfo=UTC), 15))
    '2030-01-01 12:15:00+00:00'
    """
    seconds = minutes * 60
    return datetime.fromtimestamp((moment.timestamp() // seconds + 1) * seconds, UTC)
