"""The one source of time: always UTC, always aware."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def epoch_ms(moment: datetime) -> int:
    """Return milliseconds since 1970-01-01 UTC.

    >>> epoch_ms(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000
    """
    return int(moment.timestamp() * 1000)


def hour_of(moment: datetime) -> int:
    """Return whole hours since 1970-01-01 UTC, the key of hourly counters.

    >>> hour_of(datetime(1970, 1, 2, 3, 59, tzinfo=UTC))
    27
    """
    return int(moment.timestamp() // 3600)


def begin_of(hour: int) -> datetime:
    """Return when an hour begins that `hour_of` names.

    >>> hour_of(begin_of(27))
    27
    """
    return datetime.fromtimestamp(hour * 3600, UTC)


monotonic: Callable[[], float] = time.perf_counter
"""Returns seconds of a clock that never jumps, for measuring durations."""
