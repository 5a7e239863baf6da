"""Moves the prediction log from local disk to the database, in a process of its own.

One transaction per batch holds the rows, the hourly counters of the rows that were really new, the
labels, and how far the file was moved. A kill at any point repeats at most one batch, and every
statement of a batch has no effect the second time.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from core.db import Database
from core.errors import UnavailableError
from core.serving import problems, reading, spool
from core.serving.reading import Batch
from core.serving.storing import store
from core.settings import Settings
from core.tables.telemetry import SpoolPosition

log = logging.getLogger("shipper")
_LOCK = "shipper.lock"
_PAUSE_SECONDS = 0.3
_AWAY_SECONDS = 2.0
_REFUSED = (SQLAlchemyError, LookupError, TypeError, ValueError)
"""What storing raises when it is the records' fault; a database that is away is another error."""


def run(db: Database, settings: Settings, stop: threading.Event) -> None:
    """Ship until `stop` is set, then once more."""
    log.info("the shipper is ready")
    shipper = Shipper(db, settings)
    while not stop.is_set():
        try:
            shipper.ship()
        except (UnavailableError, OSError) as problem:
            log.warning("%s", problem)
            stop.wait(_AWAY_SECONDS)
        else:
            stop.wait(_PAUSE_SECONDS)
    with suppress(UnavailableError, OSError):
        shipper.ship()


def ship(db: Database, settings: Settings) -> int:
    """Move what lies in the log; returns how many records moved. Raises: as `Shipper.ship`."""
    return Shipper(db, settings).ship()


class Shipper:
    """Remembers how far each file is moved, so that an idle pass asks the database nothing."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self._moved_to: dict[Path, int] = {}

    def ship(self) -> int:
        """Move what lies in the log, and delete files that are moved; returns how many records.

        A second shipper on the same folder does nothing meanwhile.

        Raises: UnavailableError (the database is away), OSError (the folder is): everything stays
        in the log.
        """
        folder = self._settings.folder("spool")
        with _alone(folder) as alone:
            if not alone:
                return 0
            files = spool.files(folder)
            self._moved_to = {path: at for path, at in self._moved_to.items() if path in files}
            moved = sum(self._ship_file(path) for path in files)
            self._forget(spool.moved(folder))
            _clear_unused(folder)
            os.utime(folder / _LOCK)  # tells how old what is left in the log can be
            return moved

    def _ship_file(self, path: Path) -> int:
        ours = spool.adopt(path)  # asked before reading: an unowned file has no more to come
        try:
            if ours is None and path.stat().st_size == self._moved_to.get(path):
                return 0
            with path.open("rb") as file:
                moved = self._move(path, file.fileno(), ended=ours is not None)
            if ours is not None:
                path.rename(path.with_suffix(spool.MOVED))
            return moved
        finally:
            if ours is not None:
                os.close(ours)

    def _move(self, path: Path, file: int, *, ended: bool) -> int:
        """Move what is complete; what is written meanwhile waits for the next pass."""
        moved, most = 0, None
        size = os.fstat(file).st_size
        offset = self._moved_to[path] = self._offset(path)
        while offset < size:
            batch = reading.read(file, offset, ended=ended, most=most)
            if batch.end == offset:
                break
            try:
                self._store(path, offset, batch)
            except _REFUSED as problem:
                if len(batch.records) > 1:
                    most = len(batch.records) // 2  # smaller, until the one is found
                    continue
                self._store(path, offset, _refused(file, offset, batch, problem))
            else:
                moved, most = moved + len(batch.records), most and most * 2
            offset = self._moved_to[path] = batch.end
        return moved

    def _offset(self, path: Path) -> int:
        with self._db.read() as session:
            row = session.get(SpoolPosition, path.name)
            return row.offset if row else 0

    def _store(self, path: Path, offset: int, batch: Batch) -> None:
        if batch.damage:
            _set_aside(path, offset, batch.damage)
        problems.hand_over(self._db, batch.records)
        with self._db.append() as session:
            store(session, batch.records)
            session.merge(SpoolPosition(spool=path.name, offset=batch.end, at=self._db.clock()))

    def _forget(self, moved: list[Path]) -> None:
        """Remove files that are moved whole, each after its position, which vouches for that."""
        if not moved:
            return
        spool.sync_folder(moved[0].parent)  # or a loss of power brings the old name back
        names = [path.with_suffix(spool.SUFFIX).name for path in moved]
        with self._db.append() as session:
            session.execute(delete(SpoolPosition).where(SpoolPosition.spool.in_(names)))
        for path in moved:
            path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(file)


def _refused(file: int, offset: int, batch: Batch, problem: Exception) -> Batch:
    log.error("a record of the prediction log cannot be stored: %s", type(problem).__name__)
    return Batch([], batch.end, os.pread(file, batch.end - offset, offset))


def _set_aside(path: Path, offset: int, content: bytes) -> None:
    """Keep what cannot be moved for a person, before the position passes it."""
    kept = path.with_name(f"{path.stem}-{offset}{spool.ASIDE}")
    kept.write_bytes(content)
    log.error("%d bytes of the prediction log are set aside in %s", len(content), kept.name)


def _clear_unused(folder: Path) -> None:
    """Remove files whose process died before it wrote its first record."""
    for path in spool.unused(folder):
        ours = spool.adopt(path)
        if ours is not None:
            path.unlink()
            os.close(ours)
