import pytest

from api import explain
from core.features import values
from core.features.values import Given
from core.serving import shipper
from tests import serving_kit as kit
from tests.api.conftest import is_problem

SPAM = {"message": "win a free prize now"}


def test_a_text_is_explained_by_its_words_with_what_serves(client):
    said = client.post("/api/v1/models/sms-spam/explain", json=SPAM).json()
    assert (said["model"], said["version"], said["label"]) == ("sms_spam", "2.0.0", "spam")
    assert {part["name"] for part in said["parts"]} == {"win", "free", "prize", "now"}
    total = said["base"] + sum(part["contribution"] for part in said["parts"]) + said["rest"]
    assert total == pytest.approx(said["score"], abs=1e-9)


def test_features_are_explained_by_name_and_given_value(client):
    body = {"features": {"age": 70, "sex": 1}, "version": "1.0.0"}
    said = client.post("/api/v1/models/heart_disease/explain", json=body).json()
    assert {part["name"]: part["value"] for part in said["parts"]} == {"age": 70, "sex": "1"}


def test_a_body_that_predict_takes_is_explained_with_what_it_looks_up_and_derives(
    client, db, ana, settings, monkeypatch, clock
):
    kit.share_features(db, ana, monkeypatch)
    kit.deploy(db, settings, "heart_disease", "2.0.0")
    values.load(db, ana, [Given("age", "p1", clock(), 70)])
    client.app.state.service.refresh()
    body = {"features": {"mail": "me@1"}, "entity_id": "p1"}
    made = client.post("/predict", json={**body, "model": "heart_disease"}).json()

    said = client.post("/api/v1/models/heart_disease/explain", json=body).json()

    assert {part["name"]: part["value"] for part in said["parts"]} == {"age": 70, "sex": "1"}
    assert said["probability"] == pytest.approx(made["probabilities"]["disease"])


def test_an_older_version_can_be_asked(client):
    said = client.post("/api/v1/models/sms_spam/explain", json={**SPAM, "version": "1.0.0"}).json()
    assert said["version"] == "1.0.0"


def test_a_stored_prediction_is_explained_with_the_version_that_answered_it(client, db, settings):
    made = client.post("/predict", json=SPAM).json()
    client.app.state.service.spool.close()
    while shipper.ship(db, settings):
        pass
    kit.deploy(db, settings, "sms_spam", "3.0.0", flipped=True)

    said = client.get(f"/api/v1/predictions/{made['prediction_id']}/explain").json()

    assert (said["version"], said["label"]) == ("2.0.0", "spam")
    assert said["probability"] == pytest.approx(made["probabilities"]["spam"])


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("sms_spam", {}, 422, "either message or features"),
        ("sms_spam", {"features": {"age": 1}}, 422, "a message, not features"),
        ("sms_spam", {"message": " "}, 422, "empty"),
        ("sms_spam", {**SPAM, "version": "9.9.9"}, 404, "no version 9.9.9"),
        ("nobody", SPAM, 404, "no model"),
        ("heart_disease", {"features": {"colour": "red"}}, 422, "unknown feature"),
        ("sms_spam", {"message": "a" * 30_000}, 422, "at most 20,000"),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_sentence(client, path, body, status, words):
    is_problem(client.post(f"/api/v1/models/{path}/explain", json=body), status, words)


def test_an_unknown_prediction_is_not_found(client):
    unknown = "00000000-0000-0000-0000-000000000000"
    is_problem(client.get(f"/api/v1/predictions/{unknown}/explain"), 404, "no prediction")


def test_asking_needs_the_scope_predict_and_looking_back_the_scope_read(client, secrets):
    client.headers["X-API-Key"] = secrets["read"]
    assert client.post("/api/v1/models/sms_spam/explain", json=SPAM).status_code == 403
    client.headers["X-API-Key"] = secrets["predict"]
    unknown = "00000000-0000-0000-0000-000000000000"
    assert client.get(f"/api/v1/predictions/{unknown}/explain").status_code == 403


def test_more_than_two_at_a_time_have_to_come_again(client):
    with explain._free, explain._free:
        answer = client.post("/api/v1/models/sms_spam/explain", json=SPAM)
        is_problem(answer, 503, "ask again")
        assert answer.headers["Retry-After"] == "1"
    assert client.post("/api/v1/models/sms_spam/explain", json=SPAM).status_code == 200


def test_one_that_takes_too_long_is_given_up(client, monkeypatch):
    import time

    monkeypatch.setattr(explain, "MOST_SECONDS", 0.05)
    monkeypatch.setattr(explain.answers, "explain", lambda *_, **__: time.sleep(0.4))
    is_problem(client.post("/api/v1/models/sms_spam/explain", json=SPAM), 503, "took too long")
