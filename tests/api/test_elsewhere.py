from core import predictions
from core.releases import Arm
from core.serving import shipper
from tests import serving_kit as kit
from tests.api.conftest import is_problem

URL = "/api/v1/monitoring/log-prediction"


def one(**change):
    given = {"version": "2.0.0", "message": "win", "prediction": "ham", "confidence": 0.75}
    return {**given, "latency_ms": 3.0, **change}


def stored(db, settings, model="sms_spam"):
    shipper.ship(db, settings)
    with db.read() as session:
        return predictions.recent(session, model, 100), predictions.accuracy(session, model)


def test_what_was_predicted_elsewhere_is_logged_like_our_own_with_its_label(client, db, settings):
    made = [one(user_id="ana", true_label="ham"), one(prediction="spam", true_label="ham")]
    answer = client.post(URL, json={"predictions": made}).json()
    rows, found = stored(db, settings)
    assert {row.id for row in rows} == set(answer["prediction_ids"])
    assert {(row.label, row.probability) for row in rows} == {("ham", 0.25), ("spam", 0.75)}
    assert (found.n, found.correct) == (2, 1)
    assert {(row.variant, row.release_seq, row.latency_ms) for row in rows} == {("control", 2, 3.0)}


def test_a_label_needs_the_scope_that_labels_need(client, secrets):
    client.headers["X-API-Key"] = secrets["predict"]
    assert client.post(URL, json={"predictions": [one()]}).is_success
    labelled = client.post(URL, json={"predictions": [one(true_label="ham")]})
    is_problem(labelled, 403, "needs the scope feedback")


def test_a_named_one_is_stored_once(client, db, settings):
    for _ in range(2):
        assert client.post(URL, json={"predictions": [one(request_id="r1")]}).is_success
    assert len(stored(db, settings)[0]) == 1


def test_a_bad_one_never_fails_the_rest(client, db, settings):
    bad = [
        one(version="9.9.9"), one(prediction="eggs"), one(true_label="eggs"), one(message=""),
        one(message=None), one(features={}), one(message=None, features={"age": 1}),
    ]  # fmt: skip
    answer = client.post(URL, json={"predictions": [*bad, one()]}).json()
    assert [each["index"] for each in answer["refused"]] == list(range(7))
    assert [key is None for key in answer["prediction_ids"]] == [True] * 7 + [False]
    assert len(stored(db, settings)[0]) == 1


def test_one_that_is_malformed_never_fails_the_rest_and_is_told_what_is_wrong(client, db, settings):
    bad = [one(confidence=2), one(version="new"), {"message": "win"}, "win", None, one(colour=1)]
    answer = client.post(URL, json={"predictions": [*bad, one()]})
    assert (answer.status_code, len(stored(db, settings)[0])) == (200, 1)
    refused = answer.json()["refused"]
    assert [(each["index"], each["error"]["status"]) for each in refused] == [
        (index, 422) for index in range(6)
    ]
    assert refused[0]["error"]["detail"].startswith("confidence: ")
    assert refused[3]["error"]["detail"] == "send a JSON object"


def test_features_are_read_as_the_version_reads_them(client, db, settings):
    made = one(version="1.0.0", message=None, features={"age": 50}, prediction="disease")
    body = {"model_name": "heart-disease", "predictions": [made]}
    assert client.post(URL, json=body).json()["refused"] == []
    (row,), _ = stored(db, settings, "heart_disease")
    assert row.input == {"features": {"age": 50.0, "sex": None}}


def test_while_traffic_is_split_predictions_are_made_here(client, serving, db, settings):
    kit.release(db, "sms_spam", Arm("2.0.0", "control", 900), Arm("1.0.0", "treatment", 100))
    serving.refresh()
    answer = client.post(URL, json={"predictions": [one()]}).json()
    assert "while users are split" in answer["refused"][0]["error"]["detail"]


def test_there_is_a_bound(client, settings):
    settings.max_batch = 1
    is_problem(client.post(URL, json={"predictions": [one(), one()]}), 413, "at most 1 ")
