"""What an explanation says, and the port for models that cannot be taken apart exactly."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import PilothouseError

Floats = NDArray[np.float64]


class InexactError(PilothouseError):
    """The model has no exact contributions; the message names the kind of model."""

    code = "inexact"


Game = Callable[[NDArray[np.bool_]], Floats]
"""The score for each row of a mask of shape (n, inputs): True where the input is known."""

Sampler = Callable[[Game, int], tuple[float, Floats]]
"""From a game and its number of inputs to (score with none known, contribution of each)."""


@dataclass(frozen=True, slots=True)
class Part:
    """One input and what it added to the score; below zero it speaks for the other label.

    `value` is what was given: a number or a category, None where it was missing; for a `word` of
    a text how often it occurs there, 0 where its absence counts.
    """

    name: str
    value: float | str | None
    contribution: float
    word: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why one input got its answer.

    `probability` is that of `positive`, the label that contributions above zero speak for;
    `score` is the same on `scale`, and equals base + contributions + rest. `rest` is what the
    `n_rest` inputs that are not shown add together.
    """

    label: str
    positive: str
    negative: str
    probability: float
    score: float
    base: float
    scale: str
    method: str
    parts: tuple[Part, ...]
    rest: float
    n_rest: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"parts": [asdict(part) for part in self.parts]}


@dataclass(frozen=True)
class Taken:
    """What a fitted model's columns added to its score, for some rows.

    `columns` is a sparse matrix of shape (rows, columns); `base` and `score` have shape (rows,).
    """

    columns: Any
    base: Floats
    score: Floats
    scale: str
    method: str
