import re

import pytest
from pydantic import SecretStr

from core import audit, releases, specs, users
from core.cli import setup
from core.panel import build
from core.settings import Settings
from core.tables.entities import Run
from tests.conftest import version_row

KEY = "only-for-tests-0123456789abcdefghij"


@pytest.fixture
def bare(tmp_path):
    """An installation in which nothing is set up."""
    made = build(Settings(_env_file=None, home=tmp_path, secret_key=KEY, monitor_minutes=7))
    yield made
    made.db.engine.dispose()


@pytest.fixture
def train(bare, monkeypatch):
    """Let the first training end as told: with a version, or with the reason why there is none."""

    def end(version=None, error=None):
        run = Run(id="r", version=version, error=error, metrics={"accuracy": 0.99, "f1": 0.96})
        asked = []
        monkeypatch.setattr(setup, "_train_first", lambda _built: (asked.append(run), run)[1])
        return asked

    return end


def set_up(bare, capsys):
    setup.set_up(bare)
    return capsys.readouterr().out


def test_a_generated_password_is_printed_once_and_works(bare, train, capsys):
    train(error="no data")
    said = set_up(bare, capsys)
    password = re.search(r"First admin: admin   password: (\S+)   ", said)[1]
    rule, line, end = said.splitlines()[-4:-1]
    assert password in line
    assert set(rule + end) == {"="}
    assert users.check(bare.db, "admin", password).role == "admin"
    assert "password" not in set_up(bare, capsys)


def test_a_given_password_is_not_printed(bare, train, capsys):
    train(error="no data")
    bare.settings.admin_password = SecretStr("a-password-of-mine")
    assert "a-password-of-mine" not in set_up(bare, capsys)
    assert users.check(bare.db, "admin", "a-password-of-mine").role == "admin"


def test_the_shipped_models_are_there_and_watched_and_edits_stay(bare, train, capsys):
    train(error="no data")
    said = set_up(bare, capsys)
    with bare.db.read() as session:
        shipped = specs.all_active(session)
        watched = {row.model: row.minutes for row in setup.schedule.all(session)}
    assert all(f"Model spec {spec.name} applied." in said for spec in shipped)
    assert watched == {spec.name: 7 for spec in shipped}
    edited = (bare.settings.specs_dir / "sms_spam.yaml").read_text().replace("SMS spam", "Ours")
    specs.apply(bare.db, setup.BOOTSTRAP, edited)
    assert "applied" not in set_up(bare, capsys)
    with bare.db.read() as session:
        assert specs.active(session, "sms_spam").title == "Ours"


def test_a_first_version_is_released_once_and_recorded(bare, train, capsys):
    train(error="no data")
    set_up(bare, capsys)
    with bare.db.command(setup.BOOTSTRAP, "release.first") as command:
        command.session.add(version_row("sms_spam", "1.0.0", 1, command.now))
    asked = train(version="1.0.0")
    assert "sms_spam 1.0.0 is trained and released: accuracy 0.990" in set_up(bare, capsys)
    set_up(bare, capsys)
    assert len(asked) == 1
    with bare.db.read() as session:
        assert releases.label(releases.current(session, "sms_spam")) == "1.0.0"
        row = audit.tail(session, action="release.first")[0]
    assert (row.actor, row.reason) == ("bootstrap", "the first version")


def test_a_first_training_that_fails_is_said_and_stops_nothing(bare, train, capsys):
    train(error="no data for sms_spam")
    assert "did not succeed: no data for sms_spam" in set_up(bare, capsys)
