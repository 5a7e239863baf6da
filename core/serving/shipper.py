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

from core.db import Database
from core.errors import UnavailableError
from core.serving import spool
from core.serving.storing import store
from core.settings import Settings
from core.tables.telemetry import SpoolPosition

log = logging.getLogger("shipper")
_CHUNK_BYTES = 1 << 20
_PAUSE_SECONDS = 0.3


def run(db: Database, settings: Settings, stop: threading.Event) -> None:
    """Ship until `stop` is set, then once more."""
    log.info("the shipper is ready")
    while not stop.is_set():
        try:
            moved = ship(db, settings)
        except (UnavailableError, OSError) as problem:
            log.warning("%s", problem)
            stop.wait(2)
        else:
            stop.wait(0 if moved >= 1000 else _PAUSE_SECONDS)
    with suppress(UnavailableError):
        ship(db, settings)


def ship(db: Database, settings: Settings) -> int:
    """Move what lies in the log, and delete files that are moved; returns how many records moved.

    A second shipper on the same folder does nothing meanwhile.

    Raises: UnavailableError (the database is away; everything stays in the log).
    """
    folder = settings.folder("spool")
    with _alone(folder) as alone:
        if not alone:
            return 0
        moved = sum(_ship_file(db, path) for path in spool.files(folder))
        _clear_unused(folder)
        return moved


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    file = os.open(folder / "shipper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(file)


def _ship_file(db: Database, path: Path) -> int:
    ours = spool.adopt(path)  # asked before reading: an unowned file has no more to come
    try:
        with path.open("rb") as file:
            moved, whole = _move(db, path, file.fileno())
        if ours is not None:
            _finish(db, path, whole=whole)
        return moved
    finally:
        if ours is not None:
            os.close(ours)


def _move(db: Database, path: Path, file: int) -> tuple[int, bool]:
    """Return how many records moved, and whether no damaged frame stood in the way."""
    moved, offset = 0, _offset(db, path)
    while True:
        records, end, whole = _read(file, offset)
        if not records:
            return moved, whole
        with db.append() as session:
            store(session, records)
            session.merge(SpoolPosition(spool=path.name, offset=end, at=db.clock()))
        moved, offset = moved + len(records), end


def _offset(db: Database, path: Path) -> int:
    with db.read() as session:
        row = session.get(SpoolPosition, path.name)
        return row.offset if row else 0


def _read(file: int, offset: int) -> tuple[list[spool.Record], int, bool]:
    """Return complete records behind `offset`, where they end, and whether nothing is damaged."""
    records: list[spool.Record] = []
    end, size = offset, _CHUNK_BYTES
    while True:
        data = os.pread(file, size, offset)
        try:
            for record, place in spool.frames(data):
                records.append(record)
                end = offset + place
        except spool.DamagedError:
            return records, end, False
        if records or len(data) < size:
            return records, end, True
        size *= 4  # one record is larger than the chunk


def _finish(db: Database, path: Path, *, whole: bool) -> None:
    """Put away a file that nobody writes any more; a torn last frame was never answered."""
    if not whole:
        log.error("%s is damaged on disk; what could be read was moved, the rest is kept", path)
        path.rename(path.with_suffix(".damaged"))
        return
    path.unlink()
    with db.append() as session:
        session.execute(delete(SpoolPosition).where(SpoolPosition.spool == path.name))


def _clear_unused(folder: Path) -> None:
    """Remove files whose process died before it wrote its first record."""
    for path in folder.glob("*.new"):
        ours = spool.adopt(path)
        if ours is not None:
            path.unlink()
            os.close(ours)
