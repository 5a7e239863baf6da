"""The database's history of shapes: expand first, contract in a later version."""

from pathlib import Path

from core.db import Database

_LOCK = 0x6D69677261746521  # two processes that start at once migrate one after the other


def upgrade(db: Database) -> None:
    """Bring the database to the newest shape; safe to call from several processes at once."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    db.create()
    with db.engine.execution_options(immediate=True).begin() as connection:
        if db.is_postgresql:
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK})")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def draft(db: Database, message: str) -> None:
    """Write the migration from the database's present shape to that of `core.tables`."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    db.create()
    with db.engine.begin() as connection:
        config.attributes["connection"] = connection
        number = len(list((Path(__file__).parent / "versions").glob("[0-9]*.py"))) + 1
        command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
