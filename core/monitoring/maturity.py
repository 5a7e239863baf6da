"""How late labels come, and how old answers must be until nearly all that will come have come.

Pure. Where positives are labelled sooner than negatives (complaints arrive first), the labels of
young answers are no sample of the truth; of old enough answers they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

NEARLY_ALL = 0.97
"""Of the labels that will come, this share has come when a cohort is judged."""

QUICK_SECONDS = 15 * 60.0
"""Labels within this time come at once: nobody waits for a cohort to mature."""

_MOSTLY = 0.5  # in a version's first minutes, so many labels say that they come at once
_WATCHED = 1.5  # the delay is known when answers were watched for so many times as long
_FEWEST = 30  # of those answers
_SURE = 0.001  # chance of saying "selective" of labels that are not


@dataclass(frozen=True)
class Answers:
    """A sample of answers, in any order; one entry each, shape (n,).

    `age`: seconds since it was answered; `lag`: seconds until it was labelled, NaN where it is
    not; `positive`: whether the answer was the positive label; `probability` of that label.
    """

    age: Floats
    lag: Floats
    positive: Mask
    probability: Floats

    @property
    def labelled(self) -> Mask:
        """Which answers have a label."""
        return ~np.isnan(self.lag)


@dataclass(frozen=True)
class Maturity:
    """What is known of the labels; `delay`: an answer is judged when older, in seconds.

    `settled` says that the delay is known, `learned` that it was learnt rather than set. Lags are
    None before the first label; `selective`: labelled answers differ from the others; `waiting`
    labels are of answers that are still too young. Numbers are of the sample. `until` says, where
    the delay is not known, when it will be.
    """

    n: int
    n_labelled: int
    delay: float
    settled: bool
    learned: bool
    lag_median: float | None
    lag_p90: float | None
    selective: bool
    positive_labelled: float | None
    positive_unlabelled: float | None
    probability_labelled: float | None
    probability_unlabelled: float | None
    waiting: int
    until: str = ""

    @property
    def coverage(self) -> float:
        """Share of the answers that have a label; of those that are old enough where settled."""
        return self.n_labelled / self.n if self.n else 0.0

    @property
    def sentence(self) -> str:
        """Coverage, lag and caution, in plain words."""
        if self.lag_median is None or self.lag_p90 is None:
            return "No answer has a label yet."
        words = (
            f"{self.coverage:.0%} of the answers have a label; half of the labels came within "
            f"{words_of(self.lag_median)}, 90 % within {words_of(self.lag_p90)}."
        )
        if not self.settled:
            words += f" How late labels come is not known yet. {self.until}"
        elif self.delay:
            words += f" Answers are judged once they are {words_of(self.delay)} old."
        return f"{words} {self._caution}".strip()

    @property
    def _caution(self) -> str:
        if not self.selective:
            return ""
        return (
            f"Caution: labelled answers are not typical of all ({self.positive_labelled:.1%} of "
            f"them said positive, {self.positive_unlabelled:.1%} of the others), so the figures "
            "hold for what is labelled."
        )


def words_of(seconds: float) -> str:
    """Say a time in one unit.

    >>> words_of(30), words_of(5400), words_of(200_000)
    ('30 s', '1.5 h', '2.3 days')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def learn(answers: Answers, *, delay: float | None = None) -> Maturity:
    """Return how late labels come, from a sample of the answers of one version.

    The share labelled by an age is Kaplan and Meier's (1958, JASA 53:457), in which an answer
    without a label says only that none came so far. `delay`, in seconds, is not learnt if given.
    Raises: InvalidInputError (arrays of different lengths).
    """
    sizes = {len(x) for x in (answers.age, answers.lag, answers.positive, answers.probability)}
    if len(sizes) > 1:
        raise InvalidInputError("answers need one age, lag, label and probability each")
    learned, settled, until = delay is None, True, ""
    if delay is None:
        delay, settled, until = _delay(answers)
    old = answers.age >= delay if settled else np.ones(len(answers.age), dtype=bool)
    labelled = answers.labelled
    lags = answers.lag[labelled]
    half, most = np.quantile(lags, [0.5, 0.9]).tolist() if len(lags) else (None, None)
    known, other = labelled & old, ~labelled & old
    return Maturity(
        n=int(old.sum()),
        n_labelled=int(known.sum()),
        delay=delay,
        settled=settled,
        learned=learned,
        lag_median=half,
        lag_p90=most,
        selective=_selective(answers, known, other),
        positive_labelled=_mean(answers.positive[known]),
        positive_unlabelled=_mean(answers.positive[other]),
        probability_labelled=_mean(answers.probability[known]),
        probability_unlabelled=_mean(answers.probability[other]),
        waiting=int((labelled & ~old).sum()),
        until=until,
    )


def _delay(answers: Answers) -> tuple[float, bool, str]:
    """Return after how many seconds nearly all labels have come, whether that is known, or when."""
    labelled = answers.labelled
    if not labelled.any():
        return 0.0, False, ""
    time = np.where(labelled, answers.lag, answers.age)
    times, share = labelled_by(time, labelled)
    delay = float(times[np.searchsorted(share, NEARLY_ALL * share[-1])])
    quick, old = delay <= QUICK_SECONDS, max(_WATCHED * delay, QUICK_SECONDS)
    wanted = min(_FEWEST, len(time))
    if int((answers.age >= old).sum()) >= wanted:
        return (0.0 if quick else delay), True, ""
    if (quick and float(labelled.mean()) >= _MOSTLY) or labelled.all():
        return 0.0, True, ""
    left = old - float(np.sort(answers.age)[-wanted])
    until = f"They are judged once {wanted} answers are {words_of(old)} old"
    sooner = ", or as soon as half of the answers have a label" if quick else ""
    return 0.0, False, f"{until} (in {words_of(left)} at the soonest){sooner}."


def labelled_by(time: Floats, labelled: Mask) -> tuple[Floats, Floats]:
    """Return times at which labels came, rising, and the share labelled by each (Kaplan-Meier).

    `time`: until the label, or for how long there was none; shapes (n,).

    >>> times, share = labelled_by(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 0, 1, 0]) > 0)
    >>> times.tolist(), share.tolist()
    ([1.0, 3.0], [0.25, 0.625])
    """
    order = np.sort(time)
    times, came = np.unique(time[labelled], return_counts=True)
    waiting = len(time) - np.searchsorted(order, times)
    left = np.cumprod(1 - came / waiting).astype(np.float64)
    return times, 1 - left


def _selective(answers: Answers, known: Mask, other: Mask) -> bool:
    """Say whether labelled and other answers surely differ, in what was said or how surely."""
    n, m = int(known.sum()), int(other.sum())
    if min(n, m) < _FEWEST:
        return False
    from scipy.special import ndtr

    found = []
    for values in (answers.positive.astype(float), answers.probability):
        spread = float(values[known | other].std())
        apart = abs(float(values[known].mean() - values[other].mean()))
        found.append(apart / (spread * (1 / n + 1 / m) ** 0.5) if spread else 0.0)
    return bool(4 * ndtr(-max(found)) < _SURE)


def _mean(values: Floats | Mask) -> float | None:
    return float(values.mean()) if len(values) else None


def answers_of(
    rows: Sequence[tuple[float, float | None, bool, float]],
) -> Answers:
    """Return answers from (age, lag or None, said positive, probability) rows.

    A label that seems older than its answer came at once; one from the future, just now.
    """
    age = np.array([max(0.0, row[0]) for row in rows], dtype=float)
    lag = np.array([np.nan if row[1] is None else row[1] for row in rows], dtype=float)
    return Answers(
        age=age,
        lag=np.clip(lag, 0.0, age),
        positive=np.array([row[2] for row in rows], dtype=bool),
        probability=np.array([row[3] for row in rows], dtype=float),
    )
