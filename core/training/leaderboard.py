"""What was tried so far: one entry per candidate and trial, and the ranking of the best."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.specs import Candidate, ModelSpec
from core.training import evaluation
from core.training.trying import Checked

State = Literal["running", "complete", "pruned", "failed"]


@dataclass
class Entry:
    """One candidate with one set of parameters; trial 0 has the parameters that were given."""

    place: int
    number: int
    candidate: Candidate
    state: State = "running"
    folds: dict[int, dict[str, float]] = field(default_factory=dict)
    probability: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    why: str = ""

    def add(self, checked: Checked) -> None:
        """Take in one fold."""
        self.folds[checked.fold] = {**checked.scores, "seconds": checked.seconds}
        self.probability[checked.fold] = checked.probability

    def mean(self, metric: str) -> float:
        """The mean over the folds that were tried."""
        return float(np.mean([self.folds[fold][metric] for fold in sorted(self.folds)]))

    def to_dict(self, metric: str) -> dict[str, Any]:
        """Plain values for the plots of a search."""
        return {
            "candidate": self.candidate.kind,
            "place": self.place,
            "trial": self.number,
            "state": self.state,
            "value": self.mean(metric) if self.folds else None,
            "folds": len(self.folds),
            "parameters": self.candidate.parameters,
            **({"why": self.why} if self.why else {}),
        }


@dataclass(frozen=True)
class Scored:
    """One candidate's scores per fold (metric → one value per fold) and its seconds in all."""

    candidate: Candidate
    folds: dict[str, list[float]]
    seconds: float
    trials: int = 1

    def mean(self, metric: str) -> float:
        """The mean over the folds."""
        return float(np.mean(self.folds[metric]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON: a row of the leaderboard."""
        return {
            "kind": self.candidate.kind,
            "parameters": self.candidate.parameters,
            "trials": self.trials,
            "seconds": round(self.seconds, 3),
            "mean": {metric: float(np.mean(values)) for metric, values in self.folds.items()},
            "sd": {metric: float(np.std(values)) for metric, values in self.folds.items()},
            "folds": self.folds,
        }


class Board:
    """All entries of a training, in the order in which they were begun."""

    def __init__(self, spec: ModelSpec, candidates: tuple[Candidate, ...]) -> None:
        self.spec, self.candidates = spec, candidates
        self.entries: list[Entry] = []

    @property
    def metric(self) -> str:
        """What ranks the entries."""
        return self.spec.selection_metric

    @property
    def maximise(self) -> bool:
        """Whether larger values of the metric are better."""
        return evaluation.better(self.spec.selection_metric) == 1

    def add(self, entry: Entry) -> Entry:
        """Begin an entry."""
        self.entries.append(entry)
        return entry

    def better(self, value: float) -> float:
        """Return a number that is larger the better a value of the metric is."""
        return evaluation.better(self.spec.selection_metric) * value

    def own(self, place: int) -> list[Entry]:
        """Return the entries of one candidate."""
        return [entry for entry in self.entries if entry.place == place]

    def best_of(self, place: int) -> Entry | None:
        """Return the best complete entry of a candidate; of equals the earliest."""
        done = [entry for entry in self.own(place) if entry.state == "complete"]
        return max(done, key=lambda entry: self.better(entry.mean(self.metric)), default=None)

    def forget(self) -> None:
        """Drop the probabilities of entries that are not the best of their candidate."""
        for place in range(len(self.candidates)):
            best = self.best_of(place)
            for entry in self.own(place):
                if entry.state != "running" and entry is not best:
                    entry.probability.clear()

    def ranking(self) -> list[Entry]:
        """Return the best entry of each candidate, best first."""
        best = [found for place in range(len(self.candidates)) if (found := self.best_of(place))]
        return sorted(best, key=lambda entry: -self.better(entry.mean(self.metric)))

    def scored(self, entry: Entry) -> Scored:
        """Return an entry as a row of the leaderboard; the seconds are those of all its trials."""
        rows = [entry.folds[fold] for fold in sorted(entry.folds)]
        names = [name for name in rows[0] if name != "seconds"]
        own = self.own(entry.place)
        seconds = sum(fold["seconds"] for one in own for fold in one.folds.values())
        folds = {name: [row[name] for row in rows] for name in names}
        return Scored(entry.candidate, folds, seconds, len(own))

    def study(self) -> dict[str, Any]:
        """Return the trials of a search for its plots, ready for JSON."""
        trials = [entry.to_dict(self.metric) for entry in self.entries]
        return {"metric": self.metric, "maximise": self.maximise, "trials": trials}

    def live(self) -> dict[str, Any]:
        """Return the figures so far: a row per candidate, best first, and the trials."""
        rows = [self._row(place) for place in range(len(self.candidates))]
        rows.sort(key=lambda row: -self.better(row["mean"]) if row["mean"] is not None else np.inf)
        return {**self.study(), "of": self.spec.folds, "rows": rows}

    def _row(self, place: int) -> dict[str, Any]:
        own = self.own(place)
        shown = self.best_of(place) or next((one for one in own if one.folds), None)
        return {
            "candidate": self.candidates[place].kind,
            "mean": shown.mean(self.metric) if shown else None,
            "folds": len(shown.folds) if shown else 0,
            "trials": sum(one.state != "running" for one in own),
            "parameters": (shown.candidate if shown else self.candidates[place]).parameters,
        }
