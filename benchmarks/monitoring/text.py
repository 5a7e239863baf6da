"""Texts, on real messages: how often nothing is called drift, and what a campaign raises."""

from collections.abc import Iterator
from functools import lru_cache, partial

import numpy as np

from benchmarks.monitoring.common import ALPHA, Asked, Figure, share, sms, spread
from core.datasets import generator
from core.monitoring import text

REFERENCE = 3000
NULL_SIZES = (50, 200, 1000)
SHARES = (0.05, 0.1, 0.2)
N = 200
_messages = lru_cache(sms)


def run(asked: Asked) -> Iterator[Figure]:
    """Null windows and campaigns; a tenth of the runs, for a comparison takes half a second."""
    runs = range(asked.fewer(0.1, least=40))
    slack = 0.06 if len(runs) < 500 else 0.0
    null = {}
    for n in NULL_SIZES:
        null[n] = spread(partial(alarm, asked.seed, n, 0.0, "mixed"), runs)
        alarms = [one > 0 for one in null[n]]
        what = f"nothing changed, {n:,} texts against {REFERENCE:,}"
        yield share(what, alarms, low=max(0.0, 0.03 - slack), high=0.07 + slack)
    found = {}
    for part in SHARES:
        found[part] = spread(partial(alarm, asked.seed, N, part, "mixed"), runs)
        low = 0.45 if part == 0.05 else 0.0
        yield share(
            f"a new campaign in {part:.0%} of {N}", [one > 0 for one in found[part]], low=low
        )
        scores = [one - 1 for one in found[part] if one]
        yield Figure("  median score", "told", f"{np.median(scores):.2f}" if scores else "-")
    right = [one == 0 for one in null[N]] + [one > 0 for one in found[0.1]]
    yield share(f"right about nothing and 10 % campaigns, {N} texts", right, low=0.95)
    copies = spread(partial(alarm, asked.seed, N, 0.05, "copies"), runs)
    yield share(f"one text sent in 5 % of {N}", [one > 0 for one in copies], low=0.95)
    retried = spread(partial(alarm, asked.seed, N, 0.0, "retries"), runs)
    yield share(
        "nothing changed, each text sent five times",
        [one > 0 for one in retried],
        high=0.07 + slack,
    )


def alarm(seed: int, n: int, part: float, kind: str, run: int) -> float:
    """Return 0 without an alarm, else 1 + the score."""
    order = np.random.default_rng([seed, run, n]).permutation(len(_messages())).tolist()
    messages = [_messages()[i] for i in order]
    new = round(n * part)
    if kind == "copies":
        spam = [
            f"{generator.drifted(1, seed=seed + run, campaign='crypto', share=1.0)[0].text}"
        ] * new
    else:
        drawn = generator.drifted(new, seed=seed + run, campaign="crypto", share=1.0) if new else []
        spam = [message.text for message in drawn]
    now = messages[REFERENCE : REFERENCE + n - new]
    if kind == "retries":
        now = now[: n // 5] * 5
    found = text.compare(messages[:REFERENCE], now + spam, alpha=ALPHA, seed=seed + run)
    return 1 + found.score if found.drift_detected else 0.0
