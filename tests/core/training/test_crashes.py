"""A run whose process is killed at any stage: it finishes later, and never leaves half a version."""

import os
import signal
from datetime import timedelta

import pytest

from core import jobs, registry, runs, specs
from core.adapters.optuna_study import OptunaStudies
from core.db import Database
from core.serving import artifacts
from core.training import data, evaluation, folds, run, search, trying
from core.training.executors import LocalExecutor
from core.training.search import Tools

LEASE = timedelta(seconds=30)
SMALL = """
name: small
title: Small
task: text
target: {column: label, positive: spam, negative: ham}
input: {text: message}
source: {builtin: messages, rows: 300, noun: messages}
candidates: [{kind: complement_nb}]
folds: 2
search: {trials: 1}
validation: {min_rows: 100, min_test_rows: 20}
gate: {floor: 0.6, min_slice: 40}
"""
STAGES = {
    "load data": (data, "prepare"),
    "features": (folds.Corpus, "matrices"),
    "trial": (trying, "fitted"),
    "refit": (search, "refit"),
    "judge": (evaluation, "measure"),
    "register": (registry, "register"),
    "track": (run, "_track"),
}
pytestmark = [
    pytest.mark.processes,
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


class Shown:
    """A tracking server that takes everything."""

    def log(self, _run):
        return "there"


def carry_out(settings, db, claim, run_id):
    tools = Tools(LocalExecutor(1), OptunaStudies(settings))
    return run.carry_out(settings, db, claim, run_id, Shown(), tools)


def killed_in(stage, settings, claim, run_id, clock):
    """Carry the run out in a process of its own that ends itself after this stage."""
    child = os.fork()
    if child:
        return os.WTERMSIG(os.waitpid(child, 0)[1])
    owner, name = STAGES[stage]
    original = getattr(owner, name)

    def last(*given, **named):
        original(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, last)
    carry_out(settings, Database(settings, clock), claim, run_id)
    os._exit(0)


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_killed_at_any_stage_finishes_at_the_next_attempt(db, settings, ana, clock, stage):
    specs.apply(db, ana, SMALL)
    asked = runs.request(db, ana, "small", trigger="test")
    claim = jobs.claim(db, "one", lease=LEASE)
    db.engine.dispose()
    assert killed_in(stage, settings, claim, asked.id, clock) == signal.SIGKILL

    with db.read() as session:
        left = registry.versions(session, "small")
        state = runs.get(session, asked.id).state
    assert len(left) == (stage == "track")
    assert state == ("finished" if left else "running")

    clock.forward(minutes=1)
    again = jobs.claim(db, "two", lease=LEASE, only=asked.job_id)
    assert carry_out(settings, db, again, asked.id) == "1.0.0"
    with db.read() as session:
        (version,) = registry.versions(session, "small")
        assert runs.get(session, asked.id).state == "finished"
    assert artifacts.load(settings, version.artifact).predict(["win a prize now"])
