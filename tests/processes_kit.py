"""A data folder with released models, real api processes on it, and clients that ask them."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select

from core import keys
from core.access import local
from core.clock import utc_now
from core.db import Database
from core.serving import shipper
from core.settings import Settings
from core.tables.telemetry import Prediction
from tests import serving_kit as kit

ROOT = Path(__file__).parents[1]
SPAM = {"message": "win a free prize"}


class House:
    """A data folder with a database, released models and a key, and the processes on it.

    The models serve with plans: a process that loads no scikit-learn starts in a third of the time.
    """

    def __init__(self, home, url=None):
        self.settings = Settings(
            _env_file=None,
            env="test",
            home=home,
            database_url=url or f"sqlite:///{home}/pilothouse.db",
            secret_key="only-for-tests-0123456789abcdefghij",
        )
        self.db = Database(self.settings, utc_now)
        kit.apply_specs(self.db, local("tester"))
        for model, pipeline in (("sms_spam", kit.text_plan()), ("heart_disease", kit.table_plan())):
            kit.compiled(self.db, self.settings, model, "1.0.0", pipeline)
            kit.release(self.db, model, "1.0.0")
        _, self.secret = keys.create(
            self.db, local("tester"), name="all", scopes=["predict", "feedback", "read", "operate"]
        )

    def environment(self):
        own = {
            "PILOTHOUSE_ENV": "test",
            "PILOTHOUSE_HOME": str(self.settings.root),
            "PILOTHOUSE_DATABASE_URL": self.settings.database_url,
            "PILOTHOUSE_SECRET_KEY": self.settings.secret_key.get_secret_value(),
        }
        return {**os.environ, **own}

    def stored(self):
        """Move the log, and return the ids of all answers."""
        while shipper.ship(self.db, self.settings):
            pass
        with self.db.read() as session:
            return set(session.scalars(select(Prediction.id)))


class Api:
    """One uvicorn process on a free port."""

    def __init__(self, house):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "uvicorn", "api.main:create", "--factory"]
        command += ["--port", str(port), "--loop", "uvloop", "--http", "api.protocol:Protocol"]
        self.process = subprocess.Popen(
            command, env=house.environment(), cwd=ROOT, stderr=subprocess.DEVNULL
        )
        self.url = f"http://127.0.0.1:{port}"
        self.headers = {"X-API-Key": house.secret}
        self._wait()

    def _wait(self):
        for _ in range(600):
            with suppress(OSError, HTTPException):
                if ask(f"{self.url}/health/ready")[0] == 200:
                    return
            time.sleep(0.1)
        raise AssertionError("the api did not become ready")

    def client(self):
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=30, trust_env=False)

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(30)


def ask(url, body=None, headers=None):
    """Return (status, text) of one request on a connection of its own: 30 times httpx's speed."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname, place.port, timeout=30)
    try:
        head = {"Content-Type": "application/json", **(headers or {})}
        sent = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", place.path, sent, head)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


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


def until(holds):
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < 30
        time.sleep(0.02)
    return time.monotonic() - start
