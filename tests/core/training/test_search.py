import os
import signal

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline

from core import specs
from core.adapters.optuna_study import OptunaStudies
from core.datasets import generator, schema
from core.errors import InvalidInputError
from core.specs import Candidate, Range, Search
from core.training import evaluation, folds, pipelines, search, spaces
from core.training.executors import LocalExecutor
from core.training.search import Tools
from tests.conftest import settings_for
from tests.core.training.executing import SPEC

CANDIDATES = (
    Candidate(kind="logistic_regression", parameters={"C": 0.02}),
    Candidate(kind="complement_nb"),
)


class Quiet:
    """Progress for nobody, counted."""

    def __init__(self):
        self.done, self.more, self.lines, self.boards = 0, 0, [], []

    def expect(self, more):
        self.more += more

    def advance(self, note):
        self.done += 1

    def say(self, line):
        self.lines.append(line)

    def board(self, figures, *, last=False):
        self.boards.append(figures())

    def during(self, what):
        from contextlib import nullcontext

        return nullcontext()

    def step(self, what):
        self.done += 1
        return self.during(what)


@pytest.fixture(scope="module")
def train():
    found = [(m.text, m.label) for m in generator.messages(300, seed=3)]
    return schema.conform(pd.DataFrame(found, columns=["message", "label"]), SPEC)


@pytest.fixture
def database_url(tmp_path):
    return f"sqlite:///{tmp_path}/unused.db"


def with_search(**given):
    return SPEC.model_copy(update={"search": Search(**given)})


def run(train, settings, *, name="r1", executor=None, candidates=CANDIDATES, spec=None):
    quiet = Quiet()
    tools = Tools(executor or LocalExecutor(1), OptunaStudies(settings))
    spec = spec or with_search(trials=6)
    return search.search(train, spec, candidates, quiet, tools, name=name), quiet


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory):
    """What the search finds that nothing disturbs, and its progress."""
    home = tmp_path_factory.mktemp("whole")
    return run(train, settings_for(f"sqlite:///{home}/unused.db", home))


def same(one, other):
    return one.study["trials"] == other.study["trials"]


def test_fold_scores_equal_those_of_pipelines_fitted_one_by_one(train, settings):
    found, _ = run(train, settings, spec=SPEC)
    fold_of = evaluation.folds(train, SPEC)
    for scored in found.board:
        for fold in range(SPEC.folds):
            learn, check = train[fold_of != fold], train[fold_of == fold]
            model = pipelines.model(scored.candidate, SPEC)
            pipeline = make_pipeline(pipelines.features(SPEC), clone(model))
            pipeline.fit(list(learn["message"]), learn["label"].to_numpy())
            said = pipeline.predict(list(check["message"])) == "spam"
            assert f1_score(check["label"] == "spam", said) == scored.folds["f1"][fold]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"min_df": 2, "ngram_range": (1, 2), "sublinear_tf": True},
        {"max_features": 40, "min_df": 1},
        {"max_df": 0.2, "norm": None},
    ],
)
def test_a_corpus_gives_the_vectorisers_matrices_to_the_last_bit(train, given):
    texts = [*train["message"], "", "  "]
    learn, check = np.arange(0, len(texts), 2), np.arange(1, len(texts), 2)
    vectoriser = TfidfVectorizer(**given)
    shared = folds.Corpus(vectoriser, texts).matrices(learn, check)
    own = vectoriser.fit_transform([texts[i] for i in learn])
    for ours, theirs in zip(
        shared, (own, vectoriser.transform([texts[i] for i in check])), strict=True
    ):
        assert ours.shape == theirs.shape
        for part in ("data", "indices", "indptr"):
            assert np.array_equal(getattr(ours, part), getattr(theirs, part))


def test_a_search_never_ends_worse_than_the_given_parameters(train, settings, whole):
    plain, _ = run(train, settings, spec=SPEC, name="plain")
    tuned, quiet = whole
    assert tuned.board[0].mean("f1") >= plain.board[0].mean("f1")
    assert {row.candidate.kind: row.trials for row in tuned.board} == {
        "logistic_regression": 7,
        "complement_nb": 7,
    }
    assert (quiet.done, quiet.more) == (3 + 2 * 3 + 2 * 6, 0)


def test_the_same_seed_gives_the_same_search_whatever_the_processes(train, settings, whole):
    one, _ = whole
    two, _ = run(train, settings, name="two", executor=LocalExecutor(2, worth_seconds=-1))
    assert same(one, two)
    assert np.array_equal(one.probability, two.probability)
    other, _ = run(
        train, settings, name="three", spec=with_search(trials=6).model_copy(update={"seed": 7})
    )
    assert not same(one, other)


class Killed(LocalExecutor):
    """Ends its whole process, as the kernel would, after some results."""

    def __init__(self, after):
        super().__init__(1)
        self.left = after

    def run(self, work, shared, tasks):
        for one in super().run(work, shared, tasks):
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
            yield one


@pytest.mark.processes
@pytest.mark.parametrize(
    "after",
    [pytest.param(4, marks=pytest.mark.extras), 9, pytest.param(24, marks=pytest.mark.extras)],
)
def test_a_killed_search_goes_on_with_its_trials_and_ends_like_one_that_was_not(
    train, settings, whole, after
):
    found, _ = whole
    child = os.fork()
    if child == 0:
        run(train, settings, name="killed", executor=Killed(after))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    known = [
        trial
        for place, one in enumerate(CANDIDATES)
        for trial in _study(settings, f"killed:{place}:{one.kind}").trials()
    ]
    assert any(trial.folds for trial in known)
    again, quiet = run(train, settings, name="killed")
    assert same(again, found)
    assert [row.mean("f1") for row in again.board] == [row.mean("f1") for row in found.board]
    assert np.array_equal(again.probability, found.probability)
    assert quiet.done == 3 + 2 * 3 + 2 * 6


def _study(settings, name):
    question = search.Question(name, {"C": Range(low=1, high=2)}, {}, 1, True, True)
    return OptunaStudies(settings).open(question)


def test_the_trials_end_when_the_time_is_over(train, settings):
    found, quiet = run(train, settings, spec=with_search(trials=1000, seconds=0.5))
    assert 0 < sum(row.trials for row in found.board) < 200
    assert quiet.done == 3 + 2 * 3 + 2 * 1000 + quiet.more
    assert any("the time for searching is over" in line for line in quiet.lines)


def test_hopeless_trials_are_pruned_unless_that_is_off(train, settings):
    wide = (
        Candidate(kind="logistic_regression", space={"C": Range(low=1e-4, high=1e3, log=True)}),
    )
    found, _ = run(train, settings, candidates=wide, spec=with_search(trials=12))
    states = [trial["state"] for trial in found.study["trials"]]
    assert "pruned" in states
    assert found.study["trials"][states.index("pruned")]["folds"] < SPEC.folds
    whole, _ = run(
        train, settings, name="r2", candidates=wide, spec=with_search(trials=12, pruning=False)
    )
    assert {trial["state"] for trial in whole.study["trials"]} == {"complete"}


def test_a_space_that_never_fits_is_one_sentence(train, settings, monkeypatch):
    def broken(candidate, spec):
        raise ValueError("C must be\npositive")

    monkeypatch.setattr(pipelines, "model", broken)
    with pytest.raises(InvalidInputError) as refusal:
        run(train, settings)
    assert str(refusal.value) == (
        "no candidate could be fitted with any of its parameters "
        "(logistic_regression: ValueError: C must be); "
        "change the candidates or where they are searched"
    )


def test_a_metric_where_less_is_better_is_searched_downwards(train, settings):
    spec = with_search(trials=4).model_copy(update={"selection_metric": "brier"})
    found, _ = run(train, settings, spec=spec)
    means = [row.mean("brier") for row in found.board]
    complete = [t["value"] for t in found.study["trials"] if t["state"] == "complete"]
    assert means == sorted(means)
    assert means[0] == min(complete)


def test_every_kind_has_a_space_within_its_bounds():
    for kind, space in spaces.DEFAULT.items():
        assert Candidate(kind=kind, space=space).space == space
    assert set(spaces.DEFAULT) == set(specs.candidates.PARAMETERS)
