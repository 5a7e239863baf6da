"""One attempt: fit a candidate on some folds and score it on the rows it has not seen."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from core.clock import monotonic
from core.errors import PilothouseError
from core.specs import Candidate, ModelSpec
from core.training import deep_text, evaluation, pipelines
from core.training.folds import Fold


@dataclass(frozen=True)
class Rows:
    """What every attempt of a training shares."""

    spec: ModelSpec
    folds: tuple[Fold, ...]
    texts: tuple[str, ...] = ()  # of a text task, for candidates that read them themselves


@dataclass(frozen=True)
class Attempt:
    """A candidate with its parameters, and the group of folds to try it on."""

    candidate: Candidate
    folds: tuple[int, ...]


@dataclass(frozen=True)
class Checked:
    """What came of one fold: a value per metric, the probabilities of its rows, and seconds."""

    fold: int
    scores: dict[str, float]
    probability: NDArray[np.float64]
    seconds: float


@dataclass(frozen=True)
class Unfit:
    """Why a candidate cannot be fitted with these parameters, in a few words."""

    why: str


def attempt(rows: Rows, task: Attempt) -> list[Checked] | Unfit:
    """Fit and score; the same numbers in any process on any machine with the same libraries."""
    try:
        return [_checked(rows, task.candidate, fold) for fold in task.folds]
    except PilothouseError:  # a sentence already, and about more than these parameters
        raise
    except Exception as fault:  # noqa: BLE001 (whatever a library says to parameters it cannot use)
        return Unfit(f"{type(fault).__name__}: {fault}".splitlines()[0][:300])


def _checked(rows: Rows, candidate: Candidate, number: int) -> Checked:
    fold, spec, started = rows.folds[number], rows.spec, monotonic()
    x, x_check = _read(rows, candidate, fold)
    model = fitted(pipelines.model(candidate, spec), x, fold.y)
    column = evaluation.positive_column(model.classes_, spec)
    probability = np.asarray(model.predict_proba(x_check)[:, column], dtype=float)
    if not np.isfinite(probability).all():
        raise ValueError("the probabilities are not finite numbers")
    said = evaluation.predicted(probability, spec)
    scores = evaluation.scores(fold.truth, probability, said)
    return Checked(number, scores, probability, monotonic() - started)


def _read(rows: Rows, candidate: Candidate, fold: Fold) -> tuple[Any, Any]:
    """Return what a candidate learns from and is checked with: features, or texts."""
    if not deep_text.reads_texts(candidate):
        return fold.x, fold.x_check
    check = set(fold.rows.tolist())
    learn = [text for place, text in enumerate(rows.texts) if place not in check]
    return learn, [rows.texts[place] for place in fold.rows]


def fitted(model: BaseEstimator, x: Any, y: NDArray[np.object_]) -> BaseEstimator:  # noqa: ANN401
    """Return a fitted copy of a model."""
    return clone(model).fit(x, y)
