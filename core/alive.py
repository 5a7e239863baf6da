"""Asking whether a process is well, at the cost of Python's own start.

Health checks of containers ask every few seconds: nothing of the product may be imported for it.
Processes without a URL touch a file with each heartbeat that reached the database.
"""

import http.client
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from core.clock import utc_now

SECONDS = 5.0
SILENT_AFTER_SECONDS = 30.0  # as in `core.heartbeat`


def stamp(folder: Path, process: str) -> None:
    """Note that `process` (of this host) was heard of by the database just now."""
    _file(folder, process).touch()


def heard_of(process: str) -> bool:
    """Say whether `process` was surely heard of lately; where not, the database is to be asked.

    >>> heard_of("nobody")
    False
    """
    home = os.environ.get("PILOTHOUSE_HOME")  # noqa: TID251 (settings cost ten times the check)
    try:
        at = _file(Path(home or "") / "run", process).stat().st_mtime
    except OSError:
        return False
    return 0 <= utc_now().timestamp() - at < SILENT_AFTER_SECONDS


def _file(folder: Path, process: str) -> Path:
    return folder / f"{process}@{socket.gethostname()}.alive"


def trouble(url: str) -> str:
    """Say why the process behind a URL is not well; nothing when it is.

    >>> trouble("http://127.0.0.1:9/health")
    'no answer from http://127.0.0.1:9/health'
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=SECONDS)  # no proxy, no redirect
    try:
        connection.request("GET", parts.path or "/")
        status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException):
        return f"no answer from {url}"
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"{url} is not well"
