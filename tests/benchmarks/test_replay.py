"""The benchmark of the policy's replay in a short form: it replays what it wrote down."""

import re
import shutil

import pytest

from benchmarks import replay
from core import specs
from core.access import system
from core.panel import Panel
from core.settings import ROOT


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """What is measured does not depend on the kind of database here: one is enough."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


def test_every_decision_is_made_again_and_some_differ(settings, db, clock, monkeypatch, capsys):
    specs.apply(db, system("bootstrap"), (ROOT / "specs" / "sms_spam.yaml").read_text())
    monkeypatch.setattr(replay, "_installation", lambda home: Panel(settings, db, clock))

    assert replay.main(["--decisions", "300", "--runs", "1"]) == 0

    said = capsys.readouterr().out
    assert "300 decided again" in said
    assert int(re.search(r"(\d+) differ", said)[1]) > 0
    assert re.search(r"median of 1: \d+\.\d\d CPU seconds", said)
