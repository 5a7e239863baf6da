"""Several api processes on one port, as `pilothouse serve api` starts them."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.processes_kit import SPAM, House, ask

pytestmark = pytest.mark.processes


@pytest.fixture
def house(sqlite_template, tmp_path):
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    built = House(tmp_path)
    yield built
    built.db.engine.dispose()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_two_workers_have_a_log_each_and_sigterm_drains_both(house):
    port = free_port()
    own = {"PILOTHOUSE_API_WORKERS": "2", "PILOTHOUSE_API_PORT": str(port)}
    command = [str(Path(sys.executable).parent / "pilothouse"), "serve", "api"]
    process = subprocess.Popen(
        command, env=house.environment() | own, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    logs, answered = set(), set()
    end = time.monotonic() + 60
    while len(logs) < 2 and time.monotonic() < end:
        try:
            url, key = f"http://127.0.0.1:{port}/predict", {"X-API-Key": house.secret}
            answered.add(json.loads(ask(url, SPAM, key)[1])["prediction_id"])
        except (OSError, HTTPException, ValueError, KeyError):
            time.sleep(0.1)
        logs = set(house.settings.folder("spool").glob("*.spool"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert len(logs) == 2
    assert answered <= house.stored()
