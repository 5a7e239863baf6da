"""The command line: the same services as the panel.

Exit codes: 0 done; 1 refused or failed, with one clear line; 2 used wrongly.
"""

import sys

from core.cli.base import app, fail
from core.errors import PilothouseError


def main() -> None:
    """Run the command line; every expected error becomes one line and exit code 1."""
    from core.cli import data, demo, loop, people, processes, setup  # noqa: F401 (each adds its commands)

    try:
        app()
    except PilothouseError as error:
        fail(str(error))
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
