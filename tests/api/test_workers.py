"""Several api processes on one port, as `pilothouse serve api` starts them."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.processes_kit import House

pytestmark = pytest.mark.processes
SPAM = {"message": "win a free prize"}


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
            answer = httpx.post(
                f"http://127.0.0.1:{port}/predict", json=SPAM,
                headers={"X-API-Key": house.secret}, trust_env=False,
            )  # fmt: skip
            answered.add(answer.json()["prediction_id"])
        except (httpx.HTTPError, KeyError):
            time.sleep(0.1)
        logs = set(house.settings.folder("spool").glob("*.spool"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert len(logs) == 2
    assert answered <= house.stored()
