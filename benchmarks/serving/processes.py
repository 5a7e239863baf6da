"""Server processes: started, measured with all their children, ended."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.settings import ROOT

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = resource.getpagesize()
_LONGEST_START = 180


class Process:
    """A command with its children; `seconds_to_ready` once it answered at `url`."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], log: Path, url: str = ""
    ) -> None:
        self._log = log
        begun = time.perf_counter()
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={**_clean(), **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if url:
            self._wait_for(url)
        self.seconds_to_ready = time.perf_counter() - begun

    def _wait_for(self, url: str) -> None:
        end = time.monotonic() + _LONGEST_START
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(urllib.error.URLError, OSError):
                urllib.request.build_opener(_NO_PROXY).open(url, timeout=5)
                return
            time.sleep(0.02)
        self.end()
        raise SystemExit(f"no answer at {url}; its log ends so:\n{self._log.read_text()[-2000:]}")

    def cpu_seconds(self) -> float:
        """Return user and system time of the process and its children so far."""
        return sum(_times(pid) for pid in self._tree())

    def memory_mb(self) -> float:
        """Return the resident memory of the process and its children, in MiB."""
        return sum(_resident(pid) for pid in self._tree()) / 2**20

    def end(self) -> None:
        """End the process and everything that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _tree(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                children.setdefault(int(_fields(stat)[1]), []).append(int(stat.parent.name))
        found = [self._process.pid]
        for pid in found:
            found += children.get(pid, [])
        return found


_NO_PROXY = urllib.request.ProxyHandler({})


def _clean() -> dict[str, str]:
    """Return our environment without what would configure a server."""
    ours = ("PILOTHOUSE_", "MLFLOW_", "DATABASE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    beside = str(Path(sys.executable).parent)  # MLflow calls uvicorn by its name
    return {**kept, "PATH": os.pathsep.join([beside, kept.get("PATH", "")])}


def _fields(stat: Path) -> list[str]:
    """Return the fields of proc(5) stat from the third on; the second may hold spaces."""
    return stat.read_text().rpartition(")")[2].split()


def _times(pid: int) -> float:
    with suppress(OSError):
        return sum(map(int, _fields(Path(f"/proc/{pid}/stat"))[11:15])) / _TICKS
    return 0.0


def _resident(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return 0


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
