"""Rows that a plan's own parts suggest, for a parity check where no real rows are at hand.

Terms that the text step knows, values on and beside each tree's thresholds, categories that were
seen: where a plan could differ from its pipeline, such a row is nearer to it than real ones are.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.serving.plans.format import Category, Number, Plan, Text, Trees, unpacked

ROWS = 500
_MOST_TERMS = 25


def rows(plan: Plan, signature: Mapping[str, Any], *, seed: int = 0) -> list[Any]:
    """Return `ROWS` texts, or rows of features by name, as clients send them."""
    draw = random.Random(seed)  # noqa: S311 (test rows, no secret)
    makers = {column.name: _maker(column, plan, draw) for column in plan.columns}
    if signature["task"] == "text":
        return [makers[None]() for _ in range(ROWS)]
    names = [feature["name"] for feature in signature["input"]["features"]]
    return [{name: makers[name]() if name in makers else None for name in names}
            for _ in range(ROWS)]  # fmt: skip


def _maker(column: Number | Category | Text, plan: Plan, draw: random.Random) -> Callable[[], Any]:
    if isinstance(column, Text):
        terms = list(column.slots)
        return lambda: " ".join(draw.choice(terms) for _ in range(draw.randrange(_MOST_TERMS)))
    if isinstance(column, Category):
        seen = [*column.slots, "never seen", None]
        return lambda: draw.choice(seen)
    places = _thresholds(plan, column.slot)
    return lambda: _value(column, places, draw)


def _thresholds(plan: Plan, slot: int) -> Sequence[float]:
    if isinstance(plan.head, Trees) and slot in plan.head.used:
        return unpacked(plan.head.thresholds[plan.head.used.index(slot)])
    return ()


def _value(column: Number, places: Sequence[float], draw: random.Random) -> float | None:
    turn = draw.randrange(8)
    if turn == 0:
        return None
    if not places:
        return draw.gauss(column.mean, 2 * column.scale)
    value = draw.choice(places) * column.scale + column.mean
    if turn == 1:
        return value
    return math.nextafter(value, math.copysign(math.inf, turn - 4.5))
