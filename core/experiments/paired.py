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

    The interval holds at every look (asymptotic confidence sequence). The variance of the paired
    difference is that of Agresti, Min 2005 (Stat Med 24:729): half a request more in each cell.

    >>> seen = Pairs(2000, 2000, 2000, 1800, 1880, 20, 100)
    >>> judge(("a", "b"), seen, planned_n=2000, alpha=0.05, minimum_effect=0.01).result
    'won'
    """
    n, gap = max(1, pairs.n), pairs.only_second - pairs.only_first
    apart = pairs.only_first + pairs.only_second + 1
    error = math.sqrt(apart - gap**2 / (n + 2)) / (n + 2)
    difference = gap / n
    width = sequential.confidence_sequence_factor(n, alpha=alpha, planned_n=planned_n)
    low, high = max(-1.0, difference - width * error), min(1.0, difference + width * error)
    interval = Estimate(difference, low, high, 1 - alpha, pairs.n)
    result = statistics.outcome(interval, minimum_effect, ready=pairs.n >= FEWEST, split_p=1.0)
    more = max(1, planned_n - pairs.n) if result == "inconclusive" else None
    return Verdict(
        result=result,
        difference=difference,
        interval=interval,
        p_value=sequential.always_valid_p(difference / error, n, alpha=alpha, planned_n=planned_n),
        srm_p=1.0,  # nothing was split
        more_needed=more,
        planned_look=False,
        method="asymptotic confidence sequence of the difference on the same requests",
        assumptions=statistics.EACH_ITS_OWN,
        sentence=_sentence(names, result, interval, minimum_effect, more),
    )


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
