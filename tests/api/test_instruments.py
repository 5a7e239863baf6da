"""Figures for Prometheus: of this process, and of all workers that answer on one port."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPException

import pytest

from api.instruments import Instruments
from core.serving.stored import Stored
from tests.processes_kit import ROOT, SPAM, House, ask


def value(text, name):
    """Return the one value of a metric line, labels included in the name."""
    (found,) = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found)


@pytest.fixture
def instruments(serving):
    return Instruments(serving)


def text(instruments):
    return instruments.text().decode()


def test_a_request_is_counted_by_route_method_and_status(instruments):
    for seconds in (0.00008, 0.0003, 60):
        instruments.request("/predict", "POST", 200, seconds)
    page, labels = text(instruments), 'method="POST",status="200"'
    assert value(page, f'api_requests_total{{endpoint="/predict",{labels}}}') == 3
    seconds = "api_request_duration_seconds"
    for end, n in (("0.0001", 1), ("5.0", 2), ("+Inf", 3)):
        assert value(page, f'{seconds}_bucket{{endpoint="/predict",le="{end}",{labels}}}') == n
    assert value(page, f'{seconds}_sum{{endpoint="/predict",{labels}}}') == pytest.approx(60.00038)


def test_stages_are_histograms(serving, instruments):
    serving.stages.note("score", 0.00003)
    page = text(instruments)
    assert value(page, 'api_stage_duration_seconds_count{stage="score"}') == 1
    assert value(page, 'api_stage_duration_seconds_bucket{le="5e-05",stage="score"}') == 1
    assert value(page, 'api_stage_duration_seconds_count{stage="auth"}') == 0


def test_shed_and_rate_limited_requests_are_counted_apart(instruments):
    for status in (429, 503, 503, 200):
        instruments.request("/predict", "POST", status, 0.001)
    page = text(instruments)
    assert value(page, "api_shed_requests_total") == 2
    assert value(page, "api_rate_limited_requests_total") == 1


def test_what_serves_and_how_old_the_log_is(client, serving):
    lock = serving.spool.folder / "shipper.lock"
    lock.touch()
    os.utime(lock, (serving.clock().timestamp() - 90,) * 2)
    page = client.get("/metrics").text
    assert value(page, 'model_release_seq{model="sms_spam"}') == 2
    assert value(page, 'model_load{model="sms_spam",version="2.0.0"}') == 1
    assert value(page, "spool_age_seconds") == pytest.approx(90, abs=1)
    assert value(page, "api_workers") == 1
    assert value(page, "model_load_failures_total") == 0


def test_the_guide_lists_every_metric_and_none_that_is_not_there(client, serving, monkeypatch):
    (serving.spool.folder / "shipper.lock").touch()
    stored = {("sms_spam", "finished"): 1}
    known = {"sms_spam": 0.5}
    monkeypatch.setattr(serving, "stored", Stored(stored, known, known, known))
    client.post("/predict", json=SPAM)
    told = re.findall(r"^# TYPE (\S+)", client.get("/metrics").text, re.MULTILINE)
    rows = [line for line in (ROOT / "docs" / "observe.md").read_text().splitlines() if "|" in line]
    listed = {name for row in rows[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert listed == set(told)


def test_stages_of_a_prediction_are_told_in_milliseconds(client, serving):
    serving.stages.note("auth", 0.000004)
    stages = client.get("/metrics/performance").json()["stages"]
    assert set(stages) == {"auth", "assign", "score", "spool"}
    assert 0.002 <= stages["auth"]["p50_ms"] <= 0.005


class Workers:
    """Two workers on one port, as `uvicorn --workers 2` starts them."""

    def __init__(self, house):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "api.main:create", "--factory"]
        command += ["--port", str(port), "--workers", "2", "--no-access-log"]
        command += ["--timeout-worker-healthcheck", "60"]
        env = {**house.environment(), "PILOTHOUSE_API_WORKERS": "2"}
        self.process = subprocess.Popen(command, env=env, cwd=ROOT, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        self.key = {"X-API-Key": house.secret}

    def pids(self):
        of = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(of) as file:
            children = [int(pid) for pid in file.read().split()]
        return [pid for pid in children if b"spawn_main" in _command(pid)]

    def get(self, path):
        """Ask on a new connection, which any worker may take."""
        status, text = ask(self.url + path)
        assert status == 200, text
        return text

    def predict(self):
        return ask(self.url + "/predict", SPAM, self.key)[0]

    def until_two(self, *, without=0):
        """Wait for two workers, neither of which is `without`."""
        for _ in range(600):
            with suppress(OSError, HTTPException, ValueError):
                two = value(self.get("/metrics"), "api_workers") == 2
                if two and len(set(self.pids()) - {without}) == 2:
                    return
            time.sleep(0.1)
        raise AssertionError("the two workers did not come up")


def _command(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()


@pytest.fixture
def workers(sqlite_template, tmp_path):
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    house = House(tmp_path)
    started = Workers(house)
    yield started
    started.process.terminate()
    started.process.wait(30)
    house.db.engine.dispose()


@pytest.mark.processes
def test_any_worker_answers_for_all_and_a_killed_one_takes_no_count_with_it(workers):
    counted = 'api_requests_total{endpoint="/predict",method="POST",status="200"}'
    workers.until_two()
    assert {workers.predict() for _ in range(40)} == {200}
    time.sleep(1.2)
    before = {value(workers.get("/metrics"), counted) for _ in range(10)}
    killed = workers.pids()[0]
    os.kill(killed, signal.SIGKILL)
    workers.until_two(without=killed)
    after = {value(workers.get("/metrics"), counted) for _ in range(10)}
    assert (before, after) == ({40}, {40})
