"""May this model replace the one that serves? Promote, refuse, or not enough evidence yet."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from core.errors import InvalidInputError
from core.statistics import mcnemar
from core.statistics.intervals import Estimate, normal_quantile, wilson

Answer = Literal["promote", "refuse", "not_enough_evidence"]
Rule = Literal["superiority", "non_inferiority"]
SliceAnswer = Literal["pass", "refuse", "not_enough_evidence"]

OLDEST_TEST_DAYS = 90.0
PLANNED_POWER = 0.8


@dataclass(frozen=True)
class SliceResult:
    """One slice: `p_value` is one-sided for "the candidate is worse here"."""

    name: str
    answer: SliceAnswer
    n: int
    difference: Estimate | None
    p_value: float


@dataclass(frozen=True)
class GateResult:
    """An answer with its reasons; `difference` is candidate minus champion in accuracy.

    For a first model there is no champion: `difference` is its accuracy minus the floor.
    """

    answer: Answer
    rule: str
    reasons: tuple[str, ...]
    p_value: float
    difference: Estimate
    n: int
    only_champion_right: int
    only_candidate_right: int
    more_rows_needed: int | None
    slices: tuple[SliceResult, ...] = ()
    alpha: float = 0.05  # of this question, after the correction for `candidates_tried`
    candidates_tried: int = 1
    absolute_floor: float | None = None
    look: int = 0  # which of the looks at growing rows this was; 0: the only one
    min_slice: int | None = None  # rows under which a slice could not pass
    train_test_overlap: int = 0  # rows that judge and were learnt from

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Pairs:
    """Rows where exactly one of the two models was right, out of `n`."""

    only_champion: int
    only_candidate: int
    n: int

    def difference(self, alpha: float) -> Estimate:
        """Two-sided interval at 1 - 2 alpha, which agrees with a one-sided test at alpha."""
        return mcnemar.paired_difference(
            self.only_champion, self.only_candidate, self.n, level=1 - 2 * alpha
        )


def judge(  # noqa: PLR0913 (one question: its rows, its rule, and what corrects it)
    *,
    champion_right: Sequence[bool],
    candidate_right: Sequence[bool],
    rule: Rule = "superiority",
    required_improvement: float = 0.01,
    margin: float = 0.01,
    alpha: float = 0.05,
    slices: Mapping[str, Sequence[int]] | None = None,
    min_slice: int = 300,
    candidates_tried: int = 1,
    train_test_overlap: int = 0,
    test_age_days: float | None = None,
    absolute_floor: float | None = None,
    look: int = 0,
) -> GateResult:
    """Judge a candidate against the champion on the same held-out rows.

    Superiority: one-sided McNemar mid-p, and a point estimate above `required_improvement`.
    Non-inferiority: Tango's score test against losing `margin` or more. Alpha is divided by
    `candidates_tried`, the candidates compared on these rows (Bonferroni). `slices` maps a name
    to row positions; a slice where the candidate is worse (Bonferroni over slices) refuses it, one
    under `min_slice` rows never passes. Below the accuracy `absolute_floor` nothing is promoted.
    Where rows arrive and the same two are judged again, `look` k (1, 2, 3 …) spends alpha / 2^k,
    so that all looks together spend no more than alpha (a union bound); 0 is the only look.
    Raises: InvalidInputError (no rows, lengths differ, settings out of range).

    >>> champion, candidate = [True] * 90 + [False] * 10, [True] * 100
    >>> judge(champion_right=champion, candidate_right=candidate).answer
    'promote'
    """
    if rule not in ("superiority", "non_inferiority"):
        raise InvalidInputError(f"'{rule}' is no rule; use superiority or non_inferiority.")
    champion, candidate = _rows(champion_right), _rows(candidate_right)
    _check(champion, candidate, alpha, candidates_tried, absolute_floor)
    _look(look)
    pairs, level = _pairs(champion, candidate), alpha / candidates_tried / 2**look
    result = (
        _superiority(pairs, level, required_improvement)
        if rule == "superiority"
        else _non_inferiority(pairs, level, margin)
    )
    parts = _slices(champion, candidate, slices or {}, alpha=alpha, min_slice=min_slice)
    harmed = [f"worse on slice '{part.name}'" for part in parts if part.answer == "refuse"]
    result = replace(
        result,
        slices=parts,
        reasons=(
            *result.reasons,
            *_tried(candidates_tried),
            *_again(look),
            *_small(parts, min_slice),
        ),
        alpha=level,
        candidates_tried=candidates_tried,
        absolute_floor=absolute_floor,
        look=look,
        min_slice=min_slice,
        train_test_overlap=train_test_overlap,
    )
    unfit = _unfit(train_test_overlap, test_age_days)
    return _refused(result, [*unfit, *_too_low(candidate, absolute_floor), *harmed])


def first(
    *,
    candidate_right: Sequence[bool],
    floor: float,
    alpha: float = 0.05,
    candidates_tried: int = 1,
    train_test_overlap: int = 0,
    test_age_days: float | None = None,
    absolute_floor: float | None = None,
) -> GateResult:
    """Judge a first model, where nothing serves yet, against an absolute accuracy `floor`.

    Promote when Wilson's lower bound (one-sided alpha) reaches the floor, and the accuracy itself
    the `absolute_floor`, below which nothing is promoted.
    Raises: InvalidInputError (no rows, settings out of range).

    >>> first(candidate_right=[True] * 98 + [False] * 2, floor=0.9).answer
    'promote'
    """
    right = _rows(candidate_right)
    _check(right, right, alpha, candidates_tried, absolute_floor)
    if not 0 < floor < 1:
        raise InvalidInputError("The accuracy floor lies between 0 and 1.")
    level = alpha / candidates_tried
    accuracy = wilson(int(right.sum()), len(right), level=1 - 2 * level)
    answer, reason = _against_floor(accuracy, floor)
    result = GateResult(
        answer=answer,
        rule="first",
        reasons=(reason,),
        p_value=float(ndtr((floor - accuracy.value) / math.sqrt(floor * (1 - floor) / len(right)))),
        difference=Estimate(
            accuracy.value - floor,
            accuracy.low - floor,
            accuracy.high - floor,
            accuracy.level,
            accuracy.n,
        ),
        n=len(right),
        only_champion_right=0,
        only_candidate_right=0,
        more_rows_needed=_more_for_floor(accuracy, floor)
        if answer == "not_enough_evidence"
        else None,
        alpha=level,
        candidates_tried=candidates_tried,
        absolute_floor=absolute_floor,
        train_test_overlap=train_test_overlap,
    )
    unfit = _unfit(train_test_overlap, test_age_days)
    return _refused(result, [*unfit, *_too_low(right, absolute_floor)])


def _rows(right: Sequence[bool]) -> NDArray[np.bool_]:
    return np.asarray(right, dtype=bool)


def _check(
    champion: NDArray[np.bool_],
    candidate: NDArray[np.bool_],
    alpha: float,
    tried: int,
    absolute_floor: float | None,
) -> None:
    if len(champion) != len(candidate):
        raise InvalidInputError("Champion and candidate must be judged on the same rows.")
    if len(candidate) == 0:
        raise InvalidInputError("The gate needs at least one labelled row.")
    if not 0 < alpha < 0.5 or tried < 1:
        raise InvalidInputError(
            "Alpha lies between 0 and .5, and at least one candidate was tried."
        )
    if absolute_floor is not None and not 0 < absolute_floor < 1:
        raise InvalidInputError("The accuracy below which nothing is promoted is from 0 to 1.")


def _pairs(champion: NDArray[np.bool_], candidate: NDArray[np.bool_]) -> _Pairs:
    return _Pairs(
        int((champion & ~candidate).sum()), int((candidate & ~champion).sum()), len(champion)
    )


def _superiority(pairs: _Pairs, alpha: float, required: float) -> GateResult:
    difference = pairs.difference(alpha)
    p = mcnemar.mid_p(pairs.only_champion, pairs.only_candidate)
    certain, target = p <= alpha, max(difference.value, required, 1e-3)
    answer: Answer = "not_enough_evidence"
    if certain and difference.value > required:
        answer, reason = "promote", f"better by {difference}"
    elif certain:
        reason = f"better by {difference}, but more than {required:.1%} is required"
        target = max(required - difference.value, required / 4)
    else:
        reason = f"the difference may be chance: {difference}"
    if answer != "promote" and difference.high <= required:
        answer = "refuse"
        reason = reason if certain else f"a gain above {required:.1%} is ruled out: {difference}"
    return _result(answer, "superiority", reason, p, difference, pairs, alpha, target)


def _non_inferiority(pairs: _Pairs, alpha: float, margin: float) -> GateResult:
    difference = pairs.difference(alpha)
    p = mcnemar.non_inferiority_p(pairs.only_champion, pairs.only_candidate, pairs.n, margin=margin)
    answer: Answer = "not_enough_evidence"
    if p <= alpha:
        answer, reason = "promote", f"a loss of {margin:.1%} is ruled out: {difference}"
    elif difference.high < 0:
        answer, reason = "refuse", f"worse: {difference}"
    else:
        reason = f"a loss of {margin:.1%} is not ruled out: {difference}"
    target = max(margin + min(0.0, difference.value), margin / 4)
    return _result(answer, "non_inferiority", reason, p, difference, pairs, alpha, target)


def _result(
    answer: Answer,
    rule: Rule,
    reason: str,
    p_value: float,
    difference: Estimate,
    pairs: _Pairs,
    alpha: float,
    target: float,
) -> GateResult:
    """`target` is the difference that more rows would have to tell from chance."""
    more = None
    if answer == "not_enough_evidence":
        discordance = (pairs.only_champion + pairs.only_candidate) / pairs.n
        needed = mcnemar.rows_needed(discordance, target, alpha=alpha, power=PLANNED_POWER)
        more = max(1, needed - pairs.n)
        reason = f"{reason}; {more:,} more labelled rows needed"
    return GateResult(
        answer=answer,
        rule=rule,
        reasons=(reason,),
        p_value=p_value,
        difference=difference,
        n=pairs.n,
        only_champion_right=pairs.only_champion,
        only_candidate_right=pairs.only_candidate,
        more_rows_needed=more,
    )


def _slices(
    champion: NDArray[np.bool_],
    candidate: NDArray[np.bool_],
    slices: Mapping[str, Sequence[int]],
    *,
    alpha: float,
    min_slice: int,
) -> tuple[SliceResult, ...]:
    """Look for harm in every slice; a small slice can show harm, but not its absence."""
    found = []
    for name, positions in slices.items():
        rows = np.unique(np.asarray(positions, dtype=np.intp))
        if len(rows) and not 0 <= rows[0] <= rows[-1] < len(champion):
            raise InvalidInputError(f"Slice '{name}' points to rows that do not exist.")
        pairs, level = _pairs(champion[rows], candidate[rows]), alpha / len(slices)
        p = mcnemar.mid_p(pairs.only_candidate, pairs.only_champion)
        answer: SliceAnswer = "pass" if pairs.n >= min_slice else "not_enough_evidence"
        difference = pairs.difference(level) if pairs.n else None
        found.append(SliceResult(name, "refuse" if p <= level else answer, pairs.n, difference, p))
    return tuple(found)


def _small(slices: tuple[SliceResult, ...], min_slice: int) -> list[str]:
    names = [f"'{part.name}'" for part in slices if part.answer == "not_enough_evidence"]
    if not names:
        return []
    return [f"not enough evidence on slice {', '.join(names)} (under {min_slice} rows)"]


def _unfit(overlap: int, age_days: float | None) -> list[str]:
    """Why these test rows cannot judge anything."""
    reasons = []
    if overlap > 0:
        reasons.append(f"{overlap:,} test rows also occur in training")
    if age_days is not None and age_days > OLDEST_TEST_DAYS:
        reasons.append(f"the test rows are {age_days:.0f} days old, over {OLDEST_TEST_DAYS:.0f}")
    return reasons


def _too_low(right: NDArray[np.bool_], floor: float | None) -> list[str]:
    """Why a model may not be promoted whatever it replaces."""
    accuracy = float(right.mean())
    if floor is None or accuracy >= floor:
        return []
    return [f"accuracy {accuracy:.1%} is below {floor:.1%}, under which nothing is promoted"]


def _tried(candidates: int) -> list[str]:
    if candidates == 1:
        return []
    return [f"the best of {candidates} judged on these rows, so more evidence was asked for"]


def _look(look: int) -> None:
    if look < 0:
        raise InvalidInputError("Looks are counted from 1; 0 is the only one.")


def _again(look: int) -> list[str]:
    return [f"look {look} at this question, so more evidence was asked for"] if look > 1 else []


def _refused(result: GateResult, reasons: list[str]) -> GateResult:
    """Refuse for these reasons, if there are any, whatever the test said."""
    if not reasons:
        return result
    return replace(
        result, answer="refuse", reasons=(*reasons, *result.reasons), more_rows_needed=None
    )


def _against_floor(accuracy: Estimate, floor: float) -> tuple[Answer, str]:
    words = f"accuracy {accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})"
    if accuracy.low >= floor:
        return "promote", f"{words} is above the floor of {floor:.1%}"
    if accuracy.high < floor:
        return "refuse", f"{words} is below the floor of {floor:.1%}"
    return "not_enough_evidence", f"{words} does not settle the floor of {floor:.1%}"


def _more_for_floor(accuracy: Estimate, floor: float) -> int:
    """More rows until the present gap to the floor (at least half a point) leaves the interval."""
    gap = max(abs(accuracy.value - floor), 0.005)
    z = normal_quantile(accuracy.level) + normal_quantile(2 * PLANNED_POWER - 1)
    return max(1, math.ceil(z * z * floor * (1 - floor) / gap**2) - accuracy.n)
