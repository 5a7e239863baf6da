"""Running a plan: one input, or many, in; the probability of the second class out."""

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from core.serving.plans.format import (
    Category,
    Isotonic,
    Linear,
    Link,
    Number,
    Plan,
    Text,
    Trees,
    unpacked,
)
from core.serving.plans.walks import walk
from core.serving.plans.words import terms_of

Given = Any  # a text, or features by name; None is a missing value
Pairs = Iterator[tuple[int, float]]


class Runner(Protocol):
    """A plan that is ready to answer."""

    def probability(self, given: Given) -> float:
        """Return the probability of the second class."""
        ...

    def probabilities(self, rows: Sequence[Given]) -> list[float]:
        """Return it for each row."""
        ...


def runner(plan: Plan) -> Runner:
    """Return what runs a plan: the fast way for its shape."""
    head, column = plan.head, plan.columns[0]
    if isinstance(head, Trees):
        return TreeRunner(plan, head)
    if isinstance(column, Text) and column.name is None and len(head.weights) == 1:
        return TextRunner(plan, column, head)
    return LinearRunner(plan, head)


def logistic(score: float) -> float:
    """Return 1 / (1 + exp(-score)) without overflow.

    >>> logistic(0.0), logistic(-1e9)
    (0.5, 0.0)
    """
    if score >= 0:
        return 1.0 / (1.0 + math.exp(-score))
    odds = math.exp(score) if score > -745 else 0.0
    return odds / (1.0 + odds)


def _linked(link: Link) -> Callable[[float], float]:
    """Return the function from a member's sum to its probability."""
    calibration = link.calibration
    if calibration is None:
        return logistic if link.logistic else _same
    if isinstance(calibration, Isotonic):
        x, y = np.asarray(calibration.x), np.asarray(calibration.y)

        def last(score: float) -> float:
            return float(np.interp(score, x, y))
    else:
        a, b = calibration.a, calibration.b

        def last(score: float) -> float:
            return logistic(-(a * score + b))

    return (lambda score: last(logistic(score))) if link.logistic else last


def _same(score: float) -> float:
    return min(1.0, max(0.0, score))


class _Base(ABC):
    def __init__(self, plan: Plan) -> None:
        self._links = [_linked(link) for link in plan.links]

    @abstractmethod
    def probability(self, given: Given) -> float:
        """Return the probability of the second class for one input."""

    def probabilities(self, rows: Sequence[Given]) -> list[float]:
        """Return the probability of each row."""
        return [self.probability(row) for row in rows]

    def _mean(self, sums: Iterable[float]) -> float:
        parts = [link(total) for link, total in zip(self._links, sums, strict=True)]
        return sum(parts) / len(parts)


class TextRunner(_Base):
    """One text, one weighted sum: a dictionary look-up per term and nothing else."""

    def __init__(self, plan: Plan, column: Text, head: Linear) -> None:
        super().__init__(plan)
        self._cut, self._bias, self._link = terms_of(column), head.bias[0], self._links[0]
        self._squares_and_products = {
            term: (column.idf[slot] ** 2, column.idf[slot] * head.weights[0].get(slot, 0.0))
            for term, slot in column.slots.items()
        }
        self._sublinear, self._normed = column.sublinear, column.normed

    def probability(self, given: str) -> float:
        """Return the probability of the second class for a text."""
        known = self._squares_and_products
        counts: dict[str, int] = {}
        for term in self._cut(given):
            if term in known:
                counts[term] = counts.get(term, 0) + 1
        total = squares = 0.0
        for term, count in counts.items():
            square, product = known[term]
            if count > 1:
                times = 1.0 + math.log(count) if self._sublinear else count
                square, product = square * times * times, product * times
            squares += square
            total += product
        if self._normed and squares:
            total /= math.sqrt(squares)
        return self._link(total + self._bias)


class LinearRunner(_Base):
    """Any columns, one or more weighted sums."""

    def __init__(self, plan: Plan, head: Linear) -> None:
        super().__init__(plan)
        self._readers = [_reader(column) for column in plan.columns]
        self._bias = head.bias
        self._weights = [
            tuple(weights.get(slot, 0.0) for weights in head.weights) for slot in range(plan.slots)
        ]

    def probability(self, given: Mapping[str, Any]) -> float:
        """Return the probability of the second class for features by name."""
        sums, weights = list(self._bias), self._weights
        members = range(len(sums))
        for read in self._readers:
            for slot, value in read(given):
                weight = weights[slot]
                for member in members:
                    sums[member] += weight[member] * value
        return self._mean(sums)


class TreeRunner(_Base):
    """Trees over threshold intervals, many rows in one walk."""

    def __init__(self, plan: Plan, head: Trees) -> None:
        super().__init__(plan)
        self._readers = [_reader(column) for column in plan.columns]
        self._bias, self._narrow = head.bias, head.narrow
        self._place = {slot: place for place, slot in enumerate(head.used)}
        thresholds = [unpacked(edges) for edges in head.thresholds]
        self._walk = walk(head.graph, [len(edges) for edges in thresholds])
        self._codes = list(zip(self._walk.starts, self._walk.missing, thresholds, strict=True))
        self._count = bisect_left if head.inclusive else bisect_right
        empty = math.nan if head.absent else 0.0
        self._empty = [self._code(place, empty) for place in range(len(head.used))]
        self._numbers = _only_numbers(plan, head)

    def probability(self, given: Given) -> float:
        """Return the probability of the second class for one input."""
        return self.probabilities([given])[0]

    def probabilities(self, rows: Sequence[Given]) -> list[float]:
        """Return the probability of the second class for each input."""
        numbers = self._numbers
        if numbers is None:
            lines = [self._scattered(given) for given in rows]
        else:
            lines = [self._line(given, numbers) for given in rows]
        bias = self._bias
        return [self._mean(map(float.__add__, bias, sums)) for sums in self._walk.sums(lines)]

    def _line(self, given: Given, numbers: "list[_Reading]") -> list[float]:
        """Return the codes of one row of nothing but numbers."""
        values = [
            filled if (value := given[name]) is None or value != value else (value - mean) / scale
            for name, mean, scale, filled in numbers
        ]
        if self._narrow:
            values = np.array(values, "float32").tolist()
        count = self._count
        return [
            start + count(edges, value) if value == value else missing
            for value, (start, missing, edges) in zip(values, self._codes, strict=True)
        ]

    def _scattered(self, given: Given) -> list[float]:
        """Return the codes of one row of columns of any kind."""
        line = self._empty.copy()
        for read in self._readers:
            for slot, value in read(given):
                place = self._place.get(slot)
                if place is not None:
                    line[place] = self._code(place, value)
        return line

    def _code(self, place: int, value: float) -> float:
        start, missing, edges = self._codes[place]
        if value != value:
            return missing  # the walk knows which way it goes
        return start + self._count(edges, float(np.float32(value)) if self._narrow else value)


_Reading = tuple[str, float, float, float]
"""A number's name, mean and scale, and what stands for it where it is missing."""


def _only_numbers(plan: Plan, head: Trees) -> list[_Reading] | None:
    """Return how to read what the trees ask for, in their order, where all of it is numbers."""
    readings: dict[int, _Reading] = {}
    for column in plan.columns:
        if not isinstance(column, Number):
            return None
        mean, scale = column.mean, column.scale
        readings[column.slot] = (column.name, mean, scale, (column.fill - mean) / scale)
    if not readings.keys() >= set(head.used):  # some ask whether a number is missing
        return None
    return [readings[slot] for slot in head.used]


def _reader(column: Number | Category | Text) -> Callable[[Given], Pairs]:
    if isinstance(column, Number):
        return _number_reader(column)
    if isinstance(column, Category):
        return _category_reader(column)
    return _text_reader(column)


def _number_reader(column: Number) -> Callable[[Given], Pairs]:
    name, slot, flag = column.name, column.slot, column.flag
    mean, scale, fill = column.mean, column.scale, column.fill
    filled = (slot, (fill - mean) / scale)
    absent = [filled, (flag, column.absent)] if flag >= 0 else [filled]
    present = [(flag, column.present)] if flag >= 0 else []

    def read(given: Given) -> Pairs:
        value = given[name]
        if value is None or value != value:
            yield from absent
        else:
            yield slot, (value - mean) / scale
            yield from present

    return read


def _category_reader(column: Category) -> Callable[[Given], Pairs]:
    name, slots, unknown, missing = column.name, column.slots, column.unknown, column.missing

    def read(given: Given) -> Pairs:
        value = given[name]
        slot = missing if value is None else slots.get(value, unknown)
        if slot >= 0:
            yield slot, 1.0

    return read


def _text_reader(column: Text) -> Callable[[Given], Pairs]:
    cut, slots, idf = terms_of(column), column.slots, column.idf
    sublinear, normed, name = column.sublinear, column.normed, column.name

    def read(given: Given) -> Pairs:
        text = given if name is None else given[name] or ""
        counts = Counter(slots[term] for term in cut(text) if term in slots)
        values = {
            slot: idf[slot] * (1.0 + math.log(count) if sublinear else count)
            for slot, count in counts.items()
        }
        length = math.sqrt(sum(value * value for value in values.values())) if normed else 1.0
        for slot, value in values.items():
            yield slot, value / (length or 1.0)

    return read
