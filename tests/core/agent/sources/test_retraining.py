import pytest

from core import registry
from core.access import system
from core.tables.entities import DatasetVersion, ModelVersion
from tests.core.agent.test_facts import known, predictions, run


@pytest.fixture
def data(db):
    """Put the data sets of the versions there."""

    def put(key, rows, at):
        with db.command(system("worker"), "dataset.load") as command:
            row = DatasetVersion(
                **{"id": key, "model": "spam", "role": "train", "state": "validated"},
                **{"digest": key, "n_rows": rows, "columns": [], "source": "", "report": {}},
                **{"author": "ana", "at": at},
            )
            command.session.add(row)

    return put


def change(db, version, **values):
    with db.command(system("worker"), "version.register") as command:
        row = command.session.get(ModelVersion, ("spam", version))
        for name, value in values.items():
            setattr(row, name, value)


def test_labels_since_the_last_training_are_new_rows(db, clock, release, data):
    release("spam", "1.0.0")
    data("d1", 4000, clock())
    predictions(db, clock, right=30, wrong=0, tag="old")
    clock.forward(hours=1)
    run(db, clock, "r1", "finished")
    clock.forward(hours=1)
    predictions(db, clock, right=20, wrong=5, tag="new")
    book = known(db, clock)
    assert (book.get("retrain.new_rows"), book.get("retrain.rows_learnt")) == (25, 4000)


def test_refusals_count_since_what_serves_was_trained(db, clock, release):
    release("spam", "1.0.0")
    change(db, "1.0.0", gate={"answer": "refuse"})  # an approver overrode the gate
    for version in ("2.0.0", "3.0.0"):
        release("spam", version, release=False)
        change(db, version, gate={"answer": "refuse"})
    assert known(db, clock).get("retrain.rejected_by_gate_in_a_row") == 2


def test_what_speaks_against_a_candidate_is_known(db, clock, release, data):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    data("d2", 300, clock())
    parts = [{"name": "short", "answer": "refuse"}, {"name": "long", "answer": "pass"}]
    change(db, "2.0.0", gate={"answer": "refuse", "train_test_overlap": 7, "slices": parts})
    clock.forward(days=100)
    book = known(db, clock)
    assert book.get("candidate.train_test_overlap") == 7
    assert book.get("candidate.test_set_age_days") == 100
    assert book.get("candidate.slice_regressions") == ["short"]
    assert book.get("candidate.refusal_told") is True


def test_a_candidate_meets_what_serves_on_the_same_rows(db, clock, release):
    release("spam", "1.0.0")
    release("spam", "2.0.0", release=False)
    first, second = [True] * 90 + [False] * 10, [True] * 99 + [False]
    change(db, "1.0.0", metrics={"evaluations": {"t": registry.pack(first)}})
    told = {"evaluations": {"t": registry.pack(second)}, "accuracy": 0.99, "n_test": 100}
    change(db, "2.0.0", metrics=told)
    book = known(db, clock)
    assert book.get("candidate.champion_accuracy") == 0.9
    assert book.get("candidate.only_champion_right") == 0
    assert book.get("candidate.only_candidate_right") == 9
    assert book.get("candidate.p_better") < 0.05
