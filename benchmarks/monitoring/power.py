"""How often each kind of change is found, and under which name."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.monitoring.common import ALPHA, Asked, Figure, share, spread
from benchmarks.monitoring.tables import CHANGES, rows
from core.monitoring import tabular

ASKED = {
    ("only the covariance", (200, 200)): 0.95,
    ("missing values 2 → 15 %", (200, 200)): 0.85,
    ("a new category, 3 %", (5000, 200)): 0.95,
}
SIZES = ((200, 200), (1000, 1000), (5000, 200))


def run(asked: Asked) -> Iterator[Figure]:
    wanted = [(name, sizes) for name in CHANGES for sizes in SIZES]
    for name, sizes in ASKED if asked.quick else wanted:
        runs = range(asked.fewer(0.2, least=60))
        found = spread(partial(alarm, asked.seed, name, sizes), runs)
        what = f"{name}, {sizes[0]:,} against {sizes[1]:,} rows"
        slack = 0.05 if len(runs) < 200 else 0.0
        yield share(what, found, low=max(0.0, ASKED.get((name, sizes), 0.0) - slack))


def alarm(seed: int, name: str, sizes: tuple[int, int], run: int) -> bool:
    rng = np.random.default_rng([seed, run, *sizes])
    before, now = rows(rng, sizes[0]), CHANGES[name](rows(rng, sizes[1]), rng)
    return tabular.compare(before, now, alpha=ALPHA, seed=seed + run).drifted
