"""An ONNX graph of one node: trees whose inputs are interval numbers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.serving.compiler.forests import Tree

OPSET, ML_OPSET, IR = 17, 3, 8  # what any ONNX Runtime of the last years reads


def build(
    members: "list[list[Tree]]", places: Mapping[int, int], rank: Mapping[tuple[int, float], int]
) -> bytes:
    """Return the graph ``x (rows, places) → sums (rows, members)``, in float32."""
    from onnx import TensorProto, helper

    attributes: dict[str, Any] = dict(_attributes(members, places, rank))
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["sums"],
        domain="ai.onnx.ml",
        n_targets=len(members),
        aggregate_function="SUM",
        post_transform="NONE",
        **attributes,
    )
    width = max(1, len(places))
    inside = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, width])
    outside = helper.make_tensor_value_info("sums", TensorProto.FLOAT, [None, len(members)])
    model = helper.make_model(
        helper.make_graph([node], "trees", [inside], [outside]),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        ir_version=IR,
    )
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _attributes(
    members: "list[list[Tree]]", places: Mapping[int, int], rank: Mapping[tuple[int, float], int]
) -> dict[str, list[Any]]:
    nodes: dict[str, list[Any]] = {
        f"nodes_{name}": []
        for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids")
    }
    nodes |= {"nodes_falsenodeids": [], "nodes_missing_value_tracks_true": []}
    nodes |= {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    number = 0
    for member, trees in enumerate(members):
        for tree in trees:
            _add(nodes, tree, number, member, places, rank)
            number += 1
    return nodes


def _add(
    nodes: dict[str, list[Any]],
    tree: "Tree",
    number: int,
    member: int,
    places: Mapping[int, int],
    rank: Mapping[tuple[int, float], int],
) -> None:
    for node, slot in enumerate(tree.feature):
        leaf = slot < 0
        nodes["nodes_treeids"].append(number)
        nodes["nodes_nodeids"].append(node)
        nodes["nodes_featureids"].append(0 if leaf else places[slot])
        nodes["nodes_modes"].append("LEAF" if leaf else "BRANCH_LEQ")
        nodes["nodes_values"].append(0.0 if leaf else float(rank[slot, tree.threshold[node]]))
        nodes["nodes_truenodeids"].append(tree.left[node])
        nodes["nodes_falsenodeids"].append(tree.right[node])
        nodes["nodes_missing_value_tracks_true"].append(int(tree.missing_left[node]))
        if leaf:
            nodes["target_treeids"].append(number)
            nodes["target_nodeids"].append(node)
            nodes["target_ids"].append(member)
            nodes["target_weights"].append(tree.value[node])
