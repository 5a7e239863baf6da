import pytest

from core import keys
from core.cli.traffic import Client, Source
from core.datasets import versions
from core.errors import InvalidInputError
from core.panel import Panel
from core.tables.entities import DatasetVersion, ModelVersion
from tests.fakes.watched import TABLE, TEXT, Watched


@pytest.fixture
def source(db, settings, clock, worker):
    """``source(TEXT)`` sends the 600 rows that a released model of this spec was tested on."""

    def of(spec):
        watched = Watched(db, settings, clock, spec)
        watched.release("1.0.0")
        with db.command(worker, "version.register") as command:
            (row,) = command.session.query(ModelVersion)
            row.test_dataset_id = row.train_dataset_id = watched.reference
            kept = command.session.get_one(DatasetVersion, watched.reference)
        made = Source(Panel(settings, db, clock), watched.spec.name, seed=1)
        assert len(versions.frame(settings, kept)) == 600
        return made

    return of


def test_no_held_out_row_comes_again_before_all_have_come(source):
    clients = source(TABLE)
    ages = [row.input["features"]["age"] for _ in range(30) for row in clients.rows(20)]
    assert sorted(ages) == sorted(clients.frame["age"])
    assert len(clients.rows(1_500)) == 1_500


def test_a_campaign_has_its_share_and_its_label(source):
    clients = source(TEXT)
    known = set(clients.frame["message"])
    rows = clients.rows(100, campaign="crypto", share=0.3)
    new = [row for row in rows if row.input["message"] not in known]
    assert len(new) == 30
    assert {row.label for row in new} == {"spam"}


def test_rows_of_numbers_drift_by_a_shift_and_by_nothing_else(source):
    clients = source(TABLE)
    moved = [row.input["features"]["age"] for row in clients.rows(600, campaign="shift", share=1)]
    usual, spread = clients.frame["age"].mean(), clients.frame["age"].std()
    assert sum(moved) / 600 == pytest.approx(usual + spread)
    with pytest.raises(InvalidInputError, match="by the campaign `shift` only"):
        clients.rows(10, campaign="crypto", share=0.5)


def test_the_key_of_a_simulated_client_ends_with_it(db, settings, clock, adm):
    panel = Panel(settings, db, clock)
    with pytest.raises(InvalidInputError), Client(panel, adm, name="drift inject") as client:
        raise InvalidInputError("the api refused the rows")
    with Client(panel, adm, name="drift inject") as other:
        keys.revoke(db, adm, other.key_id)
    with db.read() as session:
        ended = {row.id: row.revoked_at for row in keys.all(session)}
    assert ended[client.key_id] == ended[other.key_id] == clock()
