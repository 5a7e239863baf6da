"""The optional candidate `deep_text`: a small neural network over hashed words and word pairs."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from core.errors import InvalidInputError
from core.serving.onnx_text import OnnxText
from core.specs import Candidate, ModelSpec
from core.specs.candidates import WHOLE

LEARNER = "core.adapters.torch_text"
"""The module that trains. By name: it lies above, and processes that only fit wire nothing."""


@dataclass(frozen=True)
class Task:
    """What is to be learnt: texts, their class numbers, how much each class counts, and how."""

    texts: Sequence[str]
    classes: NDArray[np.int64]
    weights: NDArray[np.float32]  # one per class
    seed: int
    device: str
    epochs: int
    embedding: int
    hidden: int
    learning_rate: float
    dropout: float


def require(device: str) -> None:
    """Raise `InvalidInputError` unless the optional packages and the device are here."""
    _learner().require(device)


def _learner() -> Any:  # noqa: ANN401 (a module)
    return importlib.import_module(LEARNER)


class DeepText(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn classifier of texts; once fitted it answers through ONNX, as it will serve.

    The result follows from the data, the parameters and the seed.
    """

    def __init__(
        self,
        *,
        epochs: int = 30,
        embedding: int = 32,
        hidden: int = 32,
        learning_rate: float = 0.01,
        dropout: float = 0.3,
        class_weight: str | None = None,
        device: str = "cpu",
        random_state: int = 0,
    ) -> None:
        self.epochs = epochs
        self.embedding = embedding
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state

    def fit(self, texts: Sequence[str], y: Sequence[str]) -> Self:
        """Learn from texts and their labels. Raises: InvalidInputError (packages, device)."""
        require(self.device)
        labels, classes = np.unique(np.asarray(y, dtype=str), return_inverse=True)
        if len(labels) < 2:
            raise InvalidInputError("deep_text needs examples of both classes.")
        task = Task(
            texts=[str(text) for text in texts],
            classes=classes.astype(np.int64),
            weights=self._weights(classes, len(labels)),
            seed=self.random_state,
            device=self.device,
            epochs=self.epochs,
            embedding=self.embedding,
            hidden=self.hidden,
            learning_rate=self.learning_rate,
            dropout=self.dropout,
        )
        graph = _learner().learn(task)
        self.served_ = OnnxText(graph, [str(label) for label in labels], self._shown())
        self.classes_ = self.served_.classes_
        return self

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return a row of probabilities per text, in the order of `classes_`."""
        return self.served_.predict_proba(list(texts))

    def predict(self, texts: Sequence[str]) -> NDArray[np.object_]:
        """Return the likeliest label per text."""
        return self.served_.predict(list(texts))

    def _weights(self, classes: NDArray[Any], n: int) -> NDArray[np.float32]:
        if self.class_weight != "balanced":
            return np.ones(n, dtype=np.float32)
        counts = np.bincount(classes, minlength=n)
        return (len(classes) / (n * counts)).astype(np.float32)

    def _shown(self) -> dict[str, Any]:
        return {name: value for name, value in self.get_params().items() if value is not None}


def model(candidate: Candidate, spec: ModelSpec) -> BaseEstimator:
    """Return the unfitted model of a candidate.

    Raises: InvalidInputError (the packages or the device are not here, or a calibration is asked).
    """
    if candidate.calibration != "none":
        raise InvalidInputError("deep_text is not calibrated afterwards; leave calibration out.")
    require(candidate.device)
    given: dict[str, Any] = {
        name: int(value) if name in WHOLE else value
        for name, value in candidate.parameters.items()
        if value is not None
    }
    weight = None if candidate.class_weight == "none" else candidate.class_weight
    return DeepText(**given, class_weight=weight, device=candidate.device, random_state=spec.seed)


def reads_texts(candidate: Candidate) -> bool:
    """Say whether a candidate reads the texts themselves rather than their features."""
    return candidate.kind == "deep_text"


def fitted(
    candidate: Candidate, spec: ModelSpec, texts: Sequence[str], y: Sequence[str]
) -> Pipeline:
    """Return the pipeline that serves: texts in, probabilities out, no part of the training."""
    made = model(candidate, spec).fit(texts, y)
    return Pipeline([("features", "passthrough"), ("model", made.served_)])
