import io
import shutil

import pytest

from core import cli, specs
from core.cli import base
from core.settings import ROOT


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
