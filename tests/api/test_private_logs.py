"""What people sent, who they are and which keys they use is in no log line."""

import logging
import sys
import threading

import pytest

from core import logs
from core.serving import shipper

MESSAGE, USER, PATIENT, LABEL = "Kiss4711", "Alice4712", "Ward4713", "Truth4714"


@pytest.fixture
def logged(client, serving, monkeypatch, capsys):
    """Log as the api process does, at its most talkative; return a function that reads it all."""
    root = logging.getLogger()
    kept = root.handlers[:], root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    talkative = serving.settings.model_copy(update={"log_level": "DEBUG"})
    logs.start("api", talkative)
    logging.getLogger("api").debug("the log begins")
    path = talkative.logs / "api.log"
    yield lambda: path.read_text() + "".join(capsys.readouterr())
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = kept


def converse(client):
    """Everything that people send, in good and in bad requests."""
    said = {"message": f"win a prize {MESSAGE}", "user_id": USER, "request_id": USER}
    sick = {"model": "heart_disease", "features": {"age": 63, "sex": PATIENT}, "entity_id": PATIENT}
    answer = client.post("/predict", json=said).json()
    yield client.post("/predict", json=sick)
    yield client.post("/predict", json={**said, MESSAGE: MESSAGE})
    yield client.post("/predict", json={**said, "model": MESSAGE})
    yield client.post("/predict", content=f'{{"message": "{MESSAGE}'.encode())
    yield client.post("/predict/batch", json={"messages": [MESSAGE, 7], "user_ids": [USER, USER]})
    true = {"prediction_id": answer["prediction_id"], "label": LABEL, "source": USER}
    yield client.post("/feedback", json=true)
    yield client.post(f"/{MESSAGE}?user={USER}", json=said, headers={"X-API-Key": f"ph_{MESSAGE}"})
    yield client.get("/health", headers={"X-Request-ID": f"{USER}@example.org"})


def test_a_session_of_predictions_leaves_no_trace_of_people(client, logged, db, settings, secrets):
    statuses = {answer.status_code for answer in converse(client)}
    shipper.ship(db, settings)
    found = logged()
    assert {200, 404, 422} <= statuses
    assert "the log begins" in found
    for private in (MESSAGE, USER, PATIENT, LABEL, *secrets.values()):
        assert private not in found


@pytest.mark.parametrize("slow", [False, True], ids=["here", "in-a-pool"])
def test_a_model_that_quotes_its_input_in_an_error_is_logged_without_it_under_the_request(
    client, logged, serving, monkeypatch, slow
):
    def quote(given):
        raise ValueError(f"cannot score {given!r}")

    scorer = serving.board.served["sms_spam"].champion
    monkeypatch.setattr(scorer, "score", quote)
    monkeypatch.setattr(scorer, "slow", slow)
    answer = client.post(
        "/predict", json={"message": MESSAGE, "user_id": USER}, headers={"X-Request-ID": "o-1"}
    )
    found = logged()
    assert answer.status_code == 500
    assert '"request_id": "o-1"' in found
    assert "ValueError" in found
    assert MESSAGE not in found
