"""The counters of one api process, and of all workers that serve beside it.

A worker counts in its own memory, in plain lists. Where several workers share one port, Prometheus
meets any of them, so each writes its counters to a small file (every second, and before it answers
a scrape), and whoever is scraped adds all files up. What a worker counted stays in its file when it
ends: totals never go down while the group of workers lives. A new group begins at zero, as
Prometheus expects of a restart.
"""

import fcntl
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from core.clock import utc_now

Name = tuple[str, ...]
Levels = Mapping[Name, float]
_ENDED = "ended"
_SUFFIX = ".counts"
_FORGET_SECONDS = 24 * 3600


@dataclass(slots=True)
class Total:
    """Counters added up over all workers, and what each living worker says of this moment."""

    counts: dict[Name, list[float]] = field(default_factory=dict)
    levels: list[dict[Name, float]] = field(default_factory=list)

    def add(self, counts: Mapping[Name, list[float]]) -> None:
        """Add the counters of one process, cell by cell."""
        for name, cells in counts.items():
            before = self.counts.get(name)
            added = [a + b for a, b in zip(before, cells, strict=True)] if before else list(cells)
            self.counts[name] = added


class Tally:
    """Counters by name; with a folder they are shared with the other workers of the group."""

    def __init__(self, folder: Path | None = None) -> None:
        self.counts: dict[Name, list[float]] = {}
        self.folder = folder
        self._file = f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}"
        self._lock = threading.Lock()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            _forget_old(folder)
            with _locked(folder, fcntl.LOCK_EX):
                _put_ended_together(folder)

    def cells(self, name: Name, n: int) -> list[float]:
        """Return the `n` numbers counted under a name, zero at first; add to them in place."""
        return self.counts.setdefault(name, [0] * n)

    def adopt(self, name: Name, cells: list[float]) -> None:
        """Count numbers that somebody else keeps."""
        self.counts[name] = cells

    def publish(self, levels: Levels) -> None:
        """Let the other workers see our counters. Raises: OSError."""
        if self.folder is not None:
            with self._lock:
                _write(self.folder / self._file, self.counts.copy(), levels)

    def total(self, levels: Levels) -> Total:
        """Return what all workers counted; ours as of now. Raises: OSError."""
        total = Total()
        total.add(self.counts.copy())
        total.levels.append(dict(levels))
        if self.folder is not None:
            with _locked(self.folder, fcntl.LOCK_SH):
                _add_others(total, self.folder, but=self._file)
        return total


def group_folder(parent: Path) -> Path:
    """Return the folder of the workers that one supervisor started: same host, same parent."""
    boss, begun = os.getppid(), ""
    with suppress(OSError):  # a number may be given anew; proc(5): field 22 is when it started
        begun = Path(f"/proc/{boss}/stat").read_text().rpartition(")")[2].split()[19]
    return parent / f"{socket.gethostname()}-{boss}-{begun}"


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, how)
        yield
    finally:
        os.close(file)


def _write(path: Path, counts: Mapping[Name, list[float]], levels: Levels, **more: Any) -> None:  # noqa: ANN401 (JSON)
    told = {"counts": list(counts.items()), "levels": list(levels.items()), **more}
    fresh = path.with_suffix(".part")
    fresh.write_bytes(orjson.dumps(told))
    fresh.replace(path)


def _read(path: Path) -> tuple[dict[Name, list[float]], dict[Name, float], list[str]]:
    told = orjson.loads(path.read_bytes())
    counts = {tuple(name): cells for name, cells in told["counts"]}
    return counts, {tuple(name): level for name, level in told["levels"]}, told.get("of", [])


def _add_others(total: Total, folder: Path, *, but: str) -> None:
    ended, _, of = _read_ended(folder)
    total.add(ended)
    for path in folder.glob(f"*{_SUFFIX}"):
        if path.name not in (but, *of):
            counts, levels, _ = _read(path)
            total.add(counts)
            if _lives(path):
                total.levels.append(levels)


def _read_ended(folder: Path) -> tuple[dict[Name, list[float]], dict[Name, float], list[str]]:
    path = folder / _ENDED
    return _read(path) if path.exists() else ({}, {}, [])


def _put_ended_together(folder: Path) -> None:
    """Move the counters of ended workers into one file, so that restarts do not pile up files.

    The file names whom it holds: a crash before they are removed counts nobody twice.
    """
    total = Total()
    ended, _, of = _read_ended(folder)
    total.add(ended)
    gone = [path for path in folder.glob(f"*{_SUFFIX}") if not _lives(path)]
    for path in gone:
        if path.name not in of:
            total.add(_read(path)[0])
    if gone:
        _write(folder / _ENDED, total.counts, {}, of=[path.name for path in gone])
    for path in gone:
        path.unlink()


def _lives(path: Path) -> bool:
    try:
        os.kill(int(path.name.split("-")[0]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _forget_old(folder: Path) -> None:
    """Remove what groups of earlier days left."""
    for other in folder.parent.iterdir():
        with suppress(OSError):
            if other != folder and utc_now().timestamp() - other.stat().st_mtime > _FORGET_SECONDS:
                shutil.rmtree(other)
