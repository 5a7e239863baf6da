"""A small neural text classifier as it serves: hashed words in, probabilities out, by ONNX.

Nothing here knows the library that trained it. The tokeniser is the one that the training used.
"""

import re
import unicodedata
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

BUCKETS = 1 << 14
MOST_TERMS = 400
CHUNK = 256
_TOKEN = re.compile(r"\w+|[£$€!?]")
_DIGITS = re.compile(r"\d")


def terms(text: str) -> list[int]:
    """Return the buckets of a text's words, digit shapes and word pairs, at most `MOST_TERMS`.

    A bucket is the CRC-32 of the spelling, so it is the same in every process.

    >>> terms("Call 0800") == terms("call  0800"), len(terms("call me"))
    (True, 3)
    """
    plain = unicodedata.normalize("NFKC", text[:20_000]).lower()
    words = _TOKEN.findall(plain)[:MOST_TERMS]
    shapes = [_DIGITS.sub("0", word) for word in words if _DIGITS.search(word)]
    pairs = [f"{one} {other}" for one, other in pairwise(words)]
    every = (words + [f"#{shape}" for shape in shapes] + pairs)[:MOST_TERMS]
    return [zlib.crc32(one.encode("utf-8", "replace")) % BUCKETS + 1 for one in every]


def padded(rows: Sequence[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return ids (rows x longest, 0 where there is none) and weights that sum to 1 a row."""
    longest = max([1, *(len(row) for row in rows)])
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    weights = np.zeros((len(rows), longest), dtype=np.float32)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = row
        weights[place, : len(row)] = 1.0 / max(1, len(row))
    return ids, weights


class OnnxText(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted text classifier: plain data and the bytes of an ONNX graph.

    The graph reads `ids` and `weights` of `padded` and answers with `probabilities`, one column
    per class of `classes_`.
    """

    def __init__(self, graph: bytes, classes: Sequence[str], parameters: dict[str, Any]) -> None:
        self.graph = graph
        self.labels = [str(label) for label in classes]
        self.parameters = parameters
        self._session: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"graph": self.graph, "labels": self.labels, "parameters": self.parameters}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["graph"], state["labels"], state["parameters"])  # type: ignore[misc]

    @property
    def classes_(self) -> NDArray[np.object_]:
        """The labels, in the order of the columns of `predict_proba`."""
        return np.array(self.labels, dtype=object)

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return a row of probabilities per text; they sum to 1."""
        parts = [self._run(texts[i : i + CHUNK]) for i in range(0, len(texts), CHUNK)]
        empty = np.zeros((0, len(self.labels)), dtype=np.float32)
        found = np.concatenate([empty, *parts]).astype(np.float64)
        sums: NDArray[np.float64] = found.sum(axis=1, keepdims=True)
        return found / np.where(sums == 0, 1, sums)

    def predict(self, texts: Sequence[str]) -> NDArray[np.object_]:
        """Return the likeliest label per text."""
        found: NDArray[np.object_] = self.classes_[self.predict_proba(texts).argmax(axis=1)]
        return found

    def fit(self, *_data: object) -> "OnnxText":
        """Refuse: this is the result of a training."""
        raise TypeError("a model that serves is not trained; train a deep_text candidate")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the training, as scikit-learn's models do."""
        return dict(self.parameters)

    def __sklearn_is_fitted__(self) -> bool:
        """Say that it can answer."""
        return True

    def _run(self, texts: Sequence[str]) -> NDArray[np.float32]:
        ids, weights = padded([terms(text) for text in texts])
        given = {"ids": ids, "weights": weights}
        (found,) = self._opened().run(["probabilities"], given)
        answer: NDArray[np.float32] = found
        return answer

    def _opened(self) -> Any:  # noqa: ANN401 (a session of onnxruntime)
        if self._session is None:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                self.graph, options, providers=["CPUExecutionProvider"]
            )
        return self._session
