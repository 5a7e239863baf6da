import json

import pytest
from pydantic import SecretStr

from core import heartbeat
from core.cli import doctor
from core.clock import utc_now
from core.db import Database
from tests.e2e.product import free_port
from tests.e2e.receivers import Posts


@pytest.fixture
def settings(settings):
    """Settings of an installation of which nothing runs."""
    ports = {f"{name}_port": free_port() for name in ("api", "panel", "mlflow")}
    return settings.model_copy(update=ports)


@pytest.fixture
def found(say, settings):
    """Set something, ask the doctor; returns the exit code, and (ok, sentence) by name."""

    def ask(**setting):
        for name, value in setting.items():
            setattr(settings, name, value)
        code, out, _ = say("doctor", "--json")
        return code, {row["what"]: (row["ok"], row["finding"]) for row in json.loads(out)}

    return ask


def test_doctor_says_what_is_there(say, spam):
    code, out, _ = say("doctor")
    assert (code, "database" in out, "sms_spam (not released)" in out) == (0, True, True)
    assert {row["what"] for row in json.loads(say("doctor", "--json")[1])} >= {"database", "agent"}


def test_doctor_says_what_answers_survive_and_what_the_log_lost(say, spam, settings):
    found = {row["what"]: row for row in json.loads(say("doctor", "--json")[1])}
    assert "answers survive a killed process" in found["log"]["finding"]
    (settings.folder("spool") / "x-0.damaged").touch()
    code, out, _ = say("doctor", "--json")
    found = {row["what"]: row for row in json.loads(out)}
    assert (code, found["log"]["ok"]) == (1, False)


def test_nothing_that_runs_is_no_fault_and_is_said(found, spam):
    code, said = found()
    assert code == 0
    assert {said[name][0] for name in ("api", "panel", "worker", "shipper", "channels")} == {None}
    assert "not started here" in said["api"][1]
    assert said["mlflow"] == (True, "a local store in the data folder")


def test_processes_that_say_that_they_live_are_named(found, spam, settings):
    db = Database(settings, utc_now)
    heartbeat.beat(db, "worker@north")
    db.engine.dispose()
    said = found()[1]
    assert said["worker"] == (True, "lives: north")
    assert said["shipper"][0] is None


@pytest.fixture
def server():
    """A server that answers what it is told to: ``server(401)`` returns its address."""
    opened = []

    def answer(status):
        posts = Posts()
        posts.server.RequestHandlerClass.do_GET = lambda self: (
            self.send_response(status),
            self.send_header("Content-Length", "0"),
            self.end_headers(),
        )
        opened.append(posts)
        return posts.url

    yield answer
    for one in opened:
        one.close()


def test_a_tracking_server_is_asked(found, spam, server):
    address = server(200)
    assert found(mlflow_tracking_uri=address)[1]["mlflow"] == (True, f"{address}/health")
    code, said = found(mlflow_tracking_uri="http://127.0.0.1:9")
    assert (code, said["mlflow"][0]) == (0, None)
    assert "shown there later" in said["mlflow"][1]


@pytest.mark.parametrize(
    ("status", "code", "ok", "words"),
    [(200, 0, True, "gpt-5-mini at http"), (401, 1, False, "refuses the key")],
)
def test_a_language_model_is_asked_with_its_key(found, spam, server, status, code, ok, words):
    key = SecretStr("sk-never-shown")
    answered, said = found(openai_api_key=key, openai_base_url=f"{server(status)}/v1")
    assert (answered, said["agent"][0]) == (code, ok)
    assert words in said["agent"][1]
    assert "never-shown" not in str(said)


def test_a_language_model_that_is_away_is_no_fault(found, spam):
    key = SecretStr("sk-x")
    code, said = found(openai_api_key=key, openai_base_url="http://127.0.0.1:9/v1")
    assert (code, said["agent"][0]) == (0, None)


def test_an_address_without_a_mail_server_is_a_fault(found, spam):
    code, said = found(alert_email="ops@example.com")
    assert (code, said["channels"][0]) == (1, False)
    assert "PILOTHOUSE_SMTP_HOST" in said["channels"][1]
    assert found(smtp_host="mail.example.com")[1]["channels"][1].startswith("email; ")


def test_a_package_that_a_setting_needs_is_named_with_its_file(found, spam, monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda _name: None)
    code, said = found(ray_address="127.0.0.1:6379")
    assert (code, said["ray"]) == (
        1,
        (False, "PILOTHOUSE_RAY_ADDRESS is set: install requirements-ray.txt"),
    )
