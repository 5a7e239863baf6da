import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

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
