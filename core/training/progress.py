"""Telling a job how far its training is: steps, a log, and the figures of the leaderboard."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core import jobs
from core.clock import monotonic
from core.db import Database
from core.errors import PilothouseError
from core.jobs import Claim

TICK_SECONDS = 1.0
PAUSE_SECONDS = 0.3  # between two writes about steps that follow each other quickly


class Progress:
    """Tells the job how far it is, and keeps telling while one step takes long."""

    def __init__(self, db: Database, claim: Claim, total: int) -> None:
        self._db, self._claim, self._total = db, claim, total
        self._done, self._note = 0, ""
        self._told = self._shown = -PAUSE_SECONDS

    def expect(self, more: int) -> None:
        """Count `more` steps than were known before."""
        self._total += more

    def say(self, line: str) -> None:
        """Add a line to the job's log; a database that is away does not stop a training."""
        try:
            jobs.say(self._db, self._claim.job_id, line)
        except PilothouseError:
            return

    def board(self, figures: Callable[[], Mapping[str, Any]], *, last: bool = False) -> None:
        """Show the figures so far, in place of those before; any but the last may be left out."""
        if not last and monotonic() - self._shown < PAUSE_SECONDS:
            return
        self._shown = monotonic()
        try:
            jobs.show(self._db, self._claim, figures())
        except PilothouseError:  # a courtesy, like the progress itself
            return

    def advance(self, note: str) -> None:
        """Count one step that has ended inside a longer one."""
        self._done, self._note = self._done + 1, note
        if monotonic() - self._told >= PAUSE_SECONDS:
            self._tell(note)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Count one step, with the seconds so far while it lasts."""
        with self.during(what):
            yield
        self._done += 1
        if self._done >= self._total:
            self._tell(what)

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Tell every second how long this lasts, wherever the work itself is done."""
        stop, started = threading.Event(), monotonic()
        self._note = what
        if started - self._told >= PAUSE_SECONDS:
            self._tell(what)
        ticker = threading.Thread(target=self._tick, args=(started, stop), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            stop.set()
            ticker.join()

    def _tick(self, started: float, stop: threading.Event) -> None:
        while not stop.wait(TICK_SECONDS):
            self._tell(f"{self._note}, {monotonic() - started:.0f} s")

    def _tell(self, note: str) -> None:
        self._told = monotonic()
        try:
            jobs.progress(self._db, self._claim, done=self._done, total=self._total, note=note)
        except PilothouseError:  # progress is a courtesy: the training goes on without it
            return
