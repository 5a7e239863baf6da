"""How often traffic that only varies is called strange in a month of hourly checks."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.monitoring.common import Asked, Figure, spread
from core.monitoring import volume

MONTH = 720
IN_A_ROW = 2  # windows, until the alert rule fires
TRAFFIC: dict[str, dict[str, float]] = {
    "Poisson, 100 an hour": {"scale": 100, "noise": 0.0, "kept": 0.0},
    "hours vary by 20 %": {"scale": 100, "noise": 0.2, "kept": 0.5},
    "hours vary by 40 %, for hours": {"scale": 1000, "noise": 0.4, "kept": 0.7},
    "3 an hour": {"scale": 3, "noise": 0.3, "kept": 0.5},
    "grows by 10 % a week, 1 % bursts": {"scale": 200, "noise": 0.2, "kept": 0.3, "bursts": 0.01},
}
AGES = {"two days": 60, "ten days": 240, "nine weeks": 9 * 168}


def run(asked: Asked) -> Iterator[Figure]:
    """Alarms a month by kind of traffic and age of the model, and how soon silence is told."""
    months = range(asked.fewer(0.01, least=2))
    for kind in TRAFFIC:
        for age in ("ten days",) if asked.quick else AGES:
            rate = float(np.mean(spread(partial(alarms, asked.seed, kind, AGES[age]), months)))
            what = f"{kind}, known for {age}: alarms a month"
            yield Figure(what, "≤ 1", f"{rate:.2f}", rate <= 1)
    for kind in TRAFFIC:
        hours = spread(partial(silence, asked.seed, kind), months)
        yield Figure(f"{kind}: hours of silence until told", "told", f"{np.median(hours):.0f}")


def traffic(rng: np.random.Generator, hours: int, **of: float) -> NDArray[np.intp]:
    """Requests per hour: days with a peak, quieter weekends, variation that lasts for hours."""
    t = np.arange(hours)
    rate = of["scale"] * (1 + 0.8 * np.sin(2 * np.pi * (t % 24 - 8) / 24))
    rate *= np.where(t // 24 % 7 >= 5, 0.4, 1.0)
    varied = rng.normal(size=hours)
    for hour in range(1, hours):
        fresh = np.sqrt(1 - of["kept"] ** 2) * varied[hour]
        varied[hour] = of["kept"] * varied[hour - 1] + fresh
    rate = rate * np.exp(of["noise"] * varied)
    if "bursts" in of:
        rate = rate * 1.1 ** (t / 168) * np.where(rng.random(hours) < of["bursts"], 3, 1)
    return rng.poisson(rate)


def alarms(seed: int, kind: str, age: int, month: int) -> int:
    rng = np.random.default_rng([seed, month, age])
    counts = dict(enumerate(traffic(rng, age + MONTH, **TRAFFIC[kind]).tolist()))
    found, streak, end = 0, 0, 0
    for last in range(age, age + MONTH):
        judged = volume.judge(counts, first=0, last=last)
        if judged.state == "inconclusive" or last + 1 - judged.hours < end:
            continue
        end = last + 1
        streak = streak + 1 if judged.state != "pass" else 0
        found += streak == IN_A_ROW
    return found


def silence(seed: int, kind: str, month: int) -> int:
    """Hours until a model of nine weeks that hears nothing more is told of, at a random hour."""
    rng = np.random.default_rng([seed, month])
    counts = dict(enumerate(traffic(rng, 9 * 168, **TRAFFIC[kind]).tolist()))
    first = 8 * 168 + int(rng.integers(0, 120))
    counts = {hour: n for hour, n in counts.items() if hour < first}
    for last in range(first, first + 96):
        if volume.judge(counts, first=0, last=last).state in ("warn", "fail"):
            return last + 1 - first
    return 96
