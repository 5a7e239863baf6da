"""What any executor has to do, and small work for it; imported by other processes too."""

import os
import time

import numpy as np
import pandas as pd
import pytest

from core import specs
from core.datasets import generator, schema
from core.errors import InvalidInputError
from core.specs import Candidate
from core.training import folds, trying
from core.training.trying import Attempt, Rows

SPEC = specs.parse(
    """
name: small
title: Small
task: text
target: {column: label, positive: spam, negative: ham}
input: {text: message}
source: {builtin: messages, rows: 300}
candidates: [{kind: logistic_regression}, {kind: complement_nb}]
folds: 3
"""
)


def rows():
    found = [(m.text, m.label) for m in generator.messages(300, seed=3)]
    frame = pd.DataFrame(found, columns=["message", "label"])
    return Rows(SPEC, tuple(folds.split(schema.conform(frame, SPEC), SPEC)))


def tasks():
    kinds = ("logistic_regression", "complement_nb", "random_forest")
    return [Attempt(Candidate(kind=kind), (fold,)) for kind in kinds for fold in range(3)]


def add(shared, task):
    return shared + task


def slow(shared, task):
    time.sleep(0.3)
    return os.getpid()


def refuse(shared, task):
    raise InvalidInputError("the sentence stays")


def die_once(folder, task):
    """End the own process at the first try of one task, like the kernel does without memory."""
    mark = folder / f"{task}.died"
    if task == 1 and not mark.exists():
        mark.touch()
        os._exit(9)
    return task


def die(shared, task):
    os._exit(9)


class Contract:
    """The tests every executor passes; `executor` is the fixture of the class."""

    def test_each_result_comes_once_with_its_place(self, executor):
        found = dict(executor.run(add, 100, list(range(7))))
        assert found == {place: 100 + place for place in range(7)}

    def test_no_task_yields_nothing(self, executor):
        assert list(executor.run(add, 1, [])) == []

    def test_other_shared_data_replaces_the_first(self, executor):
        assert dict(executor.run(add, 1, [1])) == {0: 2}
        assert dict(executor.run(add, 5, [1, 2])) == {0: 6, 1: 7}

    def test_a_refusal_arrives_as_its_sentence(self, executor):
        with pytest.raises(InvalidInputError, match="^the sentence stays$"):
            list(executor.run(refuse, 0, [1, 2]))

    def test_a_lost_process_takes_no_result_with_it(self, executor, tmp_path):
        found = dict(executor.run(die_once, tmp_path, [0, 1, 2, 3]))
        assert found == {0: 0, 1: 1, 2: 2, 3: 3}
        assert (tmp_path / "1.died").exists()

    def test_fits_equal_those_of_this_process(self, executor):
        shared, wanted = rows(), tasks()
        found = dict(executor.run(trying.attempt, shared, wanted))
        for place, task in enumerate(wanted):
            (here,), (there,) = trying.attempt(shared, task), found[place]
            assert here.scores == there.scores
            assert np.abs(here.probability - there.probability).max() <= 1e-12
