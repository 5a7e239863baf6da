import math

import pytest

from core.errors import UnavailableError
from core.serving import artifacts
from core.sqlite import file_of
from tests import serving_kit as kit
from tests.api.conftest import is_problem

SPAM = {"message": "win a free prize"}
CALLS = [("POST", "/predict"), ("POST", "/feedback"), ("GET", "/api/v1/models")]


def away():
    raise UnavailableError("the database does not answer; it is tried again")


def test_without_the_database_it_is_ready_and_says_why_it_is_degraded(client, serving, monkeypatch):
    monkeypatch.setattr(serving.db, "read", away)
    serving._try(serving.refresh)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    (why,) = answer.json()["reasons"]
    assert why.startswith("the database does not answer")
    assert client.post("/predict", json=SPAM).status_code == 200


def test_a_database_file_that_was_moved_away_is_said_while_predictions_go_on(client, serving):
    serving.refresh()
    place = file_of(serving.db.engine)
    place.rename(place.with_name("away.db"))
    serving._try(serving.refresh)
    assert client.post("/predict", json=SPAM).status_code == 200
    body = client.get("/health").json()
    assert (body["status"], len(body["reasons"])) == ("degraded", 1)
    assert body["reasons"][0].startswith("there is no database at pilothouse.db; if it was moved")


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_keys_read_too_long_ago_open_nothing_and_are_not_called_wrong(
    client, serving, monkeypatch, method, path
):
    monkeypatch.setattr(serving, "_good_until", -math.inf)
    monkeypatch.setattr(serving.db, "read", away)
    body = SPAM if method == "POST" else None
    is_problem(client.request(method, path, json=body), 503, "not reached for 24 hours")
    is_problem(client.get("/health/ready"), 503, "not reached for 24 hours")
    assert client.get("/health").json()["status"] == "degraded"


def test_a_model_that_cannot_be_loaded_degrades_and_names_no_path(client, serving, db, settings):
    row = kit.register(db, settings, "sms_spam", "3.0.0", flipped=True)
    artifacts.path(settings, row.artifact).unlink()
    kit.release(db, "sms_spam", "3.0.0")
    serving.refresh()
    body = client.get("/health").json()
    (why,) = body["reasons"]
    assert (body["status"], body["current_model_version"]) == ("degraded", "2.0.0")
    assert "sms_spam: the model file" in why
    assert "as a shared volume or a copy" in why
    assert str(settings.root) not in why
