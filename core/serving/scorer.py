"""One loaded version: inputs in, labels and probabilities out."""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Protocol

from msgspec import Struct

from core.clock import monotonic
from core.datasets.values import LARGEST, category
from core.errors import InvalidInputError
from core.serving import artifacts, plans
from core.serving.plans import Plan
from core.settings import Settings
from core.tables.entities import ModelVersion

Input = str | Mapping[str, float | str | None]
"""A message, or features by name; None is a missing value."""

_MAX_CATEGORY_CHARS = 200
_MAX_TEXT_CHARS = 20_000
_EVEN = 0.5
_SLOW_SECONDS = 0.005


class Score(Struct, frozen=True):
    """What a version says about one input."""

    label: str
    confidence: float  # the probability of `label`: under 0.5 where the threshold is not even
    probabilities: dict[str, float]
    probability: float  # of the positive class


class Scorer:
    """A version that is in memory and has answered once already.

    `slow` says that one answer takes so long that it should not be computed on an event loop.
    """

    def __init__(self, engine: "Engine", version: ModelVersion) -> None:
        signature = version.signature
        self.version = version.version
        self.artifact = version.artifact
        self.task: str = signature["task"]
        self.labels: list[str] = engine.labels
        self.positive: str = signature["positive"]
        self._first, self._second = engine.labels
        (self.negative,) = (label for label in self.labels if label != self.positive)
        self.threshold: float = _EVEN if version.threshold is None else version.threshold
        self.features: dict[str, str] = {
            feature["name"]: feature["type"] for feature in signature["input"].get("features") or ()
        }
        self.compiled = isinstance(engine, Compiled)
        self._engine = engine
        self.slow = self._warm() > _SLOW_SECONDS

    def at(self, threshold: float | None) -> "Scorer":
        """Return this version as it answers from another probability on; None: its own."""
        if threshold is None or threshold == self.threshold:
            return self
        other = copy(self)  # what computes stays one and the same
        other.threshold = threshold
        return other

    def score(self, inputs: Sequence[Input]) -> list[Score]:
        """Answer `inputs`, which `check` has let through; one probability per class each."""
        return [self._score(row) for row in self._engine.table(inputs)]

    def score_one(self, given: Input) -> Score:
        """Answer one input as `score` does."""
        return self._score(self._engine.row(given))

    def check(self, given: Input) -> Input:
        """Return features as this version reads them; one that is not given is missing.

        Raises: InvalidInputError (unknown name, wrong type, not a finite number).
        """
        if isinstance(given, str):
            return given
        if not given.keys() <= self.features.keys():
            known = ", ".join(list(self.features)[:30])
            raise InvalidInputError(f"there is an unknown feature; this model reads {known}")
        get = given.get
        return {
            name: value
            if type(value := get(name)) is float and kind == "numeric" and abs(value) <= LARGEST
            else _value(name, kind, value)
            for name, kind in self.features.items()
        }

    def _score(self, row: Sequence[float]) -> Score:
        first, second = row
        probabilities = {self._first: first, self._second: second}
        probability = probabilities[self.positive]
        label = self.positive if self._is_positive(probability) else self.negative
        return Score(label, probabilities[label], probabilities, probability)

    def _is_positive(self, probability: float) -> bool:
        """At the threshold itself the first label wins, as it did when the version was judged."""
        if probability == self.threshold:
            return self.labels[0] == self.positive
        return probability > self.threshold

    def _warm(self) -> float:
        """Answer an example a few times; the first call is slow. Returns seconds of the fastest."""
        example = self.check("hello" if self.task == "text" else {})
        times = []
        for _ in range(3):
            start = monotonic()
            self.score_one(example)
            times.append(monotonic() - start)
        return min(times)


class Engine(Protocol):
    """What computes: two labels, and for each input a probability per label, in their order."""

    labels: list[str]

    def row(self, given: Input) -> Sequence[float]:
        """Return the two probabilities of one input."""
        ...

    def table(self, inputs: Sequence[Input]) -> Sequence[Sequence[float]]:
        """Return one row of two probabilities per input."""
        ...


class Compiled:
    """A plan: plain data and a few additions, without scikit-learn."""

    def __init__(self, plan: Plan) -> None:
        self.labels = list(plan.classes)
        self._runner = plans.runner(plan)
        self._probability = self._runner.probability

    def row(self, given: Input) -> Sequence[float]:
        """Return the two probabilities of one input."""
        second = self._probability(given)
        return (1.0 - second, second)

    def table(self, inputs: Sequence[Input]) -> Sequence[Sequence[float]]:
        """Return one row of two probabilities per input."""
        return [(1.0 - second, second) for second in self._runner.probabilities(inputs)]


class Fitted:
    """A pipeline of scikit-learn's, for what cannot be compiled."""

    def __init__(self, pipeline: Any, signature: Mapping[str, Any]) -> None:  # noqa: ANN401
        self.labels = [str(label) for label in pipeline.classes_]
        features = signature["input"].get("features") or ()
        self._kinds = {feature["name"]: feature["type"] for feature in features}
        self._pipeline = pipeline

    def row(self, given: Input) -> Sequence[float]:
        """Return the two probabilities of one input."""
        return self.table([given])[0]

    def table(self, inputs: Sequence[Input]) -> Sequence[Sequence[float]]:
        """Return one row of two probabilities per input."""
        rows = self._frame(inputs) if self._kinds else list(inputs)
        found: list[list[float]] = self._pipeline.predict_proba(rows).tolist()
        return found

    def _frame(self, inputs: Sequence[Input]) -> Any:  # noqa: ANN401 (a DataFrame)
        import pandas as pd

        rows = [row for row in inputs if not isinstance(row, str)]
        return pd.DataFrame(
            {  # a missing category stays None, as in training; pandas alone would make it NaN
                name: pd.Series(
                    [row[name] for row in rows],
                    dtype="float64" if kind == "numeric" else "object",
                )
                for name, kind in self._kinds.items()
            }
        )


def load(settings: Settings, version: ModelVersion) -> Scorer:
    """Load and warm a version. Raises: PilothouseError (missing, damaged or foreign artifact)."""
    if version.plan is not None:
        plan = plans.decode(artifacts.load_plan(settings, version.plan))
        return Scorer(Compiled(plan), version)
    return Scorer(Fitted(artifacts.load(settings, version.artifact), version.signature), version)


def _value(name: str, kind: str, given: object) -> float | str | None:
    if kind == "text":
        return _text(name, given)
    if given is None:
        return None
    if kind == "numeric":
        return _number(name, given)
    if isinstance(given, bool | int | float) or _is_word(given):
        return category(given)
    raise InvalidInputError(f"{name} must be a text of at most {_MAX_CATEGORY_CHARS} characters")


def _text(name: str, given: object) -> str:
    if given is None:
        return ""
    if isinstance(given, str) and len(given) <= _MAX_TEXT_CHARS and "\x00" not in given:
        return given if given.strip() else ""
    raise InvalidInputError(
        f"{name} must be a text of at most {_MAX_TEXT_CHARS:,} characters, without NUL"
    )


def _is_word(given: object) -> bool:
    return isinstance(given, str) and len(given) <= _MAX_CATEGORY_CHARS and "\x00" not in given


def _number(name: str, given: object) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        try:
            number = float(given)
        except OverflowError:
            number = math.inf
        if abs(number) <= LARGEST:
            return number
    raise InvalidInputError(
        f"{name} must be a finite number of at most {LARGEST:g}, or null where it is missing"
    )
