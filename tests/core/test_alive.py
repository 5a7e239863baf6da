"""Health checks of processes without a URL: cheap while all is well, thorough where it is not."""

import os
import subprocess
import sys
import threading
import time

import pytest

from core import alive, heartbeat
from core.cli import processes
from core.panel import Panel


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def test_a_health_check_of_a_process_that_told_lately_imports_nothing_of_the_product(tmp_path, run):
    alive.stamp(run, "worker")
    ask = "import sys; sys.argv = ['pilothouse', 'alive', 'worker']\n"
    ask += "from core import cli\ntry: cli.main()\nexcept SystemExit as end: print(end.code)\n"
    ask += "print(sorted({'typer', 'sqlalchemy', 'pydantic'} & set(sys.modules)))"
    env = {**os.environ, "PILOTHOUSE_HOME": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, env=env)
    assert (said.stdout, said.stderr) == ("0\n[]\n", "")


def test_a_process_that_told_long_ago_or_from_the_future_was_not_heard_of(
    tmp_path, run, monkeypatch
):
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path))
    alive.stamp(run, "shipper")
    assert alive.heard_of("shipper")
    (stamp,) = run.iterdir()
    for seconds in (-31, 60):
        os.utime(stamp, (time.time() + seconds,) * 2)
        assert not alive.heard_of("shipper")
    assert heartbeat.SILENT_AFTER.total_seconds() == alive.SILENT_AFTER_SECONDS


def test_a_process_tells_database_and_health_check_that_it_lives(db, settings, clock):
    stop = threading.Event()
    stop.set()
    processes._keep_alive(Panel(settings, db, clock), "worker", stop)
    for thread in threading.enumerate():
        if thread.name == "heartbeat":
            thread.join(10)
    assert heartbeat.lives(db, processes._on_this_host("worker"))
    assert [one.suffix for one in settings.folder("run").iterdir()] == [".alive"]
