"""How a SQLite file is opened, and how a process learns that its file is no longer the one.

A file that is moved or replaced lives on behind every open connection: what is written there is
lost, and journals of two files under one name spoil both. So before a connection is used, its file
must still lie at its place; where another lies there, this process writes nothing until it starts
anew.
"""

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from core.errors import MissingDatabaseError, UnavailableError

_PRAGMAS = ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "busy_timeout=15000")


def prepare(engine: Engine) -> None:
    """Set up each connection of an engine, and let none be used whose file is not at its place."""
    if path := file_of(engine):
        place = _Place(path)
        event.listen(engine, "do_connect", place.check)
        event.listen(engine, "connect", place.note)
        event.listen(engine, "checkout", place.check)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)


def file_of(engine: Engine) -> Path | None:
    """Return the file of a SQLite database; None in memory, under a URI, and on PostgreSQL."""
    name = engine.url.database or ""
    plain = engine.dialect.name == "sqlite" and not name.startswith((":memory:", "file:"))
    return Path(name) if name and plain else None


class _Place:
    """Where the file lies, and which one it was at first; a look costs 2 µs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: tuple[int, int] | None = None

    def note(self, *_: object) -> None:
        """Remember which file the first connection opened."""
        self._first = self._first or self._now()

    def check(self, *_: object) -> None:
        """Raise where there is no file (SQLite would make an empty one), or not the first one.

        The number of a file that is open is not given to another.
        """
        now = self._now()
        if self._first not in (None, now):
            raise UnavailableError(
                f"another file took the place of {self._path.name}, the database, while this"
                " process had it open: put the former one back, or restart the product"
            )

    def _now(self) -> tuple[int, int]:
        try:
            found = os.stat(self._path)
        except FileNotFoundError as error:
            raise MissingDatabaseError(self._path) from error
        return found.st_dev, found.st_ino


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: see _begin
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Writers take the lock at once: a later upgrade from reader to writer can deadlock."""
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
