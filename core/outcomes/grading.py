"""Grading, pure: what was measured after an action, in numbers and in one sentence.

An action is looked at more than once while labels arrive. It is looked at after so many labelled
answers as are needed at least, and four, sixteen and sixty-four times as many; each look has an
interval at 98.75 %, so that all four together are wrong in at most 5 % of cases (a union bound).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from core.statistics.intervals import Estimate, newcombe

Grade = Literal["good", "bad", "neutral"]
Expects = Literal["better", "not worse"]

GROWTH = (1, 4, 16, 64)
MOST = 5_000
"""Labelled answers that are read at most; a last look is at this many."""
LEVEL = 1 - 0.05 / len(GROWTH)


@dataclass(frozen=True)
class Graded:
    """A grade, with the one sentence for people and the figures behind it."""

    grade: Grade
    sentence: str
    measured: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Counted:
    """How many of `n` were right (or failed, or were slow: the caller says)."""

    hits: int
    n: int


def look_at(n: int, fewest: int) -> int:
    """Return at how many labelled answers the newest look is; 0 before the first one.

    >>> [look_at(n, 50) for n in (49, 50, 199, 200, 4000)]
    [0, 50, 50, 200, 3200]
    """
    sizes = [min(MOST, max(1, fewest) * by) for by in GROWTH]
    return max((size for size in sizes if size <= n), default=0)


def is_last(n: int, fewest: int) -> bool:
    """Say whether no look follows the one at `n` labelled answers.

    >>> is_last(3199, 50), is_last(3200, 50)
    (False, True)
    """
    return n >= min(MOST, max(1, fewest) * GROWTH[-1])


def of_accuracy(
    before: Counted,
    after: Counted,
    *,
    expects: Expects,
    margin: float,
    against: str,
    last: bool,
) -> Graded | None:
    """Grade by accuracy after against before (Newcombe's interval); None while a look may follow.

    Good: surely better where that was expected, else surely not worse by `margin` or more. Bad:
    surely worse. `against` says what it is compared with.

    >>> of_accuracy(Counted(150, 200), Counted(190, 200), expects="better", margin=0.01,
    ...             against="1.0.0 before", last=False).grade
    'good'
    """
    gap = newcombe(before.hits, before.n, after.hits, after.n, level=LEVEL)
    measured = {**figures("accuracy", gap, after.n), "n_before": before.n}
    seen = f"Accuracy {_points(gap)} against {against}, on {after.n:,} labelled answers since"
    floor = 0.0 if expects == "better" else -margin
    if gap.high < 0:
        return Graded("bad", f"{seen}: surely worse.", measured)
    if gap.low > floor:
        sure = "better" if gap.low > 0 else f"not worse by {100 * margin:g} points or more"
        return Graded("good", f"{seen}: surely {sure}.", measured)
    if not last:
        return None
    return Graded("neutral", f"{seen}: neither better nor worse beyond chance.", measured)


def of_shares(
    seen: Sequence[tuple[str, Counted, Counted]], *, better: str, where: str
) -> Graded | None:
    """Grade by shares that should fall (of errors, of slow answers); None where none surely moved.

    `seen` has the name of each, what was counted before and after. `where` says what was compared.

    >>> of_shares([("errors", Counted(50, 500), Counted(1, 500))], better="as intended",
    ...           where="6 hours before and after").grade
    'good'
    """
    level = 1 - 0.05 / max(1, len(seen))
    gaps = [(name, newcombe(b.hits, b.n, a.hits, a.n, level=level), a.n) for name, b, a in seen]
    worse = [one for one in gaps if one[1].low > 0]
    fewer = [one for one in gaps if one[1].high < 0]
    if not (worse or fewer):
        return None
    name, gap, n = (worse or fewer)[0]
    words = f"The share of {name} changed by {_points(gap)} ({where}): surely "
    words += "more than before." if worse else f"less, {better}."
    return Graded("bad" if worse else "good", words, figures(name, gap, n))


def figures(metric: str, gap: Estimate, n: int) -> dict[str, Any]:
    """Return a measured difference in the shape of an expected one."""
    found = {"metric": metric, "effect": gap.value, "low": gap.low, "high": gap.high, "n": n}
    return {name: round(v, 6) if isinstance(v, float) else v for name, v in found.items()}


def undone(who: str, hours: float, reason: str) -> Graded:
    """Grade what a person took back.

    >>> undone("ana", 2.5, "it was slow").sentence
    'Taken back by ana after 2.5 h: it was slow.'
    """
    why = f": {reason.strip().rstrip('.')}" if reason.strip() else ""
    return Graded("bad", f"Taken back by {who} after {hours:.1f} h{why}.", {"undone_by": who})


def _points(gap: Estimate) -> str:
    low, high = 100 * gap.low, 100 * gap.high
    return f"{100 * gap.value:+.1f} points ({low:+.1f} to {high:+.1f})"
