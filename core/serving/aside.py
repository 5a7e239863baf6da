"""Threads for what takes too long for an event loop, and a bound on how long it may wait for them.

A bound on requests in work says nothing of time: 128 of them wait three seconds for a model that
takes 23 ms. So whoever would wait longer than half a second is told to come back.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from core.clock import monotonic
from core.errors import UnavailableError

Result = TypeVar("Result")
THREADS = 2
LONGEST_SECONDS = 0.5
_FIRST_SECONDS = 0.05  # what one piece of work takes, before any was measured
_WEIGHT = 0.2  # of the newest in the mean


class Aside:
    """A small pool that knows how long its newest guest would wait."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="scoring")
        self._lock = threading.Lock()
        self._waiting = 0
        self._seconds = _FIRST_SECONDS

    @property
    def full(self) -> bool:
        """Whether what comes now would wait too long before it begins, going by the last ones."""
        return self._waiting * self._seconds / THREADS > LONGEST_SECONDS

    async def run(self, work: Callable[[], Result], *, patient: bool = False) -> Result:
        """Do work in a thread, under the request's name; `patient` work waits as long as it takes.

        Raises: UnavailableError (it would wait too long); what `work` raises.
        """
        with self._lock:
            if not patient and self.full:
                raise UnavailableError(
                    "more requests wait for this model than can be answered soon; try again in a"
                    " second",
                    retry_after=1,
                )
            self._waiting += 1
        pending = self._pool.submit(copy_context().run, self._timed, work)
        pending.add_done_callback(self._given_up)
        return await asyncio.wrap_future(pending)

    def close(self) -> None:
        """Finish what waits."""
        self._pool.shutdown(wait=True)

    def _given_up(self, pending: "Future[Result]") -> None:
        """Forget who left before it was their turn: that work never begins."""
        if pending.cancelled():
            with self._lock:
                self._waiting -= 1

    def _timed(self, work: Callable[[], Result]) -> Result:
        with self._lock:
            self._waiting -= 1
        start = monotonic()
        try:
            return work()
        finally:
            spent = monotonic() - start
            with self._lock:
                self._seconds += _WEIGHT * (spent - self._seconds)
