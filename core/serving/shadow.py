"""Answers for the log only: computed beside the client's, never instead of it or before it."""

import logging
import queue
import threading
from collections.abc import Callable

from core.errors import PilothouseError

log = logging.getLogger("shadow")
_LONGEST_QUEUE = 1_000


class Shadows:
    """A bounded queue and one thread; when it is full, shadow answers are dropped and counted."""

    def __init__(self) -> None:
        self.dropped = 0
        self._tasks: queue.Queue[Callable[[], None] | None] = queue.Queue(_LONGEST_QUEUE)
        self._thread = threading.Thread(target=self._work, name="shadows", daemon=True)

    def start(self) -> None:
        """Begin to compute."""
        self._thread.start()

    def put(self, task: Callable[[], None]) -> None:
        """Leave a task for later; never waits."""
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            self.dropped += 1

    def close(self, *, seconds: float = 5) -> None:
        """Finish what waits, within `seconds`."""
        if self._thread.is_alive():
            self._tasks.put(None)
            self._thread.join(seconds)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except PilothouseError as problem:  # the log is full: the client's answers go first
                self.dropped += 1
                log.warning("a shadow answer was dropped: %s", problem)
            except Exception:  # a shadow version must not stop those after it
                self.dropped += 1
                log.exception("a shadow version failed")
