"""Ending together: a child process that must not outlive its parent.

``python -m core.lifeline PROGRAM ARGUMENT …`` runs a program of somebody else's so.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask Linux for SIGTERM when the parent dies, by whatever signal; kept across `exec`."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def main(words: list[str]) -> None:
    """Become the program `words`, which ends with our parent."""
    end_with_parent()
    try:
        os.execvp(words[0], words)  # noqa: S606 (what the caller was told to run)
    except OSError as fault:
        sys.exit(f"{words[0]}: {fault.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
