import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

from core import migrations
from core.db import Database
from core.tables import Table


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request, tmp_path):
    """A database with nothing in it."""
    from core.settings import Settings

    url = (
        f"sqlite:///{tmp_path}/bare.db"
        if request.param == "sqlite"
        else request.getfixturevalue("empty_postgresql")
    )
    db = Database(Settings(_env_file=None, home=tmp_path, database_url=url), None)
    db.create()
    yield db
    db.engine.dispose()


def differences(db):
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Table.metadata)


def test_the_migrations_lead_to_the_tables_that_the_code_knows(bare):
    migrations.upgrade(bare)
    assert differences(bare) == []


def test_migrating_again_changes_nothing(bare):
    migrations.upgrade(bare)
    migrations.upgrade(bare)
    assert differences(bare) == []


def move(db, revision, step=command.upgrade):
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    with db.engine.execution_options(immediate=True).begin() as connection:
        config.attributes["connection"] = connection
        step(config, revision)


LABEL = """insert into label (prediction_id, source, value, state, at)
           values ('p', 'reviewer', 'spam', 'disputed', '2030-01-01 12:00:00')"""


def test_the_newest_step_goes_up_down_and_up_again_with_rows_in_the_tables(bare):
    move(bare, "0002")
    with bare.engine.begin() as connection:
        connection.execute(text(LABEL))
    migrations.upgrade(bare)
    move(bare, "0002", command.downgrade)
    migrations.upgrade(bare)
    assert differences(bare) == []
    with bare.engine.connect() as connection:
        assert connection.execute(text("select state from label")).scalar() == "confirmed"


ALERT = """insert into alert (id, model, rule, severity, fingerprint, state, value, threshold,
           incident_id, report_id, at)
           values (:id, 'spam', 'accuracy', 'high', 'spam:accuracy:accuracy', 'firing', .7, .9,
           'i', :id, '2030-01-01 12:00:00')"""


def test_of_alerts_that_say_the_same_the_newest_stays_under_the_name_of_its_rule(bare):
    move(bare, "0003")
    with bare.engine.begin() as connection:
        for one in ("a", "b", "c"):
            connection.execute(text(ALERT), {"id": one})
    migrations.upgrade(bare)
    with bare.engine.connect() as connection:
        rows = connection.execute(text("select id, rule, state from alert order by id")).all()
    assert [tuple(row) for row in rows] == [
        ("a", "accuracy_drop", "resolved"),
        ("b", "accuracy_drop", "resolved"),
        ("c", "accuracy_drop", "firing"),
    ]
