import pandas as pd
import pytest

from core.datasets import generator, versions
from core.training import versus
from tests.core.training.test_run import release

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_rows_that_one_has_learnt_are_left_out_and_counted(db, settings, ana, worker, train, small):
    first = train("small", candidates=["complement_nb"])
    release(db, worker, first)
    with db.read() as session:
        learnt = versions.frame(settings, versions.get(session, first.train_dataset_id))
    fresh = pd.DataFrame([(one.text, one.label) for one in generator.messages(300, seed=8)])
    both = pd.concat([learnt.head(300), fresh.set_axis(["message", "label"], axis=1)])
    data = versions.load(db, ana, settings, "small", frame=both, source="old and new rows")
    second = train("small", candidates=["complement_nb"], dataset_id=data.id)
    found = versus.look(db, settings, "small", "1.0.0", "1.1.0")
    assert found.left_out > 0
    assert found.n == second.gate["n"] == second.metrics["n_test"] - found.left_out
