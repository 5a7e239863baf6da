"""The same view of trainings and releases on a real MLflow server, over SQLite and PostgreSQL."""

import os
import signal
import socket
import subprocess
import sys
import uuid
from datetime import timedelta

import httpx
import psycopg
import pytest

from core import jobs, runs, specs
from core.adapters import mlflow_store
from core.adapters.mlflow_registry import MlflowRegistry
from core.training.run import carry_out
from tests.adapters.test_mlflow_store import SPEC
from tests.e2e.person import until

pytestmark = [
    pytest.mark.extras,
    pytest.mark.processes,
    pytest.mark.timeout(240),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request, tmp_path):
    """Start a tracking server with that kind of database; return its address."""
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    if request.param == "postgresql":
        store = _fresh_database(request.getfixturevalue("postgresql"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    started = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
        + ["--port", str(port), "--backend-store-uri", store]
        + ["--artifacts-destination", str(tmp_path / "there")],
        cwd=tmp_path,
        start_new_session=True,
        stdout=(tmp_path / "mlflow.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(address), 120, f"MLflow on {request.param}")
        yield address
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait(30)


def _fresh_database(url):
    name = f"mlflow_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"create database {name}")
    return url.replace("/postgres?", f"/{name}?").replace("postgresql://", "postgresql+psycopg://")


def _answers(address):
    try:
        return httpx.get(f"{address}/health").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_training_and_what_serves_are_shown_on_a_server(server, db, settings, ana, monkeypatch):
    import mlflow

    monkeypatch.setattr(mlflow_store, "SECONDS", 60)  # a busy machine is slow, not away
    settings = settings.model_copy(update={"mlflow_tracking_uri": server})
    specs.apply(db, ana, SPEC)
    run = runs.request(db, ana, "small", trigger="test")
    claim = jobs.claim(db, "one", lease=timedelta(minutes=5))
    carry_out(settings, db, claim, run.id, MlflowRegistry(settings))
    MlflowRegistry(settings).point("small", {"champion": "1.0.0"}, shown=set())
    with db.read() as session:
        shown = runs.get(session, run.id)
        lines = [line.text for line in jobs.lines(session, run.job_id)]
    assert shown.mlflow_run_id, lines
    there = mlflow.MlflowClient().get_model_version_by_alias("small", "champion")
    assert there.tags["pilothouse.version"] == "1.0.0"
    model = mlflow.pyfunc.load_model("models:/small@champion")
    assert set(model.predict(model.input_example)) <= {"benign", "malignant"}
