"""What labels tell: alarms while nothing changes, and how soon a change is found.

Positives are labelled at once and negatives after days (complaints arrive first), a month of looks
every 15 minutes, other inputs with the same concept, and another concept.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.monitoring.common import Asked, Figure, share, spread
from core.monitoring import concept, maturity
from core.monitoring.maturity import Answers as Sample
from core.monitoring.performance import Answers, Standard
from core.statistics import falls, isotonic
from core.statistics.intervals import wilson

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DAY = 86_400.0
LOOKS = 2_880


def run(asked: Asked) -> Iterator[Figure]:
    late = spread(partial(complaints_first, asked.seed), range(asked.fewer(0.25)))
    yield share("late labels: all that came differ from the truth at 5 %", [a for a, _ in late])
    words = "late labels: matured cohorts differ from the truth at 5 %"
    yield share(words, [b for _, b in late], high=0.08)
    months = asked.fewer(0.1)
    for n_labels in (3_000, 30_000):
        work = partial(month, asked.seed, n_labels, 0.0)
        for p, n_test in ((0.97, 1000), (0.9, 1000), (0.85, 200)):
            found = spread(partial(work, p, n_test), range(months))
            what = f"false alarms in a month, {n_labels:,} labels, {p:.0%} of {n_test}"
            yield share(what, [at > 0 for at in found], high=0.10)
    for p, drop in ((0.97, 0.05), (0.97, 0.1), (0.9, 0.05), (0.9, 0.1)):
        work = partial(month, asked.seed, 6_000, drop, p, 1000)
        found = spread(work, range(asked.fewer(0.05)))
        delay = np.median([at or np.inf for at in found])
        what = f"labels until a fall from {p:.0%} by {100 * drop:.0f} points is found"
        yield Figure(what, "told", f"{delay:,.0f}")
    for shift, words in ((0.0, "same inputs"), (1.0, "inputs moved by 1 sd"), (2.0, "by 2 sd")):
        found = spread(partial(looks, asked.seed, shift, 0.0), range(asked.fewer(0.1)))
        yield share(f"concept: false alarms of 50 looks, {words}", found, high=0.05)
    for turn in (0.45, 0.6):
        found = spread(partial(looks, asked.seed, 0.5, turn), range(asked.fewer(0.05)))
        yield share(f"concept: found among moved inputs, truth turned by {turn:g} rad", found)


def complaints_first(seed: int, number: int) -> tuple[bool, bool]:
    """Whether naive and matured accuracy differ from the truth, two-sided at 5 %.

    30 days of 20,000 answers; positives are labelled after 2 hours, negatives after 4 days.
    """
    rng = np.random.default_rng([seed, number])
    n, truth_rate, right_rate = 20_000, 0.2, (0.95, 0.7)  # negatives, positives
    age = rng.uniform(0, 30 * DAY, n)
    truth = rng.random(n) < truth_rate
    right = rng.random(n) < np.where(truth, right_rate[1], right_rate[0])
    lag = rng.exponential(np.where(truth, 2 / 24, 4) * DAY, n)
    came = lag <= age
    known = maturity.learn(
        Sample(age, np.where(came, lag, np.nan), truth == right, np.full(n, 0.5))
    )
    whole = truth_rate * right_rate[1] + (1 - truth_rate) * right_rate[0]
    newest = np.argsort(age)

    def differs(rows: Mask) -> bool:
        chosen = newest[rows[newest]][:1000]
        found = wilson(int(right[chosen].sum()), len(chosen))
        return not found.low <= whole <= found.high

    return differs(came), bool(known.settled) and differs(came & (age >= known.delay))


def month(seed: int, labels: int, drop: float, p: float, n_test: int, number: int) -> int:
    """Return after how many labels the alarm comes, 0 for never; looks are spread evenly."""
    rng = np.random.default_rng([seed, number, n_test])
    registered = rng.binomial(n_test, p) / n_test
    standard = Standard(accuracy=registered, f1=0.0, n=n_test, floor=0.0)
    right = rng.random(labels) < p - drop
    total = np.concatenate([[0], np.cumsum(right)])
    for at in np.unique(np.linspace(50, labels, min(LOOKS, labels // 10)).astype(int)):
        newest = min(1000, at)
        accuracy = (total[at] - total[at - newest]) / newest
        if registered - accuracy <= standard.warning:
            continue
        if falls.evidence(right[max(0, at - 5000) : at], standard.surely) >= np.log(
            standard.alarm_at
        ):
            return int(at)
    return 0


def looks(seed: int, shift: float, turn: float, number: int) -> bool:
    """Whether the concept alarms in 50 looks at 5,000 labels of inputs moved by `shift`.

    Two normal inputs; the model knows the true chance up to a wrong intercept and slope and is
    calibrated on 1,000 held-out rows; `turn` rotates what the inputs mean.
    """
    rng = np.random.default_rng([seed, number])

    def draw(n: int, shift: float, turn: float) -> tuple[Floats, Mask]:
        x = rng.normal(size=(n, 2)) + [shift, 0.0]
        angle = np.array([np.cos(turn), np.sin(turn)])
        chance = 1 / (1 + np.exp(-(2.5 * x @ angle - 1)))
        score = 1 / (1 + np.exp(-(1.8 * x[:, 0] - 0.5)))
        return score, rng.random(n) < chance

    held_out, truth = draw(1000, 0.0, 0.0)
    learnt = isotonic.fit(held_out, truth)
    probability, truth = draw(5000, shift, turn)
    answers = Answers(probability > 0.5, truth, probability)
    for at in np.linspace(100, 5000, 50).astype(int):
        seen = Answers(answers.said[:at], answers.truth[:at], answers.probability[:at])
        if concept.judge(seen, learnt, alarm_at=1e5).state == "fail":
            return True
    return False
