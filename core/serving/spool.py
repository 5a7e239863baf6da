"""The prediction log on local disk: written before a client gets its answer.

A process appends frames to one file of its own (see `core/serving/frames.py`). The file is owned
by an `flock` for as long as the process lives (a pid says nothing: each container has its own
pid 1), and the kernel keeps what was written also when the process is killed. To survive a loss of
power an answer waits for an `fsync` too. At a size the file is closed and the next one begun. The
shipper moves the records to the database.
"""

import fcntl
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from core.clock import monotonic
from core.errors import UnavailableError
from core.ids import new_id
from core.serving.durable import GroupSync, Pending
from core.serving.frames import Record as Record
from core.serving.frames import frame

SUFFIX = ".spool"
MOVED = ".moved"
ASIDE = ".damaged"
_ROTATE_BYTES = 16 << 20
_REMEASURE_SECONDS = 0.25


class Spool:
    """One process's end of the log; `append` and `write` are safe from several threads."""

    def __init__(self, folder: Path, *, max_bytes: int, power: bool = False) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self.power = power
        self._rotate_bytes = min(_ROTATE_BYTES, max_bytes // 8)
        self._lock = threading.Lock()
        self._sync = GroupSync(self._refused)
        self._file: int | None = None
        self._size = 0
        self._others = 0
        self._measured_at = -1.0

    def append(self, records: Iterable[Record | bytes]) -> None:
        """Write records, and wait until they are as durable as is set.

        Raises: UnavailableError (the log is at its bound, or the disk refuses): then none of them
        may count as written.
        """
        if (pending := self.write(records)) is not None:
            pending.result()

    def write(self, records: Iterable[Record | bytes]) -> Pending | None:
        """Write records without waiting for the disk; for an event loop.

        None means that they are as durable as is set; else the answer must await what is returned
        (`asyncio.wrap_future`), which raises as this does. Raises: as `append`.
        """
        data = [frame(record) for record in records]
        with self._lock:
            try:
                file = self._write(b"".join(data), first=len(data[0]) if data else 0)
            except OSError as error:
                raise UnavailableError(
                    "the prediction log cannot be written, so nothing is answered"
                ) from error
            if not self.power:
                return None
            return self._sync.join(file)

    def close(self) -> None:
        """Give the file up, so that the shipper may take it over at once."""
        with self._lock:
            self._give_up()
        self._sync.close()

    def check(self) -> None:
        """Raise `UnavailableError` when the next record could not be written."""
        with self._lock:
            try:
                self._check_room(0)
            except OSError as error:
                raise UnavailableError("the folder of the prediction log is away") from error
        if not os.access(self.folder, os.W_OK):
            raise UnavailableError("the folder of the prediction log cannot be written")

    def used_bytes(self) -> int:
        """Return how much of its bound the log of this machine uses."""
        with os.scandir(self.folder) as entries:
            return sum(_size(entry) for entry in entries if entry.name.endswith(SUFFIX))

    def amiss(self) -> list[str]:
        """Return what a person should look at, in sentences; nothing when all is well."""
        return amiss(self.folder)

    def _write(self, data: bytes, *, first: int) -> int:
        """Append `data`, whose first frame has `first` bytes, and return the file."""
        if self._file is not None and self._size >= self._rotate_bytes:
            self._give_up()
        self._check_room(len(data))
        if self._file is None:
            self._file = _own_file(self.folder, power=self.power)
        file, written = self._file, 0
        try:
            while written < len(data):
                written += os.write(file, data[written:])
        except OSError:
            self._take_back(file, written, first)  # a full disk took a part
            raise
        self._size += written
        return file

    def _take_back(self, file: int, written: int, first: int) -> None:
        """Cut half a frame off; whole frames may be read already, so the file ends with them."""
        if written >= first:
            self._give_up()
            return
        try:
            os.ftruncate(file, self._size)
        except OSError:
            self._give_up()  # the next record must not stand behind half a frame
            raise

    def _give_up(self) -> None:
        if self._file is not None:
            self._sync.close_file(self._file)
            self._file, self._size, self._measured_at = None, 0, -1.0

    def _refused(self, file: int) -> None:
        """After a failed `fsync` nothing more is written to the file."""
        with self._lock:
            if self._file == file:
                self._give_up()

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


def files(folder: Path) -> list[Path]:
    """Return the files of the log, the oldest first. Raises: OSError."""
    return sorted(Path(name) for name in _named(folder, SUFFIX))


def unused(folder: Path) -> list[Path]:
    """Return files that a process was about to begin. Raises: OSError."""
    return [Path(name) for name in _named(folder, ".new")]


def moved(folder: Path) -> list[Path]:
    """Return files that are in the database and not yet removed. Raises: OSError."""
    return [Path(name) for name in _named(folder, MOVED)]


def set_aside(folder: Path) -> list[Path]:
    """Return what could not be read or stored and waits for a person. Raises: OSError."""
    return sorted(Path(name) for name in _named(folder, ASIDE))


def amiss(folder: Path) -> list[str]:
    """Return what a person should look at in a log, in sentences; nothing when all is well."""
    try:
        pieces = len(set_aside(folder))
    except OSError:
        return ["the folder of the prediction log cannot be read"]
    where = f"see *{ASIDE} in its folder, and delete what is looked after"
    return [f"{pieces} pieces of the prediction log could not be moved: {where}"] if pieces else []


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


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to stable storage."""
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _own_file(folder: Path, *, power: bool) -> int:
    """Make a file that is locked before anybody can see it under its final name."""
    while True:
        fresh = folder / f"{new_id()}.new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            if _locked(file):
                fresh.rename(fresh.with_suffix(SUFFIX))
                if power:
                    sync_folder(folder)
                return file
        except FileNotFoundError:
            pass  # a shipper took it for that of a process that died: the next one is begun
        except OSError:
            os.close(file)
            raise
        os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _named(folder: Path, suffix: str) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.path for entry in entries if entry.name.endswith(suffix)]


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0
