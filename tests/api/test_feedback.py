from core import predictions
from core.serving import shipper
from tests.api.conftest import is_problem


def answered(client):
    return client.post("/predict", json={"message": "win a prize"}).json()["prediction_id"]


def accuracy(db, settings):
    shipper.ship(db, settings)
    with db.read() as session:
        return predictions.accuracy(session, "sms_spam")


def test_a_label_repeated_has_no_further_effect(client, db, settings):
    label = {"prediction_id": answered(client), "label": "spam"}
    for _ in range(2):
        answer = client.post("/feedback", json=label)
        assert answer.json() == {"status": "accepted", "accepted": 1, "refused": []}
    assert accuracy(db, settings).n == 1


def test_many_labels_are_taken_one_by_one(client, db, settings):
    items = [
        {"prediction_id": answered(client), "label": "ham"},
        {"prediction_id": answered(client), "true_label": "spam"},
        {"prediction_id": "not-an-id", "label": "spam"},
        {"prediction_id": answered(client), "label": "eggs"},
    ]
    answer = client.post("/feedback", json={"items": items}).json()
    assert (answer["accepted"], [one["index"] for one in answer["refused"]]) == (2, [2, 3])
    assert "ham, healthy, spam" in answer["refused"][1]["error"]["detail"]
    assert accuracy(db, settings).n == 2


def test_a_label_that_no_model_knows_is_refused(client):
    label = {"prediction_id": answered(client), "label": "eggs"}
    is_problem(client.post("/feedback", json=label), 422, "known are")


def test_a_label_of_another_model_is_refused_once_the_prediction_is_stored(client, db, settings):
    label = {"prediction_id": answered(client), "label": "healthy"}
    shipper.ship(db, settings)
    is_problem(client.post("/feedback", json=label), 422, "does not know this label", "ham, spam")
    assert client.post("/feedback", json={**label, "label": "spam"}).is_success
    assert accuracy(db, settings).n == 1


def test_feedback_is_either_one_or_many(client):
    for body in ({}, {"label": "spam"}, {"items": []}, {"prediction_id": "x", "items": []}):
        is_problem(client.post("/feedback", json=body), 422)
