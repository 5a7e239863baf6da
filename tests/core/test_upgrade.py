import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core import audit, migrations, registry, releases, users
from core.db import Database
from core.settings import Settings
from core.tables.telemetry import Prediction

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures").glob("database-*.sql"))


@pytest.fixture(params=FIXTURES, ids=lambda path: path.stem)
def upgraded(request, tmp_path, clock):
    """A database that an earlier version left behind, taken over by this one."""
    with sqlite3.connect(tmp_path / "pilothouse.db") as database:
        database.executescript(request.param.read_text())
    settings = Settings(
        _env_file=None, home=tmp_path, secret_key="only-for-tests-0123456789abcdefghij"
    )
    db = Database(settings, clock)
    migrations.upgrade(db)
    yield db
    db.engine.dispose()


def test_there_is_a_database_of_an_earlier_version():
    assert FIXTURES


def test_what_served_still_serves(upgraded):
    with upgraded.read() as session:
        release = releases.current(session, "sms_spam")
        version = registry.get(session, "sms_spam", releases.champion(release))
    assert (releases.label(release), version.state) == ("1.0.0", "approved")
    assert version.metrics["accuracy"] > 0.9


def test_the_audit_trail_is_whole(upgraded):
    state = audit.verify(upgraded)
    assert state.whole, state.sentence
    assert state.n > 5


def test_people_can_sign_in_and_predictions_are_there(upgraded):
    assert users.check(upgraded, "admin", "a-long-password-for-tests").role == "admin"
    with upgraded.read() as session:
        assert session.scalar(select(func.count()).select_from(Prediction)) == 20
