"""Databases that earlier versions left behind, taken over by this one, on either engine."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import MetaData, create_engine, func, select, text

from core import audit, migrations, recommendations, registry, releases, specs, users
from core.access import Actor, Role
from core.db import Database
from core.settings import Settings
from tests.conftest import own_database
from tests.core.test_migrations import move

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("database-*.sql"))
NAMES = [path.stem.removeprefix("database-") for path in FIXTURES]


class Left:
    """What an earlier version left: its rows by table, and when its last row was written."""

    def __init__(self, path, home):
        self.shape = path.stem.removeprefix("database-")
        self.url = f"sqlite:///{home}/pilothouse.db"
        with closing(sqlite3.connect(home / "pilothouse.db")) as database:
            database.executescript(path.read_text())
        self.engine = create_engine(self.url)
        self.tables = MetaData()
        self.tables.reflect(self.engine)
        self.last = datetime.fromisoformat(self.ask("select max(at) from audit_event"))

    def ask(self, words):
        with self.engine.connect() as connection:
            return connection.execute(text(words)).scalar()

    def clock(self):
        """A minute after its last row: nothing has lapsed meanwhile."""
        return self.last.replace(tzinfo=UTC) + timedelta(minutes=1)

    def copy_to(self, db):
        """Lay the same rows into a PostgreSQL database of the same shape."""
        move(db, self.shape)
        there = MetaData()
        there.reflect(db.engine)
        with self.engine.connect() as old, db.engine.begin() as new:
            new.exec_driver_sql("set timezone to 'UTC'")
            for table in there.sorted_tables:
                rows = [
                    dict(row._mapping)
                    for row in old.execute(select(self.tables.tables[table.name]))
                ]
                if rows and table.name != "alembic_version":
                    new.execute(table.insert(), rows)


@pytest.fixture(scope="module", params=FIXTURES, ids=NAMES)
def left(request, tmp_path_factory):
    made = Left(request.param, tmp_path_factory.mktemp("left"))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def upgraded(request, left, tmp_path_factory):
    home = tmp_path_factory.mktemp("upgraded")
    if request.param == "sqlite":
        with closing(sqlite3.connect(home / "pilothouse.db")) as new, left.engine.connect() as old:
            old.connection.driver_connection.backup(new)
        yield from taken_over(left, home, f"sqlite:///{home}/pilothouse.db")
        return
    for url in own_database(request.getfixturevalue("postgresql"), "template1"):
        yield from taken_over(left, home, url, copy=True)


def taken_over(left, home, url, *, copy=False):
    secret = "only-for-tests-0123456789abcdefghij"
    settings = Settings(_env_file=None, home=home, database_url=url, secret_key=secret)
    db = Database(settings, left.clock)
    if copy:
        left.copy_to(db)
    migrations.upgrade(db)
    yield db
    db.engine.dispose()


def test_a_database_of_every_shape_is_kept():
    shapes = [path.stem[:4] for path in Path(migrations.__file__).parent.glob("versions/0*.py")]
    assert sorted(shapes) == NAMES


def test_no_row_is_lost(left, upgraded):
    def counts(engine, tables):
        with engine.connect() as connection:
            found = {t.name: select(func.count()).select_from(t) for t in tables.values()}
            return {name: connection.execute(query).scalar() for name, query in found.items()}

    before = counts(left.engine, left.tables.tables)
    assert before["prediction"] >= 20
    assert counts(upgraded.engine, left.tables.tables) == before


def test_what_served_still_serves(upgraded):
    with upgraded.read() as session:
        assert len(specs.all_active(session)) == 3
        release = releases.current(session, "sms_spam")
        version = registry.get(session, "sms_spam", releases.champion(release))
    assert (releases.label(release), version.state) == ("1.0.0", "approved")
    assert version.metrics["accuracy"] > 0.9


def test_people_can_sign_in(upgraded):
    assert users.check(upgraded, "admin", "a-long-password-for-tests").role == "admin"


def test_what_waited_for_a_decision_can_be_approved_as_it_was_sealed(left, upgraded):
    admin = Actor("admin", Role.ADMIN)
    with upgraded.read() as session:
        waiting = recommendations.waiting(session)
    for row in waiting:
        recommendations.approve(upgraded, admin, row.id, digest=row.digest, solo=True)
    assert len(waiting) == left.ask("select count(*) from recommendation where state = 'proposed'")


def test_the_audit_trail_is_whole_and_goes_on(left, upgraded):
    with upgraded.command(Actor("admin", Role.ADMIN), "audit.export"):
        pass
    state = audit.verify(upgraded)
    assert state.whole, state.sentence
    assert state.n > left.ask("select count(*) from audit_event")
