"""Real api processes: what they load, what they survive, how fast they follow."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from core import predictions
from core.serving import shipper
from tests import serving_kit as kit

ROOT = Path(__file__).parents[2]
SPAM = {"message": "win a free prize"}
HEAVY = ("mlflow", "evidently", "langchain", "streamlit", "plotly", "scipy.stats", "pandas")
OURS = ("core.panel", "core.adapters", "core.agent", "core.automation", "core.cli")

pytestmark = pytest.mark.processes

CALL_EVERYTHING = """
import json, sys
from fastapi.testclient import TestClient
from api import main
before = [name for name in sys.modules if name == "sklearn"]
app = main.create()
wide = []
with TestClient(app, headers={"X-API-Key": sys.argv[1]}) as client:
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            url = path.replace("{name}", "sms_spam").replace("{version}", "1.0.0")
            url = url.replace("{job_id}", "00000000-0000-0000-0000-000000000000")
            body = None if method == "get" else {"message": "hi"}
            client.request(method, url, json=body)
print(json.dumps({"early": before, "modules": sorted(sys.modules)}))
"""


@pytest.fixture
def environment(settings, models, secrets):
    """What an api process of its own needs to find the same data."""
    own = {
        "PILOTHOUSE_ENV": "test",
        "PILOTHOUSE_HOME": str(settings.root),
        "PILOTHOUSE_DATABASE_URL": settings.database_url,
        "PILOTHOUSE_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    return {**os.environ, **own}


class Api:
    """One uvicorn process on a free port."""

    def __init__(self, environment, secret):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "api.main:create", "--factory"]
        command += ["--port", str(port), "--no-access-log", "--loop", "uvloop"]
        self.process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL
        )
        self.url = f"http://127.0.0.1:{port}"
        self.headers = {"X-API-Key": secret}
        self._wait()

    def _wait(self):
        for _ in range(300):
            try:
                if httpx.get(f"{self.url}/health/ready", trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise AssertionError("the api did not become ready")

    def client(self):
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=10, trust_env=False)

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def start(environment, secrets):
    """Start api processes; those that still live are ended afterwards."""
    started = []

    def begin():
        started.append(Api(environment, secrets["all"]))
        return started[-1]

    yield begin
    for api in started:
        if api.process.poll() is None:
            api.end(signal.SIGKILL)


def load(api, stop, answers, failures):
    """Send predictions until `stop`; keep the answers that arrived whole."""
    with api.client() as client:
        while not stop.is_set():
            try:
                answer = client.post("/predict", json=SPAM)
            except httpx.HTTPError as error:
                failures.append(error)
                return
            if answer.status_code == 200:
                answers.append((time.monotonic(), answer.json()))
            else:
                failures.append(answer.status_code)


def under_load(api, n=3):
    stop, answers, failures = threading.Event(), [], []
    threads = [threading.Thread(target=load, args=(api, stop, answers, failures)) for _ in range(n)]
    for thread in threads:
        thread.start()
    return stop, answers, failures, threads


def join(stop, threads):
    stop.set()
    for thread in threads:
        thread.join()


def stored(db, settings):
    while shipper.ship(db, settings):
        pass
    with db.read() as session:
        return {row.id for row in predictions.recent(session, "sms_spam", 1_000_000)}


def test_every_route_answers_without_the_heavy_libraries(environment, secrets):
    done = subprocess.run(
        [sys.executable, "-c", CALL_EVERYTHING, secrets["all"]],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded["early"] == []
    names = set(loaded["modules"])
    assert not names & {*HEAVY[:4], *OURS}
    assert "sklearn" in names


def test_answers_survive_kill_9(start, db, settings):
    answered = set()
    for _ in range(2):
        api = start()
        stop, answers, _, threads = under_load(api)
        time.sleep(1.0)
        api.end(signal.SIGKILL)
        join(stop, threads)
        answered |= {answer["prediction_id"] for _, answer in answers}
    kept = stored(db, settings)
    assert len(answered) > 50
    assert answered <= kept
    assert len(kept - answered) <= 6  # written, but the client was cut off before the answer


def test_sigterm_answers_what_was_asked_and_gives_the_log_up(start, db, settings):
    api = start()
    stop, answers, _, threads = under_load(api)
    time.sleep(0.5)
    code = api.end(signal.SIGTERM)
    join(stop, threads)
    assert code in (0, -signal.SIGTERM)
    assert {answer["prediction_id"] for _, answer in answers} == stored(db, settings)
    assert not list(settings.folder("spool").glob("*.spool"))


def test_a_release_under_load_is_seen_within_two_seconds_and_fails_no_request(start, db, settings):
    api = start()
    kit.register(db, settings, "sms_spam", "3.0.0", flipped=True)
    stop, answers, failures, threads = under_load(api)
    time.sleep(0.7)
    released = time.monotonic()
    kit.release(db, "sms_spam", "3.0.0")
    time.sleep(2.0)
    join(stop, threads)
    new = [at for at, answer in answers if answer["model_version"] == "3.0.0"]
    old = [at for at, answer in answers if answer["model_version"] == "2.0.0"]
    print(f"seen after {min(new) - released:.2f} s, {len(answers)} answers")
    assert failures == []
    assert old
    assert min(new) - released < 2.0
    assert max(old) < min(new) + 0.1


def test_predictions_go_on_while_the_database_is_away(start, db, settings, tmp_path):
    api = start()
    path = tmp_path / "pilothouse.db"
    with api.client() as client:
        away = path.rename(path.with_suffix(".away"))
        (tmp_path / "pilothouse.db").mkdir()
        time.sleep(1.2)
        first = client.post("/predict", json=SPAM)
        down = client.get("/api/v1/models")
        path.rmdir()
        away.rename(path)
        assert first.status_code == 200
        assert client.post("/predict", json=SPAM).status_code == 200
        assert down.status_code in (200, 503)
    assert first.json()["prediction_id"] in stored(db, settings)
