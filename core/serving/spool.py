"""The prediction log on local disk: written before a client gets its answer.

A process appends to one file of its own: frames of length, CRC-32 and a JSON record. The file is
owned by an `flock` for as long as the process lives (a pid says nothing: each container has its
own pid 1), and the kernel keeps what was written also when the process is killed. At a size the
file is closed and the next one begun. The shipper moves the records to the database.
"""

import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from core.clock import monotonic
from core.errors import UnavailableError
from core.ids import new_id

SUFFIX = ".spool"
Record = Mapping[str, Any]
_HEAD = struct.Struct("<II")
_ROTATE_BYTES = 16 << 20
_REMEASURE_SECONDS = 0.25


class Spool:
    """One process's end of the log; `append` is safe from several threads."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._rotate_bytes = min(_ROTATE_BYTES, max_bytes // 8)
        self._lock = threading.Lock()
        self._file: int | None = None
        self._size = 0
        self._others = 0
        self._measured_at = -1.0

    def append(self, records: Iterable[Record]) -> None:
        """Write all records, or none of them.

        Raises: UnavailableError (the log is at its bound, or the disk refuses).
        """
        data = b"".join(frame(record) for record in records)
        with self._lock:
            try:
                self._write(data)
            except OSError as error:
                raise UnavailableError(
                    "the prediction log cannot be written, so nothing is answered"
                ) from error

    def close(self) -> None:
        """Give the file up, so that the shipper may take it over at once."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file, self._size = None, 0

    def check(self) -> None:
        """Raise `UnavailableError` when the next record could not be written."""
        with self._lock:
            self._check_room(0)
        if not os.access(self.folder, os.W_OK):
            raise UnavailableError("the folder of the prediction log cannot be written")

    def used_bytes(self) -> int:
        """Return how much of its bound the log of this machine uses."""
        return sum(_size(path) for path in files(self.folder))

    def _write(self, data: bytes) -> None:
        if self._file is not None and self._size >= self._rotate_bytes:
            os.close(self._file)
            self._file, self._size, self._measured_at = None, 0, -1.0
        self._check_room(len(data))
        if self._file is None:
            self._file = _own_file(self.folder)
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            os.ftruncate(self._file, self._size)  # a full disk took half a frame
            raise
        self._size += written

    def _check_room(self, more: int) -> None:
        now = monotonic()
        if now - self._measured_at > _REMEASURE_SECONDS:
            self._others = max(self.used_bytes() - self._size, 0)
            self._measured_at = now
        if self._others + self._size + more > self.max_bytes:
            raise UnavailableError(
                "the prediction log is full, because the database does not take it over",
                retry_after=10,
            )


def frame(record: Record) -> bytes:
    """Return a record as it lies on disk."""
    payload = orjson.dumps(record)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


class DamagedError(Exception):
    """A complete frame whose checksum is wrong: the disk changed it."""


def frames(data: bytes) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield (record, end of its frame) from the start of `data` to the last complete frame.

    Raises: DamagedError, after everything before the damage.

    >>> whole = frame({"a": 1})
    >>> list(frames(whole + whole[:-1])) == [({"a": 1}, len(whole))]
    True
    """
    place = 0
    while place + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, place)
        end = place + _HEAD.size + length
        if end > len(data):
            return
        payload = data[place + _HEAD.size : end]
        if not length or zlib.crc32(payload) != checksum:
            raise DamagedError(f"a frame of the prediction log is damaged at byte {place}")
        yield orjson.loads(payload), end
        place = end


def files(folder: Path) -> list[Path]:
    """Return the files of the log, the oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def adopt(path: Path) -> int | None:
    """Take over a file that no process owns and return its open descriptor, else None."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    if _locked(file):
        return file
    os.close(file)
    return None


def _own_file(folder: Path) -> int:
    """Make a file that is locked before anybody can see it under its final name."""
    while True:
        fresh = folder / f"{new_id()}.new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        if _locked(file):
            fresh.rename(fresh.with_suffix(SUFFIX))
            return file
        os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
