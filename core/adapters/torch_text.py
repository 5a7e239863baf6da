"""Trains the network of `deep_text` with PyTorch and exports it to ONNX.

The network is fastText's idea (Joulin et al. 2017, "Bag of Tricks for Efficient Text
Classification"): the mean of learnt vectors of hashed words and word pairs, and one hidden layer.
"""

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ConflictError, InvalidInputError
from core.serving.onnx_text import BUCKETS, OnnxText, padded, terms
from core.training.deep_text import Task

BATCH, PATIENCE, HELD_OUT = 64, 4, 0.1
DECAY = 1e-5
PARITY = 1e-5
OPSET, IR = 17, 8


def require(device: str) -> None:
    """Raise `InvalidInputError` unless PyTorch, ONNX and the device are here."""
    if not all(_installed(name) for name in ("torch", "onnx")):
        raise InvalidInputError(
            "deep_text needs packages that are not installed: `pip install -r "
            "requirements-gpu.txt`, or take another candidate."
        )
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise InvalidInputError("deep_text asks for cuda, but this machine has no such device.")


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # it was taken out of this process
        return False


@dataclass
class _Data:
    """Tokenised rows and which of them are kept out to know when to stop."""

    rows: list[list[int]]
    classes: NDArray[np.int64]
    learn: NDArray[np.intp]
    check: NDArray[np.intp]


def learn(task: Task) -> bytes:
    """Return the trained network as the bytes of an ONNX graph.

    Raises: ConflictError (the exported network answers otherwise than the trained one).
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the same sums in the same order, however many cores there are
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.seed)
            network = _trained(task)
            graph = export(network)
            _check_parity(network, graph, task)
    finally:
        torch.use_deterministic_algorithms(before)
        torch.set_num_threads(threads)
    return graph


def _split(task: Task) -> _Data:
    """Keep a tenth of each class out."""
    rng = np.random.default_rng(task.seed)
    check = np.zeros(len(task.classes), dtype=bool)
    for number in np.unique(task.classes):
        places = rng.permutation(np.flatnonzero(task.classes == number))
        check[places[: round(HELD_OUT * len(places))]] = True
    rows = [terms(text) for text in task.texts]
    return _Data(rows, task.classes, np.flatnonzero(~check), np.flatnonzero(check))


def _network(task: Task) -> Any:  # noqa: ANN401 (a torch module)
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vectors = nn.Embedding(BUCKETS + 1, task.embedding)
            nn.init.normal_(self.vectors.weight, std=0.1)
            self.first = nn.Linear(task.embedding, task.hidden)
            self.last = nn.Linear(task.hidden, len(task.weights))
            self.dropout = nn.Dropout(task.dropout)

        def forward(self, ids: Any, weights: Any) -> Any:  # noqa: ANN401 (tensors)
            mean = (self.vectors(ids) * weights.unsqueeze(2)).sum(dim=1)
            return self.last(self.dropout(torch.relu(self.first(self.dropout(mean)))))

    return Network().to(task.device)


def _trained(task: Task) -> Any:  # noqa: ANN401 (a torch module)
    """Train until the rows kept out have not been answered better for some rounds."""
    import torch

    data, network = _split(task), _network(task)
    optimiser = torch.optim.Adam(network.parameters(), lr=task.learning_rate, weight_decay=DECAY)
    loss = torch.nn.CrossEntropyLoss(torch.tensor(task.weights, device=task.device))
    rng = np.random.default_rng(task.seed)
    best, kept, bad = np.inf, _copy(network), 0
    for _epoch in range(task.epochs):
        network.train()
        places = rng.permutation(data.learn)
        for start in range(0, len(places), BATCH):
            optimiser.zero_grad()
            loss(*_answer(network, data, places[start : start + BATCH], task)).backward()
            optimiser.step()
        now = _judge(network, loss, data, task)
        if now < best:
            best, kept, bad = now, _copy(network), 0
        elif (bad := bad + 1) >= PATIENCE:
            break
    network.load_state_dict(kept)
    return network.to("cpu").eval()


def _answer(network: Any, data: _Data, places: NDArray[np.intp], task: Task) -> tuple[Any, Any]:  # noqa: ANN401
    import torch

    ids, weights = padded([data.rows[place] for place in places])
    given = (torch.from_numpy(ids), torch.from_numpy(weights))
    said = network(*(tensor.to(task.device) for tensor in given))
    return said, torch.from_numpy(data.classes[places]).to(task.device)


def _judge(network: Any, loss: Any, data: _Data, task: Task) -> float:  # noqa: ANN401
    import torch

    network.eval()
    places = data.check if len(data.check) else data.learn
    with torch.no_grad():
        return float(loss(*_answer(network, data, places, task)))


def _copy(network: Any) -> dict[str, Any]:  # noqa: ANN401 (a torch module)
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def export(network: Any) -> bytes:  # noqa: ANN401 (a torch module)
    """Return a trained network as an ONNX graph; the same weights make the same bytes."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = {n: t.detach().cpu().numpy() for n, t in network.state_dict().items()}
    constants = [numpy_helper.from_array(value, name) for name, value in sorted(weights.items())]
    constants.append(numpy_helper.from_array(np.array([2], dtype=np.int64), "last_axis"))
    constants.append(numpy_helper.from_array(np.array([1], dtype=np.int64), "terms_axis"))
    nodes = [
        helper.make_node("Gather", ["vectors.weight", "ids"], ["vectors"]),
        helper.make_node("Unsqueeze", ["weights", "last_axis"], ["shares"]),
        helper.make_node("Mul", ["vectors", "shares"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "terms_axis"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "first.weight", "first.bias"], ["inner"], transB=1),
        helper.make_node("Relu", ["inner"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "last.weight", "last.bias"], ["scores"], transB=1),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    reads = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["rows", "terms"]),
        helper.make_tensor_value_info("weights", TensorProto.FLOAT, ["rows", "terms"]),
    ]
    says = [
        helper.make_tensor_value_info(
            "probabilities", TensorProto.FLOAT, ["rows", len(weights["last.bias"])]
        )
    ]
    graph = helper.make_graph(nodes, "deep_text", reads, says, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    onnx.checker.check_model(made)
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def _check_parity(network: Any, graph: bytes, task: Task) -> None:  # noqa: ANN401
    """Compare both on texts of the training and on strange ones, the empty text among them."""
    texts = [*task.texts[:500], "", "?", "\u0000\u00e9 \U0001f600", "x " * 2_000]
    apart = difference(
        network, OnnxText(graph, [str(n) for n in range(len(task.weights))], {}), texts
    )
    if apart > PARITY:
        raise ConflictError(f"the exported network is off by {apart:.1e}; it is not kept")


def difference(network: Any, served: OnnxText, texts: list[str]) -> float:  # noqa: ANN401
    """Return the largest difference of a probability between both over the texts."""
    import torch

    ids, weights = padded([terms(text) for text in texts])
    with torch.no_grad():
        scores = network(torch.from_numpy(ids), torch.from_numpy(weights))
        own = torch.softmax(scores.double(), dim=1).numpy()
    return float(np.abs(own - served.predict_proba(texts)).max())
