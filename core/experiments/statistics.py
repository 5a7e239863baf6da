"""The verdict of an experiment, which holds however often somebody looks."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.errors import InvalidInputError
from core.experiments.units import Units
from core.statistics import sequential
from core.statistics.intervals import Estimate, normal_quantile, srm_p

Outcome = Literal["won", "lost", "equivalent", "inconclusive", "invalid"]

SRM_ALPHA = 0.001
"""Below this p the traffic was not split as asked, and no other figure can be trusted."""

FEWEST = 50
"""Units with an outcome per arm below which the normal approximation is not used to decide."""

EACH_ITS_OWN = "every outcome is independent of the others"
BY_USER = (
    "users are independent of each other, and each stays in one arm; the outcomes of one user may"
    " resemble each other; a prediction without a user counts as a user of its own"
)


@dataclass(frozen=True)
class ArmCounts:
    """One arm: the traffic `weight` asked for, `n` outcomes seen, `successes` among them.

    `units`: the users whom these outcomes belong to; None where each outcome is its own.
    """

    name: str
    weight: float
    n: int
    successes: int
    units: Units | None = None

    @property
    def assigned(self) -> int:
        """How often the traffic was split for this arm."""
        return self.units.assigned if self.units else self.n

    @property
    def observed(self) -> int:
        """How many units have an outcome."""
        return self.units.labelled if self.units else self.n


@dataclass(frozen=True)
class Verdict:
    """What the second arm did against the first.

    `interval` is the difference in success rate, valid at every look of its kind. `planned_look`
    says whether a planned look or a confidence sequence made it.
    """

    result: Outcome
    difference: float
    interval: Estimate
    p_value: float
    srm_p: float
    more_needed: int | None
    planned_look: bool
    method: str
    assumptions: str
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def judge(
    arms: tuple[ArmCounts, ArmCounts],
    *,
    planned_n: int,
    alpha: float = 0.05,
    minimum_effect: float = 0.01,
    looks: Sequence[int] | None = None,
    step: int = 0,
) -> Verdict:
    """Judge the second arm (the challenger) against the first.

    Where arms come with their units, these are what the split is checked on and what varies:
    many outcomes of one user tell less than outcomes of as many users.

    `planned_n`: independent outcomes of both arms at the end of the plan. `looks`: total outcomes
    at each planned look so far. Where the last of them is now, Lan-DeMets O'Brien-Fleming
    boundaries decide; between planned looks an asymptotic confidence sequence is shown and nothing
    decided. Without a plan (None) the confidence sequence decides, at any time.

    `step`: where the arms were counted anew with another split, the how manieth split this is: it
    has only its part of `alpha` (see `sequential.alpha_of_step`), so that all splits together keep
    to `alpha`. The p value is that of the whole life, to be compared with the whole `alpha`.
    Raises: InvalidInputError (impossible counts, settings out of range, looks not rising).

    >>> arms = (ArmCounts("a", 1, 5000, 4500), ArmCounts("b", 1, 5000, 4650))
    >>> judge(arms, planned_n=10_000, looks=[5_000, 10_000]).result
    'won'
    """
    _check(arms, planned_n, alpha, minimum_effect)
    whole, alpha = alpha, sequential.alpha_of_step(alpha, step)
    n = sum(arm.n for arm in arms)
    split_p = srm_p([arm.assigned for arm in arms], [arm.weight for arm in arms])
    at_look = bool(looks) and looks is not None and looks[-1] == n
    difference, error, effect = _difference(arms)
    z = difference / error
    if looks is not None and at_look:
        fractions = _fractions(looks, planned_n)
        width = sequential.obrien_fleming(fractions, alpha=alpha)[-1]
        p_value = _planned_p(abs(z), fractions)
    else:
        total = max(1, round(n / effect))
        width = sequential.confidence_sequence_factor(total, alpha=alpha, planned_n=planned_n)
        p_value = sequential.always_valid_p(z, total, alpha=alpha, planned_n=planned_n)
    low, high = max(-1.0, difference - width * error), min(1.0, difference + width * error)
    interval = Estimate(difference, low, high, 1 - alpha, n)
    ready = (at_look or looks is None) and min(arm.observed for arm in arms) >= FEWEST
    result = outcome(interval, minimum_effect, ready=ready, split_p=split_p)
    more = None
    if result == "inconclusive":
        more = more_needed(interval, planned_n, minimum_effect, alpha, effect=effect)
    by_user = any(arm.observed < arm.n for arm in arms)
    return Verdict(
        result=result,
        difference=difference,
        interval=interval,
        p_value=min(1.0, p_value * whole / alpha),
        srm_p=split_p,
        more_needed=more,
        planned_look=at_look,
        method=("Lan-DeMets O'Brien-Fleming" if at_look else "asymptotic confidence sequence")
        + (f" with {alpha:.2%} of the {whole:.0%} error, as split {step}" if step else ""),
        assumptions=BY_USER if by_user else EACH_ITS_OWN,
        sentence=_sentence(arms, result, interval, minimum_effect, split_p, more)
        + (_users(arms, result) if by_user else ""),
    )


def sample_size(
    baseline: float,
    minimum_effect: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    share: float = 0.5,
) -> int:
    """Outcomes of both arms together that find `minimum_effect` over `baseline` with `power`.

    Two-sided test of two proportions, unpooled variance; `share` of the traffic goes to the
    challenger. A negative effect plans for a loss. Raises: InvalidInputError (out of range).

    >>> sample_size(0.90, 0.02)
    6421
    """
    rates_fit = 0 < baseline < 1 and 0 < baseline + minimum_effect < 1 and minimum_effect != 0
    if not rates_fit:
        raise InvalidInputError("Baseline and baseline plus effect must lie between 0 and 1.")
    if not (0 < alpha < 1 and 0.5 < power < 1 and 0 < share < 1):
        raise InvalidInputError("Alpha, power (above .5) and share must lie between 0 and 1.")
    improved = baseline + minimum_effect
    z = normal_quantile(1 - alpha) + normal_quantile(2 * power - 1)
    variance = baseline * (1 - baseline) / (1 - share) + improved * (1 - improved) / share
    return math.ceil(z * z * variance / minimum_effect**2)


def _check(
    arms: tuple[ArmCounts, ArmCounts], planned_n: int, alpha: float, minimum_effect: float
) -> None:
    if len(arms) != 2 or any(not 0 <= arm.successes <= arm.n for arm in arms):
        raise InvalidInputError("An experiment has two arms, each with successes among its n.")
    if planned_n <= 0 or not 0 < alpha < 1 or not 0 < minimum_effect < 1:
        raise InvalidInputError(
            "The planned number must be positive, alpha and the minimum effect within 0 to 1."
        )


def _difference(arms: tuple[ArmCounts, ArmCounts]) -> tuple[float, float, float]:
    """Difference of the observed rates, its standard error, and the design effect.

    The design effect says how many outcomes tell as much as one independent outcome would.
    """
    rates = [arm.successes / arm.n if arm.n else 0.0 for arm in arms]
    alone = sum(_variance(arm.n, arm.successes) for arm in arms)
    variance = sum(_clustered_variance(arm) for arm in arms)
    return rates[1] - rates[0], math.sqrt(variance), max(1.0, variance / alone)


def _variance(n: float, successes: float) -> float:
    """Variance of a rate of independent outcomes, with one success and one failure more.

    So that it is never zero (Agresti, Caffo 2000, Am Stat 54:280).
    """
    smooth = (successes + 1) / (n + 2)
    return smooth * (1 - smooth) / max(1.0, n)


def _clustered_variance(arm: ArmCounts) -> float:
    """Variance of the ratio of successes to outcomes, both summed over independent units.

    Delta method (Deng, Knoblich, Lu 2018, arXiv 1803.06336, section 3.2), never below that of
    independent outcomes. Units that are right (or wrong) throughout say nothing of how units
    differ: then each counts as a single outcome.
    """
    alone, units = _variance(arm.n, arm.successes), arm.units
    if units is None or arm.n == units.labelled:
        return alone
    rate = arm.successes / arm.n
    if rate in (0.0, 1.0) or units.labelled < 2:
        return _variance(units.labelled, units.labelled * rate)
    squares = units.ss - 2 * rate * units.ns + rate * rate * units.nn
    return max(alone, squares * units.labelled / (units.labelled - 1) / arm.n**2)


def _fractions(looks: Sequence[int], planned_n: int) -> list[float]:
    """Information fractions; one last look may lie beyond the plan and then spends the rest."""
    if any(look <= 0 for look in looks) or any(look >= planned_n for look in looks[:-1]):
        raise InvalidInputError("Looks come after the first and before the last planned outcome.")
    return [min(1.0, look / planned_n) for look in looks]


def _planned_p(z: float, fractions: Sequence[float]) -> float:
    """Smallest alpha whose boundary at the present look `z` would reach."""
    low, high = 1e-9, 1 - 1e-9
    for _ in range(14):
        middle = math.sqrt(low * high)
        if sequential.obrien_fleming(fractions, alpha=middle)[-1] <= z:
            high = middle
        else:
            low = middle
    return high


def outcome(interval: Estimate, minimum_effect: float, *, ready: bool, split_p: float) -> Outcome:
    """Say what an interval of the difference means; nothing is decided before it is `ready`."""
    if split_p < SRM_ALPHA:
        return "invalid"
    if not ready:
        return "inconclusive"
    if -minimum_effect < interval.low and interval.high < minimum_effect:
        return "equivalent"
    if interval.low > 0:
        return "won"
    return "lost" if interval.high < 0 else "inconclusive"


def more_needed(
    interval: Estimate, planned_n: int, minimum_effect: float, alpha: float, *, effect: float
) -> int:
    """What the plan still lacks; after it, what decides if the difference stays as it is.

    That is when the interval no longer holds zero, or lies within the minimum effect. `effect` is
    how many outcomes tell as much as one that is independent of the others.
    """
    planned = math.ceil(planned_n * effect)
    if interval.n < planned:
        return planned - interval.n
    seen, far = max(1.0, interval.n / effect), abs(interval.value)
    shrink = (interval.high - interval.low) / 2 / max(far, minimum_effect - far)

    def width(n: float) -> float:
        return sequential.confidence_sequence_factor(round(n), alpha=alpha, planned_n=planned_n)

    n = seen
    for _ in range(20):  # the sequence narrows a little slower than the root of n
        n = min(seen * (shrink * width(n) / width(seen)) ** 2, 1e12)
    return max(1, math.ceil((n - seen) * effect))


def _users(arms: tuple[ArmCounts, ArmCounts], result: Outcome) -> str:
    """Say what the figures rest on where users gave more than one outcome."""
    if result == "invalid":
        return ""
    seen = [arm.observed for arm in arms]
    words = f" Judged by user: {seen[0]:,} and {seen[1]:,} with an outcome"
    return f"{words}; each arm needs {FEWEST}." if min(seen) < FEWEST else f"{words}."


def _sentence(
    arms: tuple[ArmCounts, ArmCounts],
    result: Outcome,
    interval: Estimate,
    minimum_effect: float,
    split_p: float,
    more: int | None,
) -> str:
    first, second = arms[0].name, arms[1].name
    if result == "invalid":
        return (
            f"Traffic was not split as asked ({arms[0].assigned:,} to {arms[1].assigned:,}"
            f"{' users' if arms[0].units else ''}, p = {split_p:.2g});"
            " find the cause before reading any result."
        )
    words = {
        "won": f"{second} is better than {first} by {interval}.",
        "lost": f"{second} is worse than {first}: {interval}.",
        "equivalent": f"{first} and {second} differ by less than {minimum_effect:.1%}: {interval}.",
        "inconclusive": f"Not decided yet: {interval}; {more or 0:,} more outcomes needed.",
    }
    return words[result]
