"""Group commit: writers that come while the disk is busy share the next `fsync`."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future

from core.errors import UnavailableError

Pending = Future[None]


class GroupSync:
    """A thread that brings what was written to stable storage, for all who wait at once.

    When the disk refuses, `on_failure(file)` is told before anybody else is: nothing more may be
    written to that file, because the kernel may have dropped what it could not write, and the
    next `fsync` would not say so.
    """

    def __init__(self, on_failure: Callable[[int], None]) -> None:
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._waiting: dict[int, Pending] = {}
        self._busy: frozenset[int] = frozenset()
        self._given_up: set[int] = set()
        self._thread: threading.Thread | None = None
        self._ended = False

    def join(self, file: int) -> Pending:
        """Return what is done when an `fsync` that began after this call has ended.

        It raises UnavailableError when the disk refused.
        """
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fsync", daemon=True)
                self._thread.start()
            pending = self._waiting.get(file)
            if pending is None:
                pending = self._waiting[file] = Future()
                self._changed.notify()
            return pending

    def close_file(self, file: int) -> None:
        """Close a file as soon as nobody waits for it."""
        with self._changed:
            if file in self._waiting or file in self._busy:
                self._given_up.add(file)
            else:
                os.close(file)

    def close(self) -> None:
        """Finish what is waited for, then end the thread."""
        with self._changed:
            thread, self._thread, self._ended = self._thread, None, True
            self._changed.notify()
        if thread is not None:
            thread.join()
        self._ended = False

    def _run(self) -> None:
        while group := self._next():
            for file, pending in group.items():
                self._sync(file, pending)
            self._release(group)

    def _next(self) -> dict[int, Pending]:
        """Return all who wait, at least one; nobody means the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            group, self._waiting = self._waiting, {}
            self._busy = frozenset(group)
            return group

    def _sync(self, file: int, pending: Pending) -> None:
        try:
            os.fdatasync(file)
        except OSError as error:
            self._on_failure(file)
            with self._changed:
                later = self._waiting.pop(file, pending)
            for one in {pending, later}:
                refused = UnavailableError("the disk does not keep the log: nothing is answered")
                refused.__cause__ = error
                one.set_exception(refused)
        else:
            pending.set_result(None)

    def _release(self, group: dict[int, Pending]) -> None:
        with self._changed:
            self._busy = frozenset()
            for file in self._given_up & (group.keys() - self._waiting.keys()):
                self._given_up.discard(file)
                os.close(file)
