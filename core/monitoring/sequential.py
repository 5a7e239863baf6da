"""Watching check after check without alarms that chance alone would raise: an e-detector.

The mathematics is that of `core.monitoring.detector`; an alarm ends once no change is the likelier.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInputError
from core.monitoring.detector import grown, margin, weights
from core.monitoring.watch_state import Key, Part, Watch, plain, read

Array = NDArray[np.float64]

LARGEST_Z = 12.0
"""Scores are cut here; those of families stop at 8 by themselves."""

ODDS = math.log(20)
"""How much more likely no change must be before a change counts as over."""

_SMALLEST, _LARGEST = 0.5, 2.0
"""The change seen at an alarm is taken to be this far beyond the margin, at least and at most."""

_SURE = 1.645
"""It is the lower 95 % bound: at an alarm the mean is high by selection, and drift that is weaker
than was thought would soon pass for over."""


@dataclass(frozen=True)
class Evidence:
    """One calibrated score of one check: standard normal while nothing changes.

    `name` is empty for the score of a whole family, otherwise a column. Both signs of a
    `two_sided` one tell of a change, only large values of another.
    """

    family: str
    name: str
    z: float
    two_sided: bool = False


@dataclass(frozen=True)
class Followed:
    """Where the watch stands after one more check.

    `state` is plain JSON for the next call. `alarm` holds from the check that raised it until the
    change is over, `recovered` in the check that finds it over; then the watch starts anew.
    `families` maps each to its share of the way to an alarm (0...1, of the logarithm), `checks` is
    how many the evidence has been growing, `leading` what it is about.
    """

    state: dict[str, Any]
    alarm: bool
    recovered: bool
    families: dict[str, float]
    checks: int
    leading: str
    sentence: str


def follow(
    state: Mapping[str, Any] | None,
    evidence: Sequence[Evidence],
    *,
    n_reference: int,
    n_current: int,
    false_alarms_a_check: float,
) -> Followed:
    """Add one check of `n_current` rows to what is known; `state` None starts a watch.

    Each family of `evidence` has an equal share of the budget, within it half the family's own
    score and half the columns. What is not told in a check stays as it was; a state that cannot be
    read is started anew, which the sentence says.
    Raises: InvalidInputError (no rows, a rate outside 0...1).

    >>> seen, state = [Evidence("text", "", 7.9)], None
    >>> for _ in range(2):
    ...     found = follow(state, seen, n_reference=3000, n_current=200, false_alarms_a_check=1e-4)
    ...     state = found.state
    >>> found.alarm, found.leading
    (True, 'text')
    """
    if not 0 < false_alarms_a_check < 1 or n_reference < 1 or n_current < 1:
        raise InvalidInputError("a watch needs rows in both windows and a rate between 0 and 1")
    watch, unread = read(state)
    told = list({(one.family, one.name): one for one in evidence if math.isfinite(one.z)}.values())
    rows = {"n_reference": n_reference, "n_current": n_current}
    if watch.standing:
        followed = _stand(watch, told, rows)
    else:
        followed = _watch(watch, told, rows, limit=-math.log(false_alarms_a_check))
    if not unread:
        return followed
    words = "What was known from earlier checks could not be read, so the watch starts anew. "
    return Followed(**{**vars(followed), "sentence": words + followed.sentence})


def _watch(
    watch: Watch, told: Sequence[Evidence], rows: Mapping[str, int], *, limit: float
) -> Followed:
    for one in told:
        _take(watch, one, margin(**rows, two_sided=one.two_sided))
    shares = _weighted(watch)
    total = _log_sum([log for logs in shares.values() for log in logs.ravel()])
    families = {
        family: min(1.0, float(np.logaddexp(0, _log_sum(logs))) / limit)
        for family, logs in _by_family(shares)
    }
    if not shares:
        return Followed(plain(watch), False, False, {}, 0, "", "There was nothing to follow.")
    key, direction = _strongest(shares)
    checks = int(watch.parts[key].runs[direction][0])
    leading = _name(key, direction, watch.parts[key])
    if total < limit:
        sentence = (
            f"No lasting change: the evidence is {max(families.values()):.0%} of the way to an "
            f"alarm, most of it for {leading}."
        )
        return Followed(plain(watch), False, False, families, checks, leading, sentence)
    watch.standing, watch.checks = _changes(watch, shares, rows), max(1, checks)
    sentence = (
        f"A lasting change of {leading}: the evidence grew over {_checks(watch.checks)} beyond "
        f"what chance reaches once in {math.exp(limit):,.0f} checks."
    )
    return Followed(plain(watch), True, False, families, watch.checks, leading, sentence)


def _stand(watch: Watch, told: Sequence[Evidence], rows: Mapping[str, int]) -> Followed:
    """An alarm stands until every change of it has become 20 times less likely than none."""
    now = {(one.family, one.name): one for one in told}
    for change in watch.standing:
        one = now.get((change["family"], change["name"]))
        if one is not None:
            limit = margin(**rows, two_sided=one.two_sided)
            z, size = _cut(one.z) * change["direction"], limit + change["size"]
            gained = change["size"] * ((size + limit) / 2 - z)
            change["odds"] = round(min(ODDS, max(-ODDS, change["odds"] + gained)), 4)
    watch.checks += 1
    leading = watch.standing[0]["leading"]
    over = all(change["odds"] >= round(ODDS, 4) for change in watch.standing)
    families = {change["family"]: 1.0 for change in watch.standing}
    if not over:
        sentence = f"The change of {leading} has lasted for {_checks(watch.checks)}."
        return Followed(plain(watch), True, False, families, watch.checks, leading, sentence)
    sentence = f"The change of {leading} is over after {_checks(watch.checks)}: no change is now "
    sentence += "20 times as likely. The watch starts anew."
    empty = dict.fromkeys(families, 0.0)
    return Followed(plain(Watch()), False, True, empty, 0, leading, sentence)


def _take(watch: Watch, one: Evidence, limit: float) -> None:
    part = watch.parts.get((one.family, one.name))
    if part is None or (len(part.runs) == 2) != one.two_sided:
        part = Part.new(two_sided=one.two_sided)
    z = np.array([_cut(one.z), -_cut(one.z)][: len(part.runs)])
    runs = []
    for (checks, summed), value in zip(part.runs, z.tolist(), strict=True):
        grows = summed + value > (checks + 1) * (limit + _SMALLEST / 2)
        runs.append([checks + 1, round(summed + value, 4)] if grows else [0, 0.0])
    watch.parts[one.family, one.name] = Part(grown(part.logs, z - limit), runs)


def _cut(z: float) -> float:
    return max(-LARGEST_Z, min(LARGEST_Z, z))


def _weighted(watch: Watch) -> dict[Key, Array]:
    """Log of what each part adds to M, shape (directions, lambdas)."""
    kinds = [(key[0], len(part.runs) == 2) for key, part in watch.parts.items()]
    shares = np.log(weights(kinds))
    return {
        key: part.logs + share
        for (key, part), share in zip(watch.parts.items(), shares, strict=True)
    }


def _by_family(shares: Mapping[Key, Array]) -> Iterator[tuple[str, list[float]]]:
    for family, keys in groupby(sorted(shares), key=lambda key: key[0]):
        yield family, [log for key in keys for log in shares[key].ravel()]


def _strongest(shares: Mapping[Key, Array]) -> tuple[Key, int]:
    sums = {key: logs.max(axis=1) for key, logs in shares.items()}
    key = max(sums, key=lambda each: float(sums[each].max()))
    return key, int(np.argmax(sums[key]))


def _changes(
    watch: Watch, shares: Mapping[Key, Array], rows: Mapping[str, int]
) -> list[dict[str, Any]]:
    """What carries at least a twentieth of the evidence, strongest first."""
    found = [
        (float(_log_sum(list(logs[direction]))), key, direction)
        for key, logs in shares.items()
        for direction in range(len(logs))
    ]
    found.sort(reverse=True)
    changes = []
    for log, key, direction in found:
        if log < found[0][0] - ODDS:
            break
        part = watch.parts[key]
        checks, summed = part.runs[direction]
        least = summed / max(1.0, checks) - _SURE / math.sqrt(max(1.0, checks))
        beyond = least - margin(**rows, two_sided=len(part.runs) == 2)
        changes.append(
            {
                "family": key[0],
                "name": key[1],
                "direction": 1 - 2 * direction,
                "size": round(min(_LARGEST, max(_SMALLEST, beyond)), 4),
                "odds": -ODDS,
                "leading": _name(key, direction, part),
            }
        )
    return changes


def _name(key: Key, direction: int, part: Part) -> str:
    family, name = key
    if not name:
        return family
    way = f", {'downwards' if direction else 'upwards'}" if len(part.runs) == 2 else ""
    return f"{family} ('{name}'{way})"


def _checks(n: int) -> str:
    return "1 check" if n == 1 else f"{n:,} checks"


def _log_sum(logs: Sequence[float]) -> float:
    return float(np.logaddexp.reduce(logs)) if len(logs) else -math.inf
