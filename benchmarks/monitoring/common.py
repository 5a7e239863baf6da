"""What every section starts from: what was asked, a figure with its bound, two processes."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

ALPHA = 0.05
PROCESSES = 2
SMS = "sms_spam/SMSSpamCollection"


@dataclass(frozen=True)
class Asked:
    """How much to measure; `seed` differs in every run and is printed.

    `rows` is how many predictions the large log of the cost section has.
    """

    seed: int
    runs: int = 2000
    quick: bool = False
    rows: int = 10_000_000

    def fewer(self, share: float, least: int = 20) -> int:
        """Return this share of the runs, for what needs fewer."""
        return max(least, round(self.runs * share))


@dataclass(frozen=True)
class Figure:
    """One thing asked and what was measured; `reached` None is told but not judged."""

    what: str
    asked: str
    measured: str
    reached: bool | None = None

    def line(self) -> str:
        """Return the figure as one line of the report."""
        verdict = {True: "PASS", False: "FAIL", None: "    "}[self.reached]
        return f"{verdict}  {self.what:<58} {self.asked:>16} {self.measured:>18}"


def share(what: str, found: Iterable[bool], *, low: float = 0.0, high: float = 1.0) -> Figure:
    """Judge a share of runs by its bounds, with its standard error."""
    hits = np.array(list(found), dtype=float)
    rate, error = hits.mean(), hits.std() / np.sqrt(len(hits))
    bounds = [f"≥ {low:.0%}"] * (low > 0) + [f"≤ {high:.0%}"] * (high < 1)
    return Figure(
        what, " ".join(bounds) or "told", f"{rate:.1%} ± {error:.1%}",
        bool(low <= rate <= high) if bounds else None,
    )  # fmt: skip


def spread(work: Callable[..., Any], *arguments: Iterable[Any], chunk: int = 10) -> list[Any]:
    """Map `work`, which must be a function of a module, over the arguments in two processes."""
    with ProcessPoolExecutor(PROCESSES, get_context("spawn"), initializer=_one_thread) as pool:
        return list(pool.map(work, *arguments, chunksize=chunk))


def data(name: str) -> Path:
    """Return a file below PILOTHOUSE_DATA_DIR (default: ../shared/data)."""
    return Path(os.environ.get("PILOTHOUSE_DATA_DIR", "../shared/data")) / name


def sms() -> list[str]:
    """Return the messages of the SMS Spam Collection."""
    lines = data(SMS).read_text(encoding="utf-8").splitlines()
    return [line.split("\t", 1)[1] for line in lines if "\t" in line]


def _one_thread() -> None:
    threadpool_limits(1)
