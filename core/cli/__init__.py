"""The command line: the same services as the panel.

Exit codes: 0 done; 1 refused or failed, with one clear line; 2 used wrongly.
"""

import importlib
import sys

from core import alive

HOME = {
    "setup": ("init",),
    "doctor": ("doctor",),
    "processes": ("up", "serve", "ready", "alive"),
    "people": ("login", "logout", "users", "audit"),
    "keys": ("keys",),
    "data": ("apply", "data", "train"),
    "models": (
        *("versions", "compare", "judge", "stage", "promote", "override", "rollback"),
        *("history", "archive", "export", "import"),
    ),
    "models_own": ("register", "compile", "explain"),
    "features": ("features",),
    "labels": ("labels",),
    "watching": ("drift", "monitor"),
    "agent": ("agent",),
    "policy": ("policy",),
    "gate": ("gate",),
    "drill": ("drill",),
    "autonomy": ("autonomy",),
    "alerts": ("alerts", "incidents"),
    "experiments": ("experiment",),
    "demo": ("demo",),
}
"""Which module has which commands: only the one that is asked for is imported."""


def main() -> None:
    """Run the command line; every expected error becomes one line and exit code 1."""
    if _asks_a_url(sys.argv[1:]):
        if trouble := alive.trouble(sys.argv[2]):
            print(f"pilothouse: {trouble}", file=sys.stderr)
        sys.exit(1 if trouble else 0)
    if _asks_a_process(sys.argv[1:]) and alive.heard_of(sys.argv[2]):
        sys.exit(0)
    _run()


def _asks_a_url(words: list[str]) -> bool:
    """Say whether this is the check that runs every few seconds, and needs nothing of ours."""
    return len(words) == 2 and words[0] == "alive" and words[1].startswith("http")


def _asks_a_process(words: list[str]) -> bool:
    return len(words) == 2 and words[0] == "alive" and words[1] in ("worker", "shipper")


def _run() -> None:
    from core.cli.base import app, fail, in_full
    from core.errors import PilothouseError

    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    homes = [home for home, commands in HOME.items() if asked in commands] or list(HOME)
    for home in homes:
        importlib.import_module(f"core.cli.{home}")
    try:
        app()
    except PilothouseError as error:
        fail(in_full(error))
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise  # not about a file that somebody named
        fail(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit(130)
