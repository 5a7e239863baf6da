"""The CPU of one full check of 5,000 against 5,000 rows of 30 columns, 999 permutations."""

import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.monitoring.common import Asked, Figure
from core.monitoring import tabular


def run(asked: Asked) -> Iterator[Figure]:
    rng = np.random.default_rng(asked.seed)
    before, now = table(rng, 5000), table(rng, 5000)
    tabular.compare(before, now)
    with threadpool_limits(1):
        cpu, wall = zip(
            *[seconds(before, now) for _ in range(3 if asked.quick else 7)], strict=True
        )
    yield Figure(
        "CPU of a check of 5,000 x 5,000 x 30, B = 999", "< 1 s", f"{min(cpu):.2f} s", min(cpu) < 1
    )
    yield Figure("the same by the clock, on one thread", "told", f"{min(wall):.2f} s")


def table(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """20 numeric columns and 10 categories of 3 to 21 levels."""
    frame = pd.DataFrame(rng.normal(size=(n, 20))).add_prefix("x")
    levels = {f"c{i}": rng.choice([f"l{j}" for j in range(3 + 2 * i)], n) for i in range(10)}
    return frame.assign(**levels)


def seconds(before: pd.DataFrame, now: pd.DataFrame) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    tabular.compare(before, now)
    return time.process_time() - cpu, time.perf_counter() - wall
