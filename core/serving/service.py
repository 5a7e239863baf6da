"""Wires an api process: memory that follows the database, the log on disk, and nothing else.

The request path needs only what is in memory and local disk. A thread of its own follows keys and
releases; while the database is away, what was read last goes on serving.
"""

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from core import keys, releases
from core.clock import Clock, monotonic, utc_now
from core.db import Database
from core.errors import PilothouseError, UnavailableError
from core.serving import board as boards
from core.serving import scorer, stored
from core.serving.board import Board, Released, Served
from core.serving.features import Values
from core.serving.scorer import Scorer
from core.serving.shadow import Shadows
from core.serving.spool import Spool
from core.serving.stages import Stages
from core.serving.stored import Stored
from core.serving.traffic import Traffic
from core.settings import Settings

log = logging.getLogger("api")
_KEPT_WARM = 2
_RETRY_SECONDS = 5.0
_LOOK_UP_SECONDS = 15.0


class Service:
    """Everything an api process holds; `start` before the first request, `close` at the end."""

    def __init__(self, settings: Settings, db: Database, clock: Clock) -> None:
        self.settings = settings
        self.db = db
        self.clock = clock
        self.board = Board()
        self.problems: dict[str, str] = {}
        self.load_failures = 0
        self.traffic = Traffic()
        self.stages = Stages()
        self.stored = Stored()
        self.values = Values()
        self.shadows = Shadows()
        self.replays = Replays()
        self.spool = Spool(settings.folder("spool"), max_bytes=settings.spool_max_mb << 20)
        self.pool = ThreadPoolExecutor(2, thread_name_prefix="scoring")
        self.started = monotonic()
        self._cpu = (self.started, sum(os.times()[:2]))
        self._warm: OrderedDict[tuple[str, str, str], Scorer] = OrderedDict()
        self._retry_at: dict[str, float] = {}
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=args, name=args[0].__name__, daemon=True)
            for args in (
                (self.refresh, settings.release_poll_seconds),
                (self.look_up, _LOOK_UP_SECONDS),
            )
        ]

    def start(self) -> None:
        """Read the database once, if it answers, and follow it from now on."""
        self._try(self.refresh)
        self._try(self.look_up)
        for thread in self._threads:
            thread.start()
        self.shadows.start()

    def close(self) -> None:
        """Stop following, finish shadow answers, and give up the log file to the shipper."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5)
        self.pool.shutdown(wait=True)
        self.shadows.close()
        self.spool.close()
        self.db.engine.dispose()

    def ready(self) -> None:
        """Raise `UnavailableError` unless the next prediction can be answered and logged."""
        if not self.board.known:
            raise UnavailableError("the database was not reached since the start")
        if self.board.main is None:
            raise UnavailableError("no model is released yet; train and promote one first")
        self.spool.check()

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
        now = monotonic()
        seen = {name: one.seq for name, one in self.board.served.items()}
        with self.db.read() as session:
            table = keys.table(session)
            names, changed = boards.newest(session, seen=seen)
            self.values.follow(session, self._looked_up(changed), self.clock())
        self.board = replace(self.board, keys=table, known=True)
        for found in changed:
            if now >= self._retry_at.get(found.release.model, 0):
                self._switch(found, names)

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

    def _switch(self, found: Released, names: list[str]) -> None:
        model = found.release.model
        try:
            served = self._load(found)
        except (PilothouseError, OSError) as problem:
            self._keep_old(model, str(problem))
            return
        except Exception as fault:  # a foreign artifact may raise anything; the old one serves on
            log.exception("%s could not be loaded", model)
            self._keep_old(model, f"an unexpected fault: {type(fault).__name__}")
            return
        self.problems.pop(model, None)
        every = {**self.board.served, model: served}
        self.board = replace(
            self.board, served={name: every[name] for name in names if name in every}
        )
        log.info("%s now serves release %d", model, served.seq)

    def _keep_old(self, model: str, problem: str) -> None:
        self.load_failures += 1
        self.problems[model] = problem
        self._retry_at[model] = monotonic() + _RETRY_SECONDS
        log.error("the newest release of %s cannot serve: %s", model, problem)

    def _load(self, found: Released) -> Served:
        release = found.release
        arms = tuple(releases.arms(release))
        scorers = {arm.version: self._scorer(found, arm.version) for arm in arms}
        self._forget(release.model, set(scorers))
        return Served(
            release.model,
            release.seq,
            release.salt,
            arms,
            found.experiment,
            scorers,
            found.completions,
        )

    def _scorer(self, found: Released, version: str) -> Scorer:
        row = found.versions[version]
        key = (row.model, row.version, row.artifact)
        if key not in self._warm:
            self._warm[key] = scorer.load(self.settings, row)
        self._warm.move_to_end(key)
        return self._warm[key]

    def _forget(self, model: str, serving: set[str]) -> None:
        """Keep the last two versions that no longer serve, so that a rollback loads nothing."""
        idle = [key for key in self._warm if key[0] == model and key[1] not in serving]
        for key in idle[:-_KEPT_WARM]:
            del self._warm[key]

    def look_up(self) -> None:
        """Read the figures that change slowly. Raises: UnavailableError."""
        with self.db.read() as session:
            self.stored = stored.read(session, list(self.board.served), self.clock())

    def _repeat(self, step: Callable[[], None], seconds: float) -> None:
        while not self._stop.wait(seconds):
            self._try(step)

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except UnavailableError as problem:
            log.warning("%s", problem)
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
