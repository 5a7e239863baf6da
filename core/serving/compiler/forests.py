"""Trees of four libraries in one form, over threshold intervals."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.serving.compiler import graph, splits
from core.serving.compiler.reading import NoPlan, kind, need
from core.serving.plans.format import Trees, packed


@dataclass
class Tree:
    """Nodes by number, the root first; a leaf has feature -1 and its value in `value`."""

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    missing_left: list[bool] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def add(self) -> int:
        """Add a leaf of value 0 and return its number."""
        self.feature.append(-1)
        self.threshold.append(0.0)
        self.left.append(0)
        self.right.append(0)
        self.missing_left.append(False)
        self.value.append(0.0)
        return len(self.feature) - 1

    def split(self, node: int, feature: int, threshold: float, *, missing_left: bool) -> None:
        """Turn a leaf into a split; its children are set by the caller."""
        self.feature[node], self.threshold[node] = feature, threshold
        self.missing_left[node] = missing_left


@dataclass
class Forest:
    """The trees of one member, what their sum starts from, and how the library compares."""

    trees: list[Tree]
    bias: float
    inclusive: bool = True
    narrow: bool = False
    absent: bool = False


def trees_of(models: list[Any], *, scattered: bool) -> Trees:
    """Return the trees of all members as one graph. Raises: NoPlan."""
    read = READERS.get(kind(models[0]))
    if read is None:
        raise NoPlan(f"{kind(models[0])} has no plan")
    members = [read(model) for model in models]
    used, thresholds = _intervals(members)
    rank = {
        (slot, edge): place
        for slot, edges in zip(used, thresholds, strict=True)
        for place, edge in enumerate(edges)
    }
    need(bool(used), "trees that ask nothing")
    places = {slot: place for place, slot in enumerate(used)}
    trees = [member.trees for member in members]
    small = splits.are_small(trees, [len(edges) for edges in thresholds])
    return Trees(
        used=used,
        thresholds=[packed(edges) for edges in thresholds],
        inclusive=members[0].inclusive,
        narrow=members[0].narrow,
        absent=scattered and members[0].absent,
        graph=(splits if small else graph).build(trees, places, rank),
        bias=[member.bias for member in members],
    )


def _intervals(members: list[Forest]) -> tuple[list[int], list[list[float]]]:
    edges: dict[int, set[float]] = {}
    for member in members:
        for tree in member.trees:
            for slot, edge in zip(tree.feature, tree.threshold, strict=True):
                if slot >= 0:
                    edges.setdefault(slot, set()).add(edge)
    used = sorted(edges)
    return used, [sorted(edges[slot]) for slot in used]


def _forest(model: Any) -> Forest:  # noqa: ANN401
    """Scikit-learn compares float32 inputs with float64 thresholds; a leaf votes its share."""
    count = len(model.estimators_)
    trees = []
    for estimator in model.estimators_:
        own, tree = estimator.tree_, Tree()
        shares = own.value[:, 0, :]
        votes = (shares[:, 1] / shares.sum(axis=1) / count).tolist()
        missing = getattr(own, "missing_go_to_left", np.zeros(own.node_count)).tolist()
        for node in range(own.node_count):
            tree.add()
            if own.children_left[node] == -1:
                tree.value[node] = votes[node]
                continue
            edge = float(own.threshold[node])
            tree.split(node, int(own.feature[node]), edge, missing_left=bool(missing[node]))
            tree.left[node] = int(own.children_left[node])
            tree.right[node] = int(own.children_right[node])
        trees.append(tree)
    return Forest(trees, 0.0, narrow=True)


def _histogram(model: Any) -> Forest:  # noqa: ANN401
    """Scikit-learn's histogram boosting compares in float64 and sums to log-odds."""
    need(model.is_categorical_ is None, "native categories")
    trees = []
    for (predictor,) in model._predictors:
        tree = Tree()
        for node in predictor.nodes:
            number = tree.add()
            if node["is_leaf"]:
                tree.value[number] = float(node["value"])
                continue
            edge, slot = float(node["num_threshold"]), int(node["feature_idx"])
            tree.split(number, slot, edge, missing_left=bool(node["missing_go_to_left"]))
            tree.left[number], tree.right[number] = int(node["left"]), int(node["right"])
        trees.append(tree)
    return Forest(trees, float(np.ravel(model._baseline_prediction)[0]))


def _lightgbm(model: Any) -> Forest:  # noqa: ANN401
    """LightGBM compares in float64 and sums to log-odds."""
    dumped = model.booster.dump_model()
    return Forest([_nested(one["tree_structure"], _light_node) for one in dumped["tree_info"]], 0.0)


def _light_node(node: dict[str, Any]) -> tuple[int, float, bool, Any, Any] | float:
    if "leaf_value" in node:
        return float(node["leaf_value"])
    need(node["decision_type"] == "<=", "native categories")
    need(node["missing_type"] in ("None", "NaN"), "zero as missing")
    left = node["missing_type"] == "NaN" and bool(node["default_left"])
    edge = float(node["threshold"])
    return int(node["split_feature"]), edge, left, node["left_child"], node["right_child"]


def _xgboost(model: Any) -> Forest:  # noqa: ANN401
    """XGBoost compares float32 with float32, strictly; its base score is a probability.

    What a sparse row does not hold is missing to it, not zero.
    """
    config = json.loads(model.booster.save_config())
    share = float(str(config["learner"]["learner_model_param"]["base_score"]).strip("[]"))
    dumped = model.booster.get_dump(dump_format="json")
    trees = [_nested(json.loads(text), _extreme_node) for text in dumped]
    bias = math.log(share / (1 - share))
    return Forest(trees, bias, inclusive=False, narrow=True, absent=True)


def _extreme_node(node: dict[str, Any]) -> tuple[int, float, bool, Any, Any] | float:
    if "leaf" in node:
        return float(node["leaf"])
    children = {child["nodeid"]: child for child in node["children"]}
    slot = int(str(node["split"]).removeprefix("f"))
    edge = float(np.float32(node["split_condition"]))
    left, right = children[node["yes"]], children[node["no"]]
    return slot, edge, node["missing"] == node["yes"], left, right


def _nested(root: Any, read: Callable[[Any], Any]) -> Tree:  # noqa: ANN401
    """Flatten a tree of dictionaries, without recursion: trees may be deep."""
    tree = Tree()
    waiting = [(root, tree.add())]
    while waiting:
        node, number = waiting.pop()
        found = read(node)
        if isinstance(found, float):
            tree.value[number] = found
            continue
        slot, edge, missing_left, left, right = found
        tree.split(number, slot, edge, missing_left=missing_left)
        tree.left[number], tree.right[number] = tree.add(), tree.add()
        waiting += [(left, tree.left[number]), (right, tree.right[number])]
    return tree


READERS: dict[str, Callable[[Any], Forest]] = {
    "RandomForestClassifier": _forest,
    "HistGradientBoostingClassifier": _histogram,
    "LightGBM": _lightgbm,
    "XGBoost": _xgboost,
}
