"""A retrain of a version whose rows are not here, as after an import."""

import numpy as np
import pandas as pd
import pytest

from core import registry, specs
from core.datasets import generator, versions
from core.tables.entities import DatasetVersion
from core.training import decide
from core.training.decide import Comparison
from tests.core.training.conftest import SMALL
from tests.core.training.test_run import release, serve

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def imported(db, settings, worker, first):
    """A version serves of whose data only the description is here; `other`: not our source's."""

    def put(*, other):
        release(db, worker, first)
        with db.command(worker, "dataset.load") as command:
            for id_ in (first.train_dataset_id, first.test_dataset_id):
                row = command.session.get_one(DatasetVersion, id_)
                versions.path_of(settings, row).unlink()
                row.state, row.report = "archived", {"elsewhere": True}
                row.digest = "f" * 64 if other else row.digest
        return first

    return put


@sqlite_only
def test_a_retrain_without_the_champions_rows_takes_the_best_data_and_says_so(
    db, clock, train, imported
):
    first = imported(other=True)
    serve(db, clock, first, generator.drifted(300, seed=5, campaign="crypto", share=0.5))
    second = train("small", kind="retrain")
    with db.read() as session:
        learnt = versions.get(session, second.train_dataset_id)
        assert registry.compare(session, "small", "1.0.0", "1.1.0")["paired"] is not None
    assert second.gate["reasons"][-1].startswith("the rows that judged 1.0.0, which serves, are")
    assert learnt.source.startswith("900 generated messages")
    assert second.gate["recent"]["n"] > 0
    assert second.metrics["n_old"] == second.metrics["n_test"] - second.gate["recent"]["n"]
    assert first.test_dataset_id not in second.metrics["evaluations"]


@sqlite_only
def test_data_that_an_import_described_is_used_once_the_source_gives_it(db, train, imported):
    first = imported(other=False)
    second = train("small", kind="retrain")
    assert second.train_dataset_id == first.train_dataset_id
    assert second.test_dataset_id == first.test_dataset_id


@pytest.mark.parametrize(("better", "answer"), [(True, "not_enough_evidence"), (False, "refuse")])
def test_a_retrain_without_an_old_row_that_may_judge_is_never_promoted(better, answer):
    rows = pd.DataFrame({"message": [f"number {n}" for n in range(200)], "label": "spam"})
    good, poor = np.ones(200, dtype=bool), np.arange(200) < 100
    candidate, champion = (good, poor) if better else (poor, good)
    compared = Comparison(rows, candidate, champion, n_recent=200, overlap=0)
    found = decide.against_champion(compared, specs.parse(SMALL)).result
    assert (found["answer"], found["recent"]["n"], found["old"]) == (answer, 200, None)
    assert found["reasons"][-1].startswith("what serves has learnt every old test row")
