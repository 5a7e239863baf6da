"""Trying the candidates, and searching their parameters: rounds that any executor can carry out.

Each round's trials are asked for before any of them is judged, so the course of a search depends
on the seed alone: not on how many processes there are, nor on whether it was interrupted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from core.clock import monotonic
from core.datasets import schema
from core.errors import InvalidInputError
from core.specs import Candidate, ModelSpec, Range
from core.specs.candidates import WHOLE
from core.training import deep_text, folds, pipelines, spaces, trying
from core.training.executors import Executor
from core.training.leaderboard import Board, Entry, Scored
from core.training.progress import Progress
from core.training.trying import Attempt, Rows, Unfit

AT_ONCE = 4  # trials of a candidate per round


@dataclass
class Trial:
    """One point of a search, as its study keeps it; `folds` holds the scores noted so far."""

    number: int
    parameters: dict[str, float]
    state: Literal["running", "complete", "pruned", "failed"] = "running"
    folds: dict[int, dict[str, float]] = field(default_factory=dict)


class Study(Protocol):
    """The search of one candidate's parameters; kept, so that another process can go on."""

    def trials(self) -> list[Trial]:
        """Return all trials by number; those that an earlier process left are `running`."""
        ...

    def ask(self) -> Trial:
        """Return the next trial. Trial 0 has the parameters that were given."""
        ...

    def note(self, number: int, fold: int, scores: dict[str, float]) -> None:
        """Keep the scores of one fold."""
        ...

    def hopeless(self, number: int, step: int, value: float) -> bool:
        """Say whether a trial with this mean after `step` folds is not worth more of them."""
        ...

    def tell(self, number: int, state: str, value: float | None = None) -> None:
        """End a trial as complete (with its value), pruned or failed."""
        ...


@dataclass(frozen=True)
class Question:
    """What a study searches: `first` are the given parameters, tried as trial 0."""

    name: str
    space: dict[str, Range]
    first: dict[str, float]
    seed: int
    maximise: bool
    pruning: bool


class Studies(Protocol):
    """Where studies are kept."""

    def open(self, question: Question) -> Study:
        """Return the study of this name, begun now or earlier. Raises: UnavailableError."""
        ...


@dataclass(frozen=True)
class Searched:
    """What a search found: the best of each candidate, best first, and the winner's answers.

    `probability` is that of the positive class for each training row, from a fit that had not
    seen it; `study` has the trials for plots.
    """

    board: list[Scored]
    truth: NDArray[np.bool_]
    probability: NDArray[np.float64]
    study: dict[str, Any]


@dataclass(frozen=True)
class Tools:
    """Where fits are carried out, and where trials are kept (None: nothing is searched)."""

    executor: Executor
    studies: Studies | None = None


def steps(spec: ModelSpec, candidates: Sequence[Candidate]) -> int:
    """Return how many steps `search` and `refit` report."""
    return spec.folds * (1 + len(candidates)) + spec.search.trials * len(candidates) + 2


def search(
    train: pd.DataFrame,
    spec: ModelSpec,
    candidates: Sequence[Candidate],
    progress: Progress,
    tools: Tools,
    *,
    name: str = "",
) -> Searched:
    """Try every candidate on every fold, then search as long as the spec allows.

    The seconds of the spec are counted from the start of this process; a fit that has begun is
    ended first. `name` names the studies.

    Raises: InvalidInputError (nothing could be fitted), UnavailableError (executor, studies).
    """
    prepared = _prepared(train, spec, progress)
    hunt = _Hunt(prepared, tuple(candidates), progress, tools, name)
    try:
        hunt.baseline()
        hunt.rounds()
        return hunt.result(len(train))
    finally:
        tools.executor.close()


def _prepared(train: pd.DataFrame, spec: ModelSpec, progress: Progress) -> Rows:
    found, parts = [], folds.split(train, spec)
    for number in range(spec.folds):
        with progress.step(f"fold {number + 1}/{spec.folds} features"):
            found.append(next(parts))
    texts = tuple(str(text) for text in train[spec.input.text]) if spec.input.text else ()
    return Rows(spec, tuple(found), texts)


class _Hunt:
    """One search under way."""

    def __init__(
        self,
        rows: Rows,
        candidates: tuple[Candidate, ...],
        progress: Progress,
        tools: Tools,
        name: str,
    ) -> None:
        self.rows, self.progress, self.tools = rows, progress, tools
        self.spec, self.board = rows.spec, Board(rows.spec, candidates)
        self.until = monotonic() + self.spec.search.seconds
        wanted = self.spec.search.trials > 0 and tools.studies is not None
        self.studies = {
            place: self._study(f"{name}:{place}:{candidate.kind}", candidate, place)
            for place, candidate in enumerate(candidates)
            if wanted
        }

    def _study(self, name: str, candidate: Candidate, place: int) -> Study:
        assert self.tools.studies is not None  # noqa: S101 (the caller asked)
        space = spaces.space(candidate)
        first = {
            key: v for key, v in candidate.parameters.items() if key in space and v is not None
        }
        seed = (self.spec.seed * 1_000_003 + place * 10_007) % 2**32
        question = Question(name, space, first, seed, self.board.maximise, self.spec.search.pruning)
        return self.tools.studies.open(question)

    def baseline(self) -> None:
        """Try the given parameters of every candidate, a fold at a time."""
        entries = [self._entry(place, 0) for place in range(len(self.board.candidates))]
        known = sum(len(entry.folds) for entry in entries)
        every = [
            (entry, (fold,))
            for fold in range(self.spec.folds)
            for entry in entries
            if entry.state == "running" and fold not in entry.folds
        ]
        for _ in range(known):
            self.progress.advance("taken over from an earlier attempt")
        self._try(every, loud=True)
        for entry in entries:
            self._end(entry)
        self.progress.board(self.board.live, last=True)

    def rounds(self) -> None:
        """Search in rounds until the trials or the seconds are used up."""
        last = self.spec.search.trials
        for begin in range(1, last + 1 if self.studies else 1, AT_ONCE):
            if monotonic() >= self.until:
                break
            numbers = range(begin, min(begin + AT_ONCE, last + 1))
            self._round(numbers)
        left = last * len(self.board.candidates) - sum(one.number > 0 for one in self.board.entries)
        if left:
            self.progress.expect(-left)
            if self.studies:
                self.progress.say(f"the time for searching is over; {left} trials were left out")

    def _round(self, numbers: Iterable[int]) -> None:
        numbers = list(numbers)
        entries = [self._entry(place, number) for place in self.studies for number in numbers]
        first = tuple(range(max(1, self.spec.folds // 2)))
        rest = tuple(range(len(first), self.spec.folds))
        running = [entry for entry in entries if entry.state == "running"]
        self._try([(entry, first) for entry in running])
        for entry in running:
            if entry.state == "running" and self._hopeless(entry, first):
                self._end(entry, "pruned")
        self._try([(entry, rest) for entry in running if entry.state == "running"])
        for entry in running:
            self._end(entry)
        self.board.forget()
        self.progress.board(self.board.live, last=True)

    def _hopeless(self, entry: Entry, group: tuple[int, ...]) -> bool:
        if not set(group) <= set(entry.folds):
            return False
        value = float(np.mean([entry.folds[fold][self.board.metric] for fold in group]))
        return self.studies[entry.place].hopeless(entry.number, len(group), value)

    def _entry(self, place: int, number: int) -> Entry:
        """Return a trial as an entry: the one that is known under this number, or a new one."""
        given = self.board.candidates[place]
        if place not in self.studies:
            return self.board.add(Entry(place, number, given))
        study = self.studies[place]
        known = study.trials()
        trial = known[number] if number < len(known) else study.ask()
        candidate = given if number == 0 else _with(given, trial.parameters)
        entry = Entry(place, number, candidate, trial.state, dict(trial.folds))
        if number and trial.state != "running":
            self.progress.advance(f"trial {number} of {given.kind} was done before")
        return self.board.add(entry)

    def _try(self, wanted: Sequence[tuple[Entry, tuple[int, ...]]], *, loud: bool = False) -> None:
        """Carry out groups of folds, each entry's missing ones, while there is time."""
        groups = [(e, tuple(fold for fold in group if fold not in e.folds)) for e, group in wanted]
        groups = [(entry, group) for entry, group in groups if group]
        tasks = [Attempt(entry.candidate, group) for entry, group in groups]
        done = 0
        with self.progress.during(f"{len(tasks)} fits of the candidates"):
            ended = self.tools.executor.run(trying.attempt, self.rows, tasks)
            for place, found in ended:
                self._take(groups[place][0], found, loud=loud)
                done += 1
                self.progress.board(self.board.live)
                if not loud and done < len(tasks) and monotonic() >= self.until:
                    return  # the rest is cancelled

    def _take(self, entry: Entry, found: list[trying.Checked] | Unfit, *, loud: bool) -> None:
        if isinstance(found, Unfit):
            entry.why = found.why
            if loud:
                self.progress.advance(f"{entry.candidate.kind} cannot be fitted")
            return
        for checked in found:
            entry.add(checked)
            if entry.place in self.studies:
                scores = entry.folds[checked.fold]
                self.studies[entry.place].note(entry.number, checked.fold, scores)
            if loud:
                self._tell_fold(entry, checked)

    def _tell_fold(self, entry: Entry, checked: trying.Checked) -> None:
        words = f"fold {checked.fold + 1}/{self.spec.folds} {entry.candidate.kind}"
        value = f"{self.board.metric} {checked.scores[self.board.metric]:.3f}"
        self.progress.advance(words)
        self.progress.say(f"{words} {value} in {checked.seconds:.1f} s")

    def _end(self, entry: Entry, state: Literal["pruned", "complete"] = "complete") -> None:
        """End an entry; one that lacks folds for want of time counts as pruned."""
        if entry.state != "running":
            return
        whole = len(entry.folds) == self.spec.folds
        entry.state = "failed" if entry.why else state if whole else "pruned"
        value = entry.mean(self.board.metric) if entry.folds else None
        if entry.place in self.studies:
            self.studies[entry.place].tell(entry.number, entry.state, value)
        if entry.number or entry.why:
            self._tell_end(entry, value)

    def _tell_end(self, entry: Entry, value: float | None) -> None:
        words = f"trial {entry.number} of {entry.candidate.kind}"
        shown = entry.why or f"{self.board.metric} {value or 0:.4f}"
        given = ", ".join(f"{k} {v:.4g}" for k, v in entry.candidate.parameters.items() if v)
        self.progress.say(f"{words} {entry.state}: {shown} ({given})")
        if entry.number:
            self.progress.advance(words)

    def result(self, n: int) -> Searched:
        """Return what was found. Raises: InvalidInputError (nothing)."""
        ranking = self.board.ranking()
        if not ranking:
            first = next((entry for entry in self.board.entries if entry.why), None)
            why = f"{first.candidate.kind}: {first.why}" if first else "none ended in time"
            raise InvalidInputError(
                f"no candidate could be fitted with any of its parameters ({why}); "
                "change the candidates or where they are searched"
            )
        self._answer_again(ranking[0])
        truth, probability = np.zeros(n, dtype=bool), np.zeros(n)
        for number, fold in enumerate(self.rows.folds):
            truth[fold.rows] = fold.truth
            probability[fold.rows] = ranking[0].probability[number]
        board = [self.board.scored(entry) for entry in ranking]
        return Searched(board, truth, probability, self.board.study() if self.studies else {})

    def _answer_again(self, entry: Entry) -> None:
        """Fit the winner's folds again where only their scores are known, from before a crash."""
        missing = [fold for fold in range(self.spec.folds) if fold not in entry.probability]
        tasks = [Attempt(entry.candidate, (fold,)) for fold in missing]
        with self.progress.during(f"the folds of {entry.candidate.kind}"):
            for _place, found in self.tools.executor.run(trying.attempt, self.rows, tasks):
                if isinstance(found, Unfit):
                    raise InvalidInputError(f"{entry.candidate.kind} cannot be fitted: {found.why}")
                for checked in found:
                    entry.probability[checked.fold] = checked.probability


def _with(candidate: Candidate, parameters: dict[str, float]) -> Candidate:
    """Return a candidate with the parameters of a trial; whole ones are whole."""
    tuned = {name: round(v) if name in WHOLE else v for name, v in parameters.items()}
    return candidate.model_copy(update={"parameters": {**candidate.parameters, **tuned}})


def refit(
    train: pd.DataFrame, spec: ModelSpec, candidate: Candidate, progress: Progress
) -> Pipeline:
    """Return the pipeline of a candidate, fitted on all training rows.

    Few rows get one thread: more would wait for each other.
    """
    if deep_text.reads_texts(candidate):
        with progress.step(f"refit {candidate.kind}"):
            texts, labels = train[spec.input.text], train[spec.target.column]
            return deep_text.fitted(candidate, spec, list(map(str, texts)), list(labels))
    with progress.step("refit features"):
        features = pipelines.features(spec)
        x = features.fit_transform(schema.inputs(train, spec))
    with progress.step(f"refit {candidate.kind}"):
        y = train[spec.target.column].to_numpy()
        with threadpool_limits(1):  # sums in one order: the same file on every run
            model = trying.fitted(pipelines.model(candidate, spec), x, y)
        return pipelines.assembled(features, model)
