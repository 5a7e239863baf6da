"""Trees give the same leaves by masks, by ONNX, and node by node."""

import math
import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings, strategies

from core.serving import plans
from core.serving.compiler import NoPlan, compile_pipeline, forests, graph, parity, splits
from core.serving.compiler.forests import Forest, Tree
from core.serving.plans import walks
from core.serving.plans.format import Splits
from tests.core.serving.test_compiler import FITS, NUMBERS, TABLE, fitted, numbers, table

EDGES = (-1.0, 0.0, 0.5, 2.0)
VALUES = (-5.0, -1.0, 0.0, 0.25, 0.5, 2.0, 7.0, math.nan)


def grown(draw, leaves, slots):
    """A tree of some shape with whole numbers in its leaves, which every sum holds exactly."""
    tree = Tree()
    tree.add()
    ends = [0]
    while len(ends) < leaves:
        node = ends.pop(draw.randrange(len(ends)))
        left = draw.random() < 0.5
        tree.split(node, draw.randrange(slots), draw.choice(EDGES), missing_left=left)
        tree.left[node], tree.right[node] = tree.add(), tree.add()
        ends += [tree.left[node], tree.right[node]]
    for node in ends:
        tree.value[node] = float(draw.randrange(100))
    return tree


def reached(tree, row):
    node = 0
    while (slot := tree.feature[node]) >= 0:
        value = row[slot]
        left = tree.missing_left[node] if value != value else value <= tree.threshold[node]
        node = (tree.left if left else tree.right)[node]
    return tree.value[node]


@settings(max_examples=40, deadline=None)
@given(seed=strategies.integers(0, 2**32 - 1), most=strategies.sampled_from([2, 7, 64]))
def test_both_walks_reach_the_leaves_that_a_walk_from_node_to_node_reaches(seed, most):
    draw = random.Random(seed)
    members = [[grown(draw, draw.randint(2, most), 3) for _ in range(draw.randint(1, 9))]
               for _ in range(draw.randint(1, 3))]  # fmt: skip
    used, edges = forests._intervals([Forest(trees, 0.0) for trees in members])
    rank = {(slot, edge): n for slot, own in zip(used, edges, strict=True)
            for n, edge in enumerate(own)}  # fmt: skip
    places, counts = {slot: place for place, slot in enumerate(used)}, [len(own) for own in edges]
    rows = [[draw.choice(VALUES) for _ in range(3)] for _ in range(20)]
    wanted = [[sum(reached(tree, row) for tree in trees) for trees in members] for row in rows]
    for way in (splits, graph):
        walk = walks.walk(way.build(members, places, rank), counts)
        lines = [
            [
                missing if row[slot] != row[slot] else start + sum(edge < row[slot] for edge in own)
                for slot, start, missing, own in zip(
                    used, walk.starts, walk.missing, edges, strict=True
                )
            ]
            for row in rows
        ]
        assert walk.sums(lines) == wanted


@pytest.mark.parametrize("kind", ["random_forest", "gradient_boosting", "xgboost", "lightgbm"])
def test_small_trees_are_walked_by_masks_and_larger_ones_by_onnx_alike(kind, monkeypatch):
    frame = table(np.random.default_rng(8))
    fit = {"parameters": {"n_estimators": 20, "max_depth": 5}} if "forest" in kind else FITS[kind]
    pipeline, sign, known = fitted(TABLE, frame, kind, **fit)
    small = compile_pipeline(pipeline, sign)
    monkeypatch.setattr(splits, "MOST_LEAVES", 1)
    large = plans.decode(plans.encode(compile_pipeline(pipeline, sign)))
    assert (type(small.head.graph), type(large.head.graph)) == (Splits, bytes)
    assert parity.check(pipeline, large, sign, known) <= parity.TOLERANCE


def test_masks_that_would_take_much_memory_are_not_made(monkeypatch):
    frame = numbers(np.random.default_rng(9))
    pipeline, sign, _known = fitted(NUMBERS, frame, "lightgbm", **FITS["lightgbm"])
    edges = [len(one) // 8 for one in compile_pipeline(pipeline, sign).head.thresholds]
    needed = walks.mask_bytes(20, edges)
    for bound, form in ((needed, Splits), (needed - 1, bytes)):
        monkeypatch.setattr(splits, "MOST_BYTES", bound)
        assert isinstance(compile_pipeline(pipeline, sign).head.graph, form)


def test_trees_of_one_leaf_each_have_no_plan():
    frame = table(np.random.default_rng(10))
    pipeline, sign, _known = fitted(
        TABLE, frame, "random_forest", parameters={"n_estimators": 2, "min_samples_leaf": 200}
    )
    with pytest.raises(NoPlan, match="trees that ask nothing"):
        compile_pipeline(pipeline, sign)


def test_splits_that_are_bent_show():
    frame = numbers(np.random.default_rng(11))
    pipeline, sign, known = fitted(NUMBERS, frame, "lightgbm", **FITS["lightgbm"])
    plan = compile_pipeline(pipeline, sign)
    rows = np.frombuffer(plan.head.graph.splits, "<i4").reshape(-1, 7).copy()
    rows[0, 1] += 1
    bent = msgspec.structs.replace(plan.head.graph, splits=rows.tobytes())
    plan = msgspec.structs.replace(plan, head=msgspec.structs.replace(plan.head, graph=bent))
    with pytest.raises(NoPlan, match="differs from the pipeline"):
        parity.check(pipeline, plan, sign, known)
