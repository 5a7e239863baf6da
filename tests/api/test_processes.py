"""Real api processes: what they load, what they survive, how fast they follow."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest

from core import keys
from core.access import local
from tests import serving_kit as kit
from tests.processes_kit import ROOT, SPAM, Api, House, join, under_load, until

HEAVY = ("mlflow", "evidently", "langchain", "streamlit", "plotly", "optuna", "shap", "onnx",
         "lightgbm", "xgboost", "great_expectations", "ray", "dvc", "torch")  # fmt: skip
OURS = ("core.panel", "core.adapters", "core.agent", "core.automation", "core.cli")

pytestmark = pytest.mark.processes

CALL_EVERYTHING = """
import json, sys
from fastapi.testclient import TestClient
from api import main
before = [name for name in sys.modules if name == "sklearn"]
app = main.create()
with TestClient(app, headers={"X-API-Key": sys.argv[1]}) as client:
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            url = path.replace("{name}", "sms_spam").replace("{version}", "1.0.0")
            url = url.replace("{v1}", "1.0.0").replace("{v2}", "2.0.0")
            for place in ("{job_id}", "{report_id}"):
                url = url.replace(place, "00000000-0000-0000-0000-000000000000")
            body = None if method == "get" else {"message": "hi"}
            client.request(method, url, json=body)
print(json.dumps({"early": before, "modules": sorted(sys.modules)}))
"""


@pytest.fixture
def house(sqlite_template, tmp_path):
    built = House(shutil.copytree(sqlite_template, tmp_path, dirs_exist_ok=True))
    yield built
    built.db.engine.dispose()


@pytest.fixture(scope="module")
def shared(sqlite_template, tmp_path_factory):
    """A house with one api process that several tests use, none of which ends it."""
    home = tmp_path_factory.mktemp("shared")
    built = House(shutil.copytree(sqlite_template, home, dirs_exist_ok=True))
    built.api = Api(built)
    yield built
    built.api.end(signal.SIGKILL)
    built.db.engine.dispose()


@pytest.fixture
def api(house):
    """An api process that the test may end."""
    begun = Api(house)
    yield begun
    if begun.process.poll() is None:
        begun.end(signal.SIGKILL)


def test_every_route_answers_without_the_heavy_libraries(house):
    kit.deploy(house.db, house.settings, "heart_disease", "2.0.0")  # scikit-learn itself serves
    done = subprocess.run(
        [sys.executable, "-c", CALL_EVERYTHING, house.secret],
        env=house.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded["early"] == []
    assert set(loaded["modules"]) & {*HEAVY, *OURS} == set()
    assert "sklearn" in loaded["modules"]


def test_answers_survive_kill_9(house, api):
    stop, answers, _, threads = under_load(api)
    time.sleep(1.5)
    api.end(signal.SIGKILL)
    join(stop, threads)
    answered, kept = {answer["prediction_id"] for _, answer in answers}, house.stored()
    assert len(answered) > 50
    assert answered <= kept
    assert len(kept - answered) <= len(threads)  # logged, but cut off before the answer


def test_sigterm_answers_what_was_asked_and_gives_the_log_up(house, api):
    stop, answers, _, threads = under_load(api)
    time.sleep(0.5)
    code = api.end(signal.SIGTERM)
    join(stop, threads)
    assert code in (0, -signal.SIGTERM)
    assert {answer["prediction_id"] for _, answer in answers} == house.stored()
    assert not list(house.settings.folder("spool").glob("*.spool"))


def test_a_release_under_load_is_soon_seen_and_fails_no_request(shared):
    kit.compiled(shared.db, shared.settings, "sms_spam", "2.0.0", kit.text_plan(flipped=True))
    stop, answers, failures, threads = under_load(shared.api)
    until(lambda: len(answers) > 50)
    released = time.monotonic()
    kit.release(shared.db, "sms_spam", "2.0.0")
    until(lambda: answers[-1][1]["model_version"] == "2.0.0")
    join(stop, threads)
    old = [at for at, answer in answers if answer["model_version"] == "1.0.0"]
    new = [at for at, answer in answers if answer["model_version"] == "2.0.0"]
    print(f"seen after {min(new) - released:.2f} s, {len(answers)} answers")
    assert failures == []
    assert min(old) < released < min(new) < released + 5  # a second, where nothing else runs


def test_some_seconds_of_load_take_no_more_memory(shared):
    """The short form of the ten minutes in tests/chaos: a kilobyte or two kept of each shows."""
    process = psutil.Process(shared.api.process.pid)
    stop, answers, failures, threads = under_load(shared.api)
    until(lambda: len(answers) > 1_000)
    before, n = process.memory_info().rss, len(answers)
    until(lambda: len(answers) > n + 3_000)
    grown = (process.memory_info().rss - before) / 2**20
    join(stop, threads)
    print(f"{len(answers) - n} answers, RSS {before / 2**20:.0f} MB and {grown:+.1f} MB")
    assert failures == []
    assert grown < 5


def test_predictions_go_on_while_the_database_is_away(shared):
    path = shared.settings.root / "pilothouse.db"
    shared.db.engine.dispose()
    away = path.rename(path.with_suffix(".away"))
    path.mkdir()
    with shared.api.client() as client:
        time.sleep(1.2)
        meanwhile = client.post("/predict", json=SPAM)
        path.rmdir()
        away.rename(path)
        after = client.post("/predict", json=SPAM)
    assert (meanwhile.status_code, after.status_code) == (200, 200)
    assert meanwhile.json()["prediction_id"] in shared.stored()


def test_a_new_key_works_and_a_revoked_one_stops_soon(shared):
    soon = 6  # two seconds, where nothing else runs
    row, secret = keys.create(shared.db, local("tester"), name="new", scopes=["predict"])
    with shared.api.client() as client:
        client.headers["X-API-Key"] = secret
        assert until(lambda: client.post("/predict", json=SPAM).status_code == 200) < soon
        keys.revoke(shared.db, local("tester"), row.id)
        assert until(lambda: client.post("/predict", json=SPAM).status_code == 401) < soon


def test_what_the_page_on_rest_shows_works(house, api, tmp_path):
    page = (ROOT / "docs" / "predict.md").read_text()
    shown = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    script = re.sub(r"^(pilothouse |KEY=).*$", "", shown, flags=re.MULTILINE)
    done = subprocess.run(
        ["bash", "-ec", script.replace("localhost:8000", api.url)],
        env={**os.environ, "KEY": house.secret, "no_proxy": "*"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    one, batch, first, second, label, labels, elsewhere = objects(done.stdout)
    assert one["user_id"] == "42"
    assert (batch["succeeded"], batch["failed"]) == (2, 1)
    assert (first["line"], first["user_id"], second["error"]["status"]) == (1, "a", 422)
    for taken in (label, labels):
        assert (taken["accepted"], taken["refused"]) == (1, [])
    assert (len(elsewhere["prediction_ids"]), elsewhere["refused"]) == (1, [])


def objects(text):
    """Return the JSON objects that stand in a text one behind the other."""
    found, decoder = [], json.JSONDecoder()
    while text := text.lstrip():
        one, end = decoder.raw_decode(text)
        found.append(one)
        text = text[end:]
    return found
