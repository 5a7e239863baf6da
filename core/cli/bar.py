"""Progress of work at the command line."""

import sys


class Bar:
    """Progress on standard error: one line that moves on a terminal, a line per tenth elsewhere."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._moves = sys.stderr.isatty()
        self._told = -1
        self._width = 0

    def show(self, done: int, total: int, note: str) -> None:
        """Show how far the work is."""
        share = min(1.0, done / total) if total else 0.0
        if self._silent or (not self._moves and int(share * 10) == self._told):
            return
        self._told = int(share * 10)
        line = f"[{'#' * round(share * 20):20}] {share:4.0%}  {note}"[:100]
        if self._moves:
            print("\r" + line.ljust(self._width), end="", file=sys.stderr, flush=True)
            self._width = len(line)
        else:
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._moves and not self._silent and self._width:
            print(file=sys.stderr, flush=True)
