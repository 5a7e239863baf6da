"""Two ways from the threshold intervals of a row to its leaves: by masks of bits, or by ONNX.

What a value becomes is its code: where its slot starts, and how many thresholds lie below it; a
missing value has a code of its own.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from core.serving.plans.format import Splits

MOST_LEAVES = 64
MOST_BYTES = 8 << 20
"""What the masks of a version may take; ONNX Runtime takes 30 MiB, and less for each large one."""

_BLOCK_BYTES = 1 << 18  # of masks that are looked at in one go, so that they stay in the cache
_FIELDS = 7
_FRACTION_BITS, _EXPONENT_OF_ONE = 52, 1023  # of a float64


class Walk(Protocol):
    """Trees that are ready to be walked."""

    starts: Sequence[int]
    missing: Sequence[float]

    def sums(self, lines: Sequence[Sequence[float]]) -> list[list[float]]:
        """Return the sums of the leaves of each row of codes, one per member."""
        ...


def walk(graph: Splits | bytes, thresholds: Sequence[int]) -> Walk:
    """Return what walks the trees of a plan; `thresholds` is how many each slot has."""
    return Masks(graph, thresholds) if isinstance(graph, Splits) else Graph(graph, len(thresholds))


def mask_bytes(trees: int, thresholds: Sequence[int]) -> int:
    """Return how much memory the masks of trees take.

    >>> mask_bytes(200, [3, 5])
    19200
    """
    return 8 * trees * sum(n + 2 for n in thresholds)


class Masks:
    """Trees of at most 64 leaves without a step from node to node.

    Each interval of a slot has a mask per tree: the leaves that its splits leave over. The masks of
    all slots of a row together leave the leaves that are reachable, of which the one furthest left
    is the right one: QuickScorer (Lucchese et al., SIGIR 2015, section 3), with the masks of an
    interval put together beforehand.
    """

    def __init__(self, trees: Splits, thresholds: Sequence[int]) -> None:
        ends = np.cumsum([n + 2 for n in thresholds]).tolist()
        self.starts: Sequence[int] = [0, *ends[:-1]]
        self.missing: Sequence[float] = [end - 1 for end in ends]
        n = len(trees.sizes)
        self._table = _table(trees, self.starts, ends)
        self._leaves = np.frombuffer(trees.leaves, "<f8").astype("float64")
        self._first = np.cumsum([0, *trees.sizes[:-1]]) - _EXPONENT_OF_ONE
        self._members = np.cumsum([0, *trees.members[:-1]]) if len(trees.members) > 1 else None
        self._block = max(1, _BLOCK_BYTES // max(1, 8 * n * len(thresholds)))

    def sums(self, lines: Sequence[Sequence[float]]) -> list[list[float]]:
        """Return the sums of the leaves of each row of codes, one per member."""
        found: list[list[float]] = []
        for start in range(0, len(lines), self._block):
            found += self._sums(lines[start : start + self._block])
        return found

    def _sums(self, lines: Sequence[Sequence[float]]) -> Any:  # noqa: ANN401 (lists of numbers)
        codes = np.array(lines, "intp")
        left = np.bitwise_and.reduce(self._table.take(codes, axis=0), axis=1)
        last = (left & -left).astype("float64").view("int64")  # 2 to the power of the leaf
        leaves = self._leaves.take((last >> _FRACTION_BITS) + self._first)
        if self._members is None:
            return leaves.sum(axis=1, keepdims=True).tolist()
        return np.add.reduceat(leaves, self._members, axis=1).tolist()


def _table(trees: Splits, starts: Sequence[int], ends: Sequence[int]) -> Any:  # noqa: ANN401
    """Return the masks ``(codes, trees)``."""
    table = np.full((ends[-1] if ends else 0, len(trees.sizes)), ~np.uint64(0))
    place, rank, tree, first, middle, end, goes_left = (
        np.frombuffer(trees.splits, "<i4").reshape(-1, _FIELDS).T
    )
    begin, stop = np.array(starts, "intp"), np.array(ends, "intp")
    without_left, without_right = ~_bits(first, middle), ~_bits(middle, end)
    np.bitwise_and.at(table, (begin[place] + rank + 1, tree), without_left)
    for start, last in zip(starts, ends, strict=True):  # who is above an edge is above lower ones
        np.bitwise_and.accumulate(table[start : last - 1], axis=0, out=table[start : last - 1])
    missing = np.where(goes_left, without_right, without_left)
    np.bitwise_and.at(table, (stop[place] - 1, tree), missing)
    return table


def _bits(start: Any, end: Any) -> Any:  # noqa: ANN401 (arrays of leaves)
    """Return words in which the bits from `start` to before `end` are set: at most 63 of them."""
    one = np.uint64(1)
    return ((one << (end - start).astype("uint64")) - one) << start.astype("uint64")


class Graph:
    """Trees of any size in ONNX Runtime."""

    def __init__(self, graph: bytes, slots: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        self.starts: Sequence[int] = [0] * slots
        self.missing: Sequence[float] = [math.nan] * slots

    def sums(self, lines: Sequence[Sequence[float]]) -> list[list[float]]:
        """Return the sums of the leaves of each row of codes, one per member."""
        found: list[list[float]] = self._session.run(None, {"x": np.array(lines, "float32")})[
            0
        ].tolist()
        return found
