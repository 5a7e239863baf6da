"""Trying the candidates: the same folds and the same features for all, progress after each fit."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from core import jobs
from core.clock import monotonic
from core.datasets import schema
from core.db import Database
from core.errors import PilothouseError
from core.jobs import Claim
from core.specs import Candidate, ModelSpec
from core.training import evaluation, pipelines

TICK_SECONDS = 1.0
FEW_ROWS = 20_000  # below this, starting threads costs more than they save


class Progress:
    """Tells the job how far it is, and keeps telling while one step takes long."""

    def __init__(self, db: Database, claim: Claim, total: int) -> None:
        self._db, self._claim, self._total = db, claim, total
        self._done = 0

    def say(self, line: str) -> None:
        """Add a line to the job's log; a database that is away does not stop a training."""
        try:
            jobs.say(self._db, self._claim.job_id, line)
        except PilothouseError:
            return

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Count one step, with the seconds so far while it lasts."""
        stop, started = threading.Event(), monotonic()
        self._tell(what)
        ticker = threading.Thread(target=self._tick, args=(what, started, stop), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            stop.set()
            ticker.join()
        self._done += 1
        self._tell(what)

    def _tick(self, what: str, started: float, stop: threading.Event) -> None:
        while not stop.wait(TICK_SECONDS):
            self._tell(f"{what}, {monotonic() - started:.0f} s")

    def _tell(self, note: str) -> None:
        try:
            jobs.progress(self._db, self._claim, done=self._done, total=self._total, note=note)
        except PilothouseError:  # progress is a courtesy: the training goes on without it
            return


@dataclass(frozen=True)
class Scored:
    """One candidate's scores per fold (metric → one value per fold) and its seconds in all."""

    candidate: Candidate
    folds: dict[str, list[float]]
    seconds: float

    def mean(self, metric: str) -> float:
        """The mean over the folds."""
        return float(np.mean(self.folds[metric]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: a row of the leaderboard."""
        return {
            "kind": self.candidate.kind,
            "parameters": self.candidate.parameters,
            "seconds": round(self.seconds, 3),
            "mean": {metric: float(np.mean(values)) for metric, values in self.folds.items()},
            "sd": {metric: float(np.std(values)) for metric, values in self.folds.items()},
            "folds": self.folds,
        }


def steps(spec: ModelSpec, candidates: Sequence[Candidate]) -> int:
    """Return how many steps `cross_validate` and `refit` report."""
    return spec.folds * (1 + len(candidates)) + 2


def cross_validate(
    train: pd.DataFrame, spec: ModelSpec, candidates: Sequence[Candidate], progress: Progress
) -> list[Scored]:
    """Return the candidates with their scores, best mean `selection_metric` first."""
    fold_of = evaluation.folds(train, spec)
    found: list[list[dict[str, float]]] = [[] for _ in candidates]
    for fold in range(spec.folds):
        within = f"fold {fold + 1}/{spec.folds}"
        learn = train[fold_of != fold].reset_index(drop=True)
        check = train[fold_of == fold].reset_index(drop=True)
        with progress.step(f"{within} features"):
            features = pipelines.features(spec)
            x = features.fit_transform(schema.inputs(learn, spec))
            x_check = features.transform(schema.inputs(check, spec))
        y, truth = learn[spec.target.column].to_numpy(), _positive(check, spec)
        for place, candidate in enumerate(candidates):
            started = monotonic()
            with progress.step(f"{within} {candidate.kind}"):
                model = fitted(pipelines.model(candidate, spec), x, y)
                scores = _scores(model, x_check, truth, spec)
            seconds = monotonic() - started
            found[place].append({**scores, "seconds": seconds})
            value = f"{spec.selection_metric} {scores[spec.selection_metric]:.3f}"
            progress.say(f"{within} {candidate.kind} {value} in {seconds:.1f} s")
    scored = [_scored(*pair) for pair in zip(candidates, found, strict=True)]
    return sorted(scored, key=lambda one: -one.mean(spec.selection_metric))


def _scored(candidate: Candidate, rows: list[dict[str, float]]) -> Scored:
    metrics = [name for name in rows[0] if name != "seconds"]
    folds = {name: [row[name] for row in rows] for name in metrics}
    return Scored(candidate, folds, sum(row["seconds"] for row in rows))


def refit(
    train: pd.DataFrame, spec: ModelSpec, candidate: Candidate, progress: Progress
) -> Pipeline:
    """Return the pipeline of a candidate, fitted on all training rows."""
    with progress.step("refit features"):
        features = pipelines.features(spec)
        x = features.fit_transform(schema.inputs(train, spec))
    with progress.step(f"refit {candidate.kind}"):
        y = train[spec.target.column].to_numpy()
        return pipelines.assembled(features, fitted(pipelines.model(candidate, spec), x, y))


def fitted(model: BaseEstimator, x: Any, y: NDArray[np.object_]) -> BaseEstimator:  # noqa: ANN401
    """Return a fitted copy of a model. Few rows get one thread: more would wait for each other."""
    with threadpool_limits(1 if len(y) < FEW_ROWS else None):
        return clone(model).fit(x, y)


def _positive(frame: pd.DataFrame, spec: ModelSpec) -> NDArray[np.bool_]:
    return np.asarray(frame[spec.target.column] == spec.positive, dtype=bool)


def _scores(
    model: BaseEstimator,
    x: Any,  # noqa: ANN401 (a sparse or dense matrix)
    truth: NDArray[np.bool_],
    spec: ModelSpec,
) -> dict[str, float]:
    column = evaluation.positive_column(model.classes_, spec)
    with threadpool_limits(1 if len(truth) < FEW_ROWS else None):
        probability = model.predict_proba(x)[:, column]
    said = evaluation.predicted(probability, spec)
    return {
        "f1": float(f1_score(truth, said, zero_division=0)),
        "accuracy": float((truth == said).mean()),
        "roc_auc": float(roc_auc_score(truth, probability)),
    }
