"""Wires an api process: memory that follows the database, the log on disk, and nothing else.

The request path needs only what is in memory and local disk. A thread of its own follows keys and
releases; while the database is away, what was read last goes on serving.
"""

import logging
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from core import keys, users
from core.clock import Clock, monotonic, utc_now
from core.db import Database
from core.errors import PilothouseError, UnavailableError
from core.serving import board as boards
from core.serving import stored
from core.serving.aside import Aside
from core.serving.board import Board, Released
from core.serving.features import Values
from core.serving.loading import Loading
from core.serving.rates import Rates
from core.serving.shadow import Shadows
from core.serving.snapshot import Snapshots
from core.serving.spool import Spool
from core.serving.stages import Stages
from core.serving.stored import Stored
from core.serving.traffic import Traffic
from core.settings import Settings
from core.tokens import Tokens

log = logging.getLogger("api")
_PATIENCE_SECONDS = 3.0
_SILENT_AFTER_SECONDS = 15.0
_LOOK_UP_SECONDS = 15.0


class Service:
    """Everything an api process holds; `start` before the first request, `close` at the end."""

    def __init__(self, settings: Settings, db: Database, clock: Clock) -> None:
        self.settings = settings
        self.db = db
        self.clock = clock
        self.board = Board()
        self.traffic = Traffic()
        self.stages = Stages()
        self.stored = Stored()
        self.values = Values()
        self.shadows = Shadows()
        self.replays = Replays()
        self.rates = Rates(settings.rate_limit_per_minute, settings.api_workers)
        self.tokens = Tokens(settings)
        self.spool = Spool(
            settings.folder("spool"),
            max_bytes=settings.spool_max_mb << 20,
            power=settings.spool_durability == "power",
        )
        self.aside = Aside()
        self.started = monotonic()
        self._cpu = (self.started, sum(os.times()[:2]))
        self.loading = Loading(settings, self.spool, clock)
        self.snapshots = Snapshots(settings)
        self.away: str | None = None  # why the database could not be read the last time
        self._no_snapshot = "and the snapshot was not looked for yet"
        self._good_seconds = settings.snapshot_max_hours * 3600
        self._good_until = -math.inf  # on the clock that never jumps
        self._heard = self.started
        self._sources: dict[str, Released] = {}  # what `board.served` was loaded from
        self._lock = threading.Lock()  # around every replacement of the board
        self._loads = threading.Lock()  # around every load: the snapshot's and the database's
        self._load_pool = ThreadPoolExecutor(1, thread_name_prefix="loading")
        self._load: Future[None] = Future()
        self._load.set_result(None)
        self._stop, self._asked, self._first_look = (threading.Event() for _ in range(3))
        self._threads = [
            threading.Thread(target=self._repeat, args=args, name=args[0].__name__, daemon=True)
            for args in (
                (self._follow, settings.release_poll_seconds),
                (self.look_up, _LOOK_UP_SECONDS),
            )
        ]

    def start(self) -> None:
        """Follow the database from now on; while it does not answer, start from the snapshot."""
        for thread in self._threads:
            thread.start()
        self.shadows.start()
        self._asked.wait(_PATIENCE_SECONDS)
        if self.board.known:
            self._first_look.wait()
        else:
            self._restore()

    def close(self) -> None:
        """Stop following, finish shadow answers, and give up the log file to the shipper."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5)
        self._load_pool.shutdown(wait=True)
        self.loading.close()
        self.aside.close()
        self.shadows.close()
        self.spool.close()
        self.db.engine.dispose()

    def ready(self) -> None:
        """Raise `UnavailableError` unless the next prediction can be answered and logged."""
        self.trusted()
        if self.board.main is None:
            raise UnavailableError("no model is released yet; train and promote one first")
        self.spool.check()

    def trusted(self) -> None:
        """Raise `UnavailableError` where keys and releases were read too long ago, or never."""
        if monotonic() <= self._good_until:
            return
        if self.board.known:
            raise UnavailableError(
                f"the database was not reached for {self.settings.snapshot_max_hours:g} hours; "
                "keys and releases of then do not count any more"
            )
        raise UnavailableError(f"the database was not reached since the start, {self._no_snapshot}")

    def degraded(self) -> list[str]:
        """Return why this process is not as it should be, in sentences; nothing when it is."""
        reasons = [f"{model}: {why}" for model, why in self.loading.problems.items()]
        if away := self._silence():
            since = self.board.read_at
            when = f"; what was read at {since:%Y-%m-%d %H:%M:%S} UTC serves" if since else ""
            reasons.append(f"{away}{when}")
        if self.snapshots.problem:
            reasons.append(self.snapshots.problem)
        return reasons + self.spool.amiss()

    def _silence(self) -> str | None:
        """Say what is wrong with the database, also where it keeps a question waiting."""
        if self.away is not None:
            return self.away
        late = monotonic() - self._heard > _SILENT_AFTER_SECONDS
        return "the database keeps this process waiting" if late or self.board.restored else None

    def uptime_seconds(self) -> float:
        """Return seconds since this process started."""
        return monotonic() - self.started

    def cpu_percent(self) -> float:
        """Return the share of one processor that this process used since the last question."""
        now, used = monotonic(), sum(os.times()[:2])
        before, self._cpu = self._cpu, (now, used)
        return round(100 * (used - before[1]) / max(now - before[0], 1e-3), 1)

    def refresh(self) -> None:
        """Follow keys and releases now.

        A release whose artifact cannot be loaded changes nothing: what served before goes on.

        Raises: UnavailableError (the database is away).
        """
        self._switch_all(*self._read())

    def _follow(self) -> None:
        """Follow keys now, and releases in a thread of their own: loading one may take seconds."""
        if not self._first_look.is_set():
            try:
                self.refresh()
            finally:
                self._first_look.set()
            return
        names, changed = self._read()
        if self._load.done():
            self._load = self._load_pool.submit(
                self._try, partial(self._switch_all, names, changed)
            )

    def _read(self) -> tuple[list[str], list[Released]]:
        """Take over the keys, and return all released models and those that are to change."""
        began, at, board = monotonic(), self.clock(), self.board
        seen = {} if board.restored else {name: one.seq for name, one in board.served.items()}
        try:
            with self.db.read() as session:
                table, people = keys.table(session), users.standings(session)
                names, changed = boards.newest(session, seen=seen)
                self.values.follow(session, self._looked_up(changed), at)
        except UnavailableError as problem:
            self._asked.set()
            self._went_away(problem)
            raise
        with self._lock:
            self.board = replace(self.board, keys=table, people=people, known=True, read_at=at)
            self._heard, self._good_until = began, began + self._good_seconds
        self._came_back()
        self._asked.set()
        return names, changed

    def _went_away(self, problem: UnavailableError) -> None:
        if self.away is None:
            log.warning("%s; what was read last serves on", problem)
        self.away = str(problem)

    def _came_back(self) -> None:
        if self.away is not None:
            log.info("the database answers again")
        self.away = None

    def _looked_up(self, changed: Iterable[Released]) -> set[str]:
        """Return the features that served or newly released versions look up."""
        every = [one.completions for one in self.board.served.values()]
        every += [one.completions for one in changed]
        return {
            label
            for completions in every
            for completion in completions.values()
            for label in completion.looked_up
        }

    def _switch_all(self, names: list[str], changed: list[Released]) -> None:
        """Load what changed, and write down what serves."""
        tried = [found for found in changed if self.loading.due(found.release.model)]
        for found in tried:
            self._switch(found, names)
        if tried:
            self._fill_gaps(names)
        with self._lock:
            self.board = board = replace(self.board, restored=False)
        at = board.read_at or self.clock()
        sources = [self._sources[name] for name in board.served]
        self.snapshots.keep(board, sources, at, news=bool(tried))

    def _fill_gaps(self, names: list[str]) -> None:
        """Serve what served before this process began, where the newest cannot be loaded."""
        missing = {name for name in names if name not in self.board.served}
        if missing:
            with suppress(PilothouseError):  # without a snapshot the gap stays
                for found in self.snapshots.read(self.clock()).releases:
                    if found.release.model in missing:
                        self._switch(found, names, newest=False)

    def _restore(self) -> None:
        """Serve what the snapshot says, unless the database answers meanwhile."""
        try:
            found = self.snapshots.read(self.clock())
        except PilothouseError as problem:
            self._no_snapshot = f"and {problem}"
            log.error("the database is away, %s", self._no_snapshot)
            return
        names = [one.release.model for one in found.releases]
        for one in found.releases:
            self._switch(one, names, unless_known=True)
        age = found.age(self.clock()).total_seconds()
        with self._lock:
            if not self.board.known:
                self.board = replace(
                    self.board,
                    keys=found.keys,
                    people=found.people,
                    known=True,
                    restored=True,
                    read_at=found.at,
                )
                self._good_until = monotonic() + self._good_seconds - age
        log.warning("the database is away: the snapshot of %s serves", found.at.isoformat())

    def _switch(
        self,
        found: Released,
        names: list[str],
        *,
        newest: bool = True,
        unless_known: bool = False,
    ) -> None:
        """Load one release and serve it from now on; where it cannot be loaded, nothing changes."""
        model = found.release.model
        with self._loads:
            if unless_known and self.board.known:
                return
            served = self.loading.load(found, self.board.served.get(model), newest=newest)
            if served is None:
                return
            self._sources[model] = found
            with self._lock:
                every = {**self.board.served, model: served}
                self.board = replace(
                    self.board, served={name: every[name] for name in names if name in every}
                )

    def look_up(self) -> None:
        """Read the figures that change slowly. Raises: UnavailableError."""
        with self.db.read() as session:
            self.stored = stored.read(session, list(self.board.served), self.clock())

    def _repeat(self, step: Callable[[], None], seconds: float) -> None:
        self._try(step)
        while not self._stop.wait(seconds):
            self._try(step)

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except UnavailableError as problem:
            log.debug("%s", problem)  # said once, when it went away
        except Exception:  # the thread must live as long as the process does
            log.exception("the database could not be read")


class Replays:
    """The last answers to named requests, so that a repeated one gets the same answer."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, tuple[Any, dict[str, Any]]] = OrderedDict()

    def get(self, prediction_id: str) -> tuple[Any, dict[str, Any]] | None:
        """Return (request, answer) of an earlier time, or None."""
        with self._lock:
            return self._answers.get(prediction_id)

    def put(self, prediction_id: str, request: object, answer: dict[str, Any]) -> None:
        """Remember an answer, and forget the oldest beyond the bound."""
        with self._lock:
            self._answers[prediction_id] = (request, answer)
            while len(self._answers) > self._most:
                self._answers.popitem(last=False)


def build(settings: Settings, clock: Clock = utc_now) -> Service:
    """Wire an api process without the panel's parts and without reading anything yet."""
    return Service(settings, Database(settings, clock), clock)
