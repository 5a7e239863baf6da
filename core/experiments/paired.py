"""The verdict where both versions answered the same requests: one of them in shadow."""

import math

from core.experiments import statistics
from core.experiments.statistics import FEWEST, Outcome, Verdict
from core.experiments.units import Pairs
from core.statistics import mcnemar, sequential
from core.statistics.intervals import Estimate


def planned(baseline: float, minimum_effect: float, *, alpha: float) -> int:
    """Labelled requests that find `minimum_effect` with 80 % power (Connor 1987).

    Planned for versions that are wrong on different requests, which takes the most.

    >>> planned(0.9, 0.02, alpha=0.05)
    3923
    """
    apart = max(2 * (1 - baseline), minimum_effect)
    return mcnemar.rows_needed(min(1.0, apart), minimum_effect, alpha=alpha / 2)


def judge(
    names: tuple[str, str], pairs: Pairs, *, planned_n: int, alpha: float, minimum_effect: float
) -> Verdict:
    """Judge the second version against the first on the requests that both answered.

    The interval holds at every look (asymptotic confidence sequence). Users are what varies where
    they are known. For requests on their own the variance is that of Agresti, Min 2005 (Stat Med
    24:729): half a request more in each cell.

    >>> seen = Pairs(2000, 2000, 2000, 1800, 1880, 20, 100)
    >>> judge(("a", "b"), seen, planned_n=2000, alpha=0.05, minimum_effect=0.01).result
    'won'
    """
    n = max(1, pairs.n)
    difference, error, effect = _difference(pairs)
    total = max(1, round(n / effect))
    width = sequential.confidence_sequence_factor(total, alpha=alpha, planned_n=planned_n)
    p_value = sequential.always_valid_p(difference / error, total, alpha=alpha, planned_n=planned_n)
    low, high = max(-1.0, difference - width * error), min(1.0, difference + width * error)
    interval = Estimate(difference, low, high, 1 - alpha, pairs.n)
    observed = pairs.units.labelled if pairs.units else pairs.n
    result = statistics.outcome(interval, minimum_effect, ready=observed >= FEWEST, split_p=1.0)
    more = None
    if result == "inconclusive":
        more = statistics.more_needed(interval, planned_n, minimum_effect, alpha, effect=effect)
    return Verdict(
        result=result,
        difference=difference,
        interval=interval,
        p_value=p_value,
        srm_p=1.0,  # nothing was split
        more_needed=more,
        planned_look=False,
        method="asymptotic confidence sequence of the difference on the same requests",
        assumptions=statistics.BY_USER if observed < pairs.n else statistics.EACH_ITS_OWN,
        sentence=_sentence(names, result, interval, minimum_effect, more),
    )


def _difference(pairs: Pairs) -> tuple[float, float, float]:
    """Difference of the rates, its standard error, and how many outcomes tell as much as one.

    Requests of one user may resemble each other: the variance is that of a ratio of sums over
    users (Deng, Knoblich, Lu 2018, arXiv 1803.06336), never below that of requests on their own.
    """
    n, gap, units = max(1, pairs.n), pairs.only_second - pairs.only_first, pairs.units
    apart = pairs.only_first + pairs.only_second
    alone, rate = _variance(n, apart, gap), gap / n
    variance = alone
    if units is not None and 2 <= (m := units.labelled) < pairs.n:
        squares = units.ss - 2 * rate * units.ns + rate * rate * units.nn
        clustered = squares * m / (m - 1) / n**2
        # users who are all alike say nothing of how users differ: each counts as one request
        variance = max(alone, clustered or _variance(m, apart * m / n, gap * m / n))
    return rate, math.sqrt(variance), variance / alone


def _variance(n: float, apart: float, gap: float) -> float:
    return (apart + 1 - gap**2 / (n + 2)) / (n + 2) ** 2


def _sentence(
    names: tuple[str, str],
    result: Outcome,
    interval: Estimate,
    minimum_effect: float,
    more: int | None,
) -> str:
    first, second = names
    words = {
        "won": f"{second} would have been better than {first} by {interval}.",
        "lost": f"{second} would have been worse than {first}: {interval}.",
        "equivalent": f"{first} and {second} differ by less than {minimum_effect:.1%}: {interval}.",
    }
    return words.get(result, f"Not decided yet: {interval}; {more or 0:,} more outcomes needed.")
