"""How long 100,000 mixed rows of 30 columns take to train, and how much memory at most.

Run: python -m benchmarks.tabular [--rows 100000] [--kind lightgbm --kind logistic_regression]
The training runs in a process of its own, whose peak is printed; above 4 GiB this fails.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from core import specs
from core.clock import monotonic
from core.datasets import schema
from core.training import evaluation, search
from core.training.executors import LocalExecutor
from core.training.progress import Progress
from core.training.search import Tools

LIMIT_GIB = 4.0
NUMBERS, CATEGORIES, TEXTS = 21, 8, 1
KINDS = ("lightgbm",)  # a linear model takes 20 to 40 s per fit on so many words
WORDS = [f"word{place}" for place in range(3000)]


class Shown(Progress):
    """Prints what a job would be told."""

    def __init__(self, total: int) -> None:
        super().__init__(None, None, total)  # type: ignore[arg-type]  # no job is told
        self._last = ""

    def say(self, line: str) -> None:
        """Print a line of the log."""
        print(f"  {line}", flush=True)

    def board(self, figures: Callable[[], Mapping[str, Any]], *, last: bool = False) -> None:
        """Leave the leaderboard to the last line."""

    def _tell(self, note: str) -> None:
        line = f"  {self._done}/{self._total} {note}"
        if line != self._last:
            print(line, flush=True)
        self._last = line


def rows(n: int, seed: int = 5) -> pd.DataFrame:
    """Mixed rows, a tenth of the values missing; the label follows from a few columns."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for place in range(NUMBERS):
        values = rng.lognormal(0, 1, n) if place % 2 else rng.normal(size=n)
        columns[f"n{place}"] = np.where(rng.random(n) < 0.1, np.nan, values)
    for place in range(CATEGORIES):
        levels = np.array([f"v{level}" for level in range(3 + 20 * place)] + [None], dtype=object)
        columns[f"c{place}"] = levels[rng.integers(0, len(levels), n)]
    for place in range(TEXTS):
        drawn = rng.zipf(1.5, (n, 12)) % len(WORDS)
        columns[f"t{place}"] = [" ".join(WORDS[word] for word in row) for row in drawn]
    told = np.nan_to_num(columns["n0"]) + np.nan_to_num(columns["n1"]) / 2
    columns["y"] = np.where(told + rng.normal(0, 0.5, n) > 1, "yes", "no")
    return pd.DataFrame(columns)


def spec_of(kinds: list[str]) -> specs.ModelSpec:
    """A spec for `rows`, with our defaults."""
    types = [("n", "numeric", NUMBERS), ("c", "category", CATEGORIES), ("t", "text", TEXTS)]
    features = [
        {"name": f"{letter}{place}", "type": kind}
        for letter, kind, count in types
        for place in range(count)
    ]
    return specs.ModelSpec.model_validate(
        {
            "name": "mixed",
            "title": "Mixed rows",
            "task": "tabular",
            "target": {"column": "y", "positive": "yes", "negative": "no"},
            "input": {"features": features},
            "candidates": [{"kind": kind} for kind in kinds],
        }
    )


def train(n: int, kinds: list[str]) -> None:
    """Train as a run does, and print the best candidate, the seconds and the peak."""
    started, spec = monotonic(), spec_of(kinds)
    frame = schema.conform(rows(n), spec)
    test = evaluation.held_out(frame, spec)
    learn = frame[~test].reset_index(drop=True)
    progress = Shown(search.steps(spec, spec.candidates))
    found = search.search(learn, spec, spec.candidates, progress, Tools(LocalExecutor()))
    search.refit(learn, spec, found.board[0].candidate, progress)
    peaks = [resource.getrusage(who).ru_maxrss for who in _WHO]
    gib = (peaks[0] + LocalExecutor()._processes * peaks[1]) / 1024**2
    print(f"{n:,} x {len(spec.columns)}: best {found.board[0].candidate.kind}, "
          f"{monotonic() - started:.0f} s, peak at most {gib:.2f} GiB")  # fmt: skip
    if gib > LIMIT_GIB:
        raise SystemExit(f"more than {LIMIT_GIB:g} GiB")


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)  # the largest child counts for each


def main() -> None:
    """Start the training in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kind", action="append")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    kinds = given.kind or list(KINDS)
    if given.inside:
        train(given.rows, kinds)
        return
    chosen = [word for kind in kinds for word in ("--kind", kind)]
    command = [sys.executable, "-m", "benchmarks.tabular", "--inside", "--rows", str(given.rows)]
    raise SystemExit(subprocess.run([*command, *chosen], check=False).returncode)


if __name__ == "__main__":
    main()
