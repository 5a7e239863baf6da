"""How often two samples of one source are called drift."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.monitoring.common import ALPHA, Asked, Figure, share, spread
from benchmarks.monitoring.tables import rows
from core.monitoring import tabular

SIZES = ((50, 50), (200, 200), (1000, 1000), (5000, 200))


def run(asked: Asked) -> Iterator[Figure]:
    for sizes in SIZES:
        found = spread(partial(alarm, asked.seed, sizes), range(asked.runs))
        slack = 0.06 if asked.runs < 500 else 0.0
        what = f"{sizes[0]:,} against {sizes[1]:,} rows"
        yield share(what, found, low=max(0.0, 0.03 - slack), high=0.07 + slack)


def alarm(seed: int, sizes: tuple[int, int], run: int) -> bool:
    rng = np.random.default_rng([seed, run, *sizes])
    before, now = rows(rng, sizes[0]), rows(rng, sizes[1])
    return tabular.compare(before, now, alpha=ALPHA, seed=seed + run).drifted
