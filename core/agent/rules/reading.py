"""What rules ask of the facts: alarms, certainty, youth. A fact that is not known says no."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from core.agent.facts import FactBook
from core.agent.verdict import Held, Verdict
from core.specs.thresholds import Policy

Rule = Callable[[FactBook, Policy], Verdict | Held | None]

_DIGITS = 6  # of differences: .97 - .92 is .05


def foremost(*found: Verdict | Held | None) -> Verdict | Held | None:
    """Return the first that decides, else the first that waits: waiting hides no decision."""
    known = [one for one in found if one is not None]
    return next((one for one in known if isinstance(one, Verdict)), next(iter(known), None))


def present(book: FactBook, *names: str) -> tuple[str, ...]:
    """Return those of the facts that are known."""
    return tuple(name for name in names if name in book)


def count(book: FactBook, name: str) -> int:
    """Return how many there are of something that is a number or a list."""
    value = book.get(name)
    if isinstance(value, list | tuple):
        return len(value)
    return int(value) if isinstance(value, int | float) else 0


def names(book: FactBook, name: str, *, most: int = 3) -> str:
    """Return the first entries of a list, quoted."""
    value = book.get(name)
    shown: Sequence[Any] = value if isinstance(value, list | tuple) else [value]
    return ", ".join(f"'{one}'" for one in list(shown)[:most])


def drift_alarm(book: FactBook) -> bool:
    """Whether the inputs have surely changed; a score is 0 where chance explains the window."""
    alarm = book.get("drift.alarm")
    return bool(alarm) if alarm is not None else book.number("drift.score") > 0


def drop(book: FactBook) -> float:
    """Return the accuracy lost since registration, NaN where one of the two is not known."""
    return round(book.number("accuracy.baseline") - book.number("accuracy.current"), _DIGITS)


def at_most(book: FactBook, name: str) -> float:
    """Return the upper end of a measurement's interval; 1 where it has none."""
    fact = book.fact(name)
    return fact.interval[1] if fact is not None and fact.interval else 1.0


def late_labels(book: FactBook, policy: Policy) -> bool:
    """Whether most labels of these answers are still to come: the first ones are no sample.

    Where a report judged old enough answers alone it says so; else the lag and the coverage do.
    """
    mature = book.get("accuracy.mature")
    if mature is not None:
        return not mature
    coverage, lag = book.number("accuracy.label_coverage"), book.number("accuracy.label_lag_hours")
    young = lag > book.number("deployment.hours_since_deploy")
    slow = lag > policy.late_label_hours or young
    return bool(slow and not coverage >= policy.label_coverage)


def young_release(book: FactBook, policy: Policy) -> bool:
    """Whether there is a release to go back to and the present one may be the cause."""
    hours = book.number("deployment.hours_since_deploy")
    return can_go_back(book) and hours <= policy.recent_release_hours


def can_go_back(book: FactBook) -> bool:
    """Whether an earlier release can serve again."""
    named = isinstance(book.get("deployment.previous"), str)
    return bool(book.get("deployment.previous_available")) and named


def experiment_id(book: FactBook) -> str | None:
    """Return the id of the experiment that runs, or None."""
    running = book.get("experiment.running")
    found = book.get("experiment.id") or (running if isinstance(running, str) else None)
    return str(found) if running and found else None


def enough_requests(book: FactBook, policy: Policy, name: str = "service.n_requests") -> bool:
    """Whether so many requests were counted that their share of errors tells something."""
    return book.number(name) >= policy.min_requests


def changes(book: FactBook, name: str, threshold: float) -> int:
    """Return how often a history has crossed a threshold."""
    value = book.get(name)
    on = [_above(one, threshold) for one in value] if isinstance(value, list | tuple) else []
    return sum(before != after for before, after in pairwise(on))


def _above(one: Any, threshold: float) -> bool:  # noqa: ANN401 (a fact's value)
    return isinstance(one, int | float) and one >= threshold
