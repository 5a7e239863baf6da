import shutil
from datetime import timedelta

import pytest

from core import jobs, registry, runs, specs
from core.training.run import carry_out

LEASE = timedelta(minutes=10)
SMALL = """
name: small
title: Small
task: text
target: {column: label, positive: spam, negative: ham}
input: {text: message}
source: {builtin: messages, rows: 900, noun: messages}
candidates:
  - {kind: logistic_regression, parameters: {C: 10}}
  - {kind: complement_nb}
folds: 3
validation: {min_rows: 200, min_test_rows: 40}
gate: {floor: 0.9, min_slice: 40, margin: 0.05}
"""


@pytest.fixture
def train(db, settings, ana):
    """Request and carry out one training, like a worker: ``train("small")`` → version row."""

    def work(model, tracker=None, **request):
        run = runs.request(db, ana, model, trigger="test", **request)
        claim = jobs.claim(db, "one", lease=LEASE)
        version = carry_out(settings, db, claim, run.id, tracker)
        jobs.finish(db, claim, "succeeded")
        with db.read() as session:
            return registry.get(session, run.model, version)

    return work


@pytest.fixture
def small(db, ana):
    """A small text model; its words are `small_words`."""
    return specs.apply(db, ana, SMALL)


@pytest.fixture(scope="session")
def kept_homes(tmp_path_factory):
    return tmp_path_factory.mktemp("homes"), {}


@pytest.fixture
def once(db, settings, clock, kept_homes):
    """Do work in a new home, or lay out what the same work left there before: fits take long."""
    folder, done = kept_homes

    def lay_out(name, work):
        if db.is_postgresql:
            return work()
        if name not in done:
            done[name] = work(), clock.now
            db.engine.dispose()  # so that all is in the file
            shutil.copytree(settings.home, folder / name)
        else:
            db.engine.dispose()
            shutil.copytree(folder / name, settings.home, dirs_exist_ok=True)
        found, clock.now = done[name]
        return found

    return lay_out


@pytest.fixture
def first(once, train, small):
    """The version of a first training of the small model."""
    return once("first", lambda: train("small"))


@pytest.fixture
def small_words():
    return SMALL


@pytest.fixture
def begun(db, ana, small):
    run = runs.request(db, ana, "small", trigger="test")
    return run, jobs.claim(db, "one", lease=LEASE)
