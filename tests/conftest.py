import gc
import os
import shutil
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.util import LRUCache

import core.db
from core.access import Actor, Role, local, system
from core.db import Database
from core.settings import Settings
from core.tables import Table
from core.tables.access import User

ROOT = Path(__file__).parents[1]
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
COMMON_NAMES = (
    *("DATABASE_URL", "MLFLOW_TRACKING_URI", "OPENAI_API_KEY", "SLACK_WEBHOOK_URL"),
    *("ALERT_EMAIL", "ALERT_EMAIL_PASSWORD", "MONITORING_WEBHOOK_URL"),
)


gc.set_threshold(50_000, 20, 100)  # each look through all the libraries takes half a second


def pytest_collection_finish():
    """Keep what is loaded by now out of every later look of the collector."""
    gc.collect()
    gc.freeze()


class FakeClock:
    """A clock that moves only when told."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """Keep the settings of the person who runs the tests out of them."""
    keep = {"PILOTHOUSE_DATA_DIR", "PILOTHOUSE_TEST_POSTGRESQL_URL"}
    for name in list(os.environ):
        if name.startswith("PILOTHOUSE_") and name not in keep:
            monkeypatch.delenv(name)
    for name in COMMON_NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session", autouse=True)
def _compiled_once():
    """Let the engines of all tests share the statements that SQLAlchemy has compiled.

    Each test has an engine of its own, and would compile its hundred statements anew.
    """
    make, statements = core.db.create_engine, LRUCache(5000)

    def sharing(*given, **how):
        engine = make(*given, **how)
        engine._compiled_cache = statements
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core.db, "create_engine", sharing)
        for dialect in (SQLiteDialect, PGDialect):  # a key of the cache: equal ones compile alike
            patch.setattr(dialect, "__hash__", lambda self: hash(type(self)))
            patch.setattr(dialect, "__eq__", lambda self, other: type(self) is type(other))
        yield


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a PostgreSQL server: the one named in the environment, or one of our own."""
    if url := os.environ.get("PILOTHOUSE_TEST_POSTGRESQL_URL"):
        yield url
        return
    import pgserver

    # not below pytest's own folder: the server's user may not enter that one
    folder = tempfile.mkdtemp(prefix="pilothouse-postgresql-")
    server = pgserver.get_server(folder)
    server.psql("alter system set fsync = off")  # the machine does not crash during a test run
    server.psql("select pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def fill(url: str, home: Path) -> None:
    """Lay the tables and four people into an empty database."""
    db = Database(settings_for(url, home), lambda: NOON)
    db.create()
    Table.metadata.create_all(db.engine)
    with db.command(system("bootstrap"), "user.create") as command:
        for name, role in PEOPLE.items():
            person = User(
                name=name, role=role, password_hash="-", active=True, created_at=command.now
            )
            command.session.add(person)
    db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    """A folder with a filled SQLite database, copied for each test."""
    home = tmp_path_factory.mktemp("sqlite-template")
    fill(f"sqlite:///{home}/pilothouse.db", home)
    return home


@pytest.fixture(scope="session")
def kept_postgresql(postgresql, tmp_path_factory):
    """A filled PostgreSQL database that tests use in turn: (URL, home, the words that reset it)."""
    home = tmp_path_factory.mktemp("postgresql")
    for url in own_database(postgresql, "template1"):
        fill(url, home)
        with psycopg.connect(url, autocommit=True) as server:
            reset = words_to_reset(server)
        yield url, home, reset


def words_to_reset(server):
    """Keep what is in the tables now; returns what brings them back to it.

    Rows are deleted one table at a time: a fresh database costs forty times as much, and so does
    `truncate`.
    """
    found = "select tablename from pg_tables where schemaname = 'public'"
    names = [name for (name,) in server.execute(found)]
    server.execute("create schema kept")
    for name in names:
        server.execute(f"create table kept.{name} as table public.{name}")
    filled = [n for n in names if server.execute(f"select 1 from kept.{n} limit 1").fetchone()]
    return "; ".join(
        [
            "set session_replication_role = replica",
            *(f"delete from {name}" for name in names),
            *(f"insert into {name} select * from kept.{name}" for name in filled),
        ]
    )


@pytest.fixture
def empty_postgresql(postgresql):
    """The URL of a PostgreSQL database with nothing in it, dropped afterwards."""
    yield from own_database(postgresql, "template1")


def own_database(postgresql, template):
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as server:
        server.execute(f"create database {name} template {template}")
        yield postgresql.replace("/postgres?", f"/{name}?")
        server.execute(f"drop database {name} with (force)")


@pytest.fixture
def filled_postgresql(kept_postgresql, tmp_path):
    """The URL of a PostgreSQL database with the tables and four people, as new."""
    url, home, reset = kept_postgresql
    shutil.copy(home / "audit.head", tmp_path)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        server.execute(reset)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """A database with the tables and four people in it: SQLite and PostgreSQL in turn."""
    if request.param == "postgresql":
        return request.getfixturevalue("filled_postgresql")
    template = request.getfixturevalue("sqlite_template")
    for file in template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


def settings_for(url: str, home: Path) -> Settings:
    return _settings().model_copy(update={"home": home, "database_url": url})


@cache
def _settings() -> Settings:
    return Settings(
        _env_file=None,
        env="test",
        home=ROOT,
        database_url="sqlite://",
        secret_key="only-for-tests-0123456789abcdefghij",
        data_dir=data_dir(),
    )


@pytest.fixture
def settings(tmp_path, database_url):
    return settings_for(database_url, tmp_path)


@pytest.fixture
def db(settings, clock):
    """The database of this test, with four people in it."""
    db = Database(settings, clock)
    yield db
    db.engine.dispose()


PEOPLE = {"vic": Role.VIEWER, "ana": Role.OPERATOR, "apo": Role.APPROVER, "adm": Role.ADMIN}


@pytest.fixture
def vic():
    return Actor("vic", Role.VIEWER)


@pytest.fixture
def ana():
    return Actor("ana", Role.OPERATOR)


@pytest.fixture
def apo():
    return Actor("apo", Role.APPROVER)


@pytest.fixture
def adm():
    return Actor("adm", Role.ADMIN)


@pytest.fixture
def worker():
    return system("worker")


@pytest.fixture
def shell():
    return local("tester")


def data_dir() -> Path | None:
    """The folder with the real data sets, where there is one."""
    candidates = (os.environ.get("PILOTHOUSE_DATA_DIR"), ROOT.parent / "shared" / "data")
    return next((Path(c) for c in candidates if c and Path(c).is_dir()), None)


@pytest.fixture
def real_data(real_data_folder):
    return real_data_folder


@pytest.fixture
def release(db, worker):
    """Register and release versions in a line: ``release("spam", "1.0.0")``."""
    from core import releases

    def put(model, version, *, release=True):
        number = int(version.split(".")[0])
        with db.command(worker, "version.register") as command:
            command.session.add(version_row(model, version, number, command.now))
        if release:
            with db.command(worker, "release.promote") as command:
                newest = releases.find_current(command.session, model)
                seq = newest.seq if newest else 0
                return releases.promote(command, model, version, replaces=seq, reason="test")
        return None

    return put


def version_row(model, version, number, now):
    from core.tables.entities import ModelVersion

    return ModelVersion(
        model=model,
        version=version,
        number=number,
        state="candidate",
        run_id=f"run-{model}-{version}",
        algorithm="logistic_regression",
        artifact="0" * 64,
        signature={},
        metrics={},
        gate={"answer": "promote"},
        train_dataset_id="d1",
        test_dataset_id="d2",
        reference_dataset_id="d3",
        at=now,
    )


def pytest_terminal_summary(terminalreporter):
    """Say which data the tests used, also where they say little."""
    folder = data_dir()
    real = f"the real data sets in {folder}, and generated messages"
    none = "generated messages; PILOTHOUSE_DATA_DIR names no folder, what needs one was skipped"
    terminalreporter.write_line(f"data: {real if folder else none}")


@pytest.fixture(scope="session")
def real_data_folder():
    folder = data_dir()
    if folder is None:
        pytest.skip("PILOTHOUSE_DATA_DIR names no folder with the SMS and heart data")
    return folder
