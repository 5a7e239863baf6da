"""Small trees split by split, for a walk by masks of bits."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.serving.plans.format import Splits, packed
from core.serving.plans.walks import MOST_BYTES, MOST_LEAVES, mask_bytes

if TYPE_CHECKING:
    from core.serving.compiler.forests import Tree


def are_small(members: "Sequence[Sequence[Tree]]", thresholds: Sequence[int]) -> bool:
    """Say whether masks suffice; `thresholds` is how many each slot has."""
    trees = [tree for member in members for tree in member]
    leaves = max(sum(slot < 0 for slot in tree.feature) for tree in trees)
    return leaves <= MOST_LEAVES and mask_bytes(len(trees), thresholds) <= MOST_BYTES


def build(
    members: "Sequence[Sequence[Tree]]",
    places: Mapping[int, int],
    rank: Mapping[tuple[int, float], int],
) -> Splits:
    """Return the splits of all trees."""
    splits: list[tuple[int, ...]] = []
    leaves: list[float] = []
    sizes: list[int] = []
    for tree in (tree for member in members for tree in member):
        values, spans = _numbered(tree)
        for node, span in spans.items():
            slot = tree.feature[node]
            place, below = places[slot], rank[slot, tree.threshold[node]]
            splits.append((place, below, len(sizes), *span, tree.missing_left[node]))
        leaves += values
        sizes.append(len(values))
    return Splits(
        splits=np.array(splits, "<i4").tobytes(),
        leaves=packed(leaves),
        sizes=sizes,
        members=[len(trees) for trees in members],
    )


def _numbered(tree: "Tree") -> tuple[list[float], dict[int, list[int]]]:
    """Return the leaves from left to right, and where those of each split begin, part and end."""
    leaves: list[float] = []
    spans: dict[int, list[int]] = {}
    waiting = [0]
    while waiting:
        node = waiting.pop()
        if tree.feature[node] < 0:
            leaves.append(tree.value[node])
            continue
        span = spans.setdefault(node, [])
        span.append(len(leaves))
        if len(span) < 3:  # it comes again behind its left side, and behind its right one
            waiting += [node, (tree.left, tree.right)[len(span) - 1][node]]
    return leaves, spans
