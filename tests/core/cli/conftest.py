import getpass
import io
import shutil

import pytest

from core import cli, specs, users
from core.cli import base
from core.settings import ROOT
from core.tables.access import User


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """The command line is the same over either database; one is enough here."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def say(settings, db, monkeypatch, capsys):
    """Give a command; returns the exit code, what was printed, and the error line."""
    monkeypatch.setattr(base, "read_settings", lambda: settings)

    def give(*words, typed=""):
        monkeypatch.setattr("sys.argv", ["pilothouse", *words])
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return give


@pytest.fixture
def spam(db, shell):
    specs.apply(db, shell, (ROOT / "specs" / "sms_spam.yaml").read_text())


@pytest.fixture
def as_ana(db, settings):
    """Commands are given by ana, as after `pilothouse login ana`."""
    with db.read() as session:
        user = session.get(User, "ana")
    token = users.start_session(db, user, via="command line", hours=1)
    (settings.folder("logins") / getpass.getuser()).write_text(token)
