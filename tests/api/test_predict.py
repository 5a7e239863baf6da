from core import predictions
from core.serving import shipper
from tests.api.conftest import is_problem

FIELDS = {
    "prediction_id",
    "prediction",
    "label",
    "confidence",
    "probabilities",
    "model",
    "model_version",
    "variant",
    "user_id",
    "latency_ms",
    "timestamp",
}


def test_a_message_is_answered_with_exactly_the_documented_fields(client):
    answer = client.post("/predict", json={"message": "win a free prize", "user_id": "u1"})
    body = answer.json()
    assert (answer.status_code, set(body)) == (200, FIELDS)
    assert (body["prediction"], body["model_version"], body["user_id"]) == ("spam", "2.0.0", "u1")


def test_a_tabular_model_is_named_in_any_spelling(client):
    body = {"model": "Heart-Disease", "features": {"age": 63, "sex": "1"}}
    answer = client.post("/predict", json=body)
    assert (answer.status_code, answer.json()["model"]) == (200, "heart_disease")


def test_a_slow_model_is_computed_beside_the_event_loop(client, serving, monkeypatch):
    scorer = serving.board.served["sms_spam"].champion
    monkeypatch.setattr(scorer, "slow", True)
    assert client.post("/predict", json={"message": "hello"}).status_code == 200


def test_while_too_many_wait_for_a_slow_model_it_is_503_and_a_quick_one_is_answered(
    client, serving, monkeypatch
):
    slow = serving.board.served["heart_disease"].champion
    monkeypatch.setattr(slow, "slow", True)
    monkeypatch.setattr(serving.aside, "_waiting", 1_000)
    given = {"model": "heart_disease", "features": {"age": 63}}
    refused = client.post("/predict", json=given)
    is_problem(refused, 503, "try again")
    assert refused.headers["retry-after"] == "1"
    is_problem(client.post("/predict/batch", json={"messages": ["hello"]}), 503, "wait for this")
    assert client.post("/predict", json={"message": "hello"}).status_code == 200


def test_a_repeated_request_gets_the_same_answer(client):
    body = {"message": "hello", "request_id": "r1"}
    first, again = (client.post("/predict", json=body).json() for _ in range(2))
    assert first == again
    other = client.post("/predict", json={"message": "other", "request_id": "r1"})
    is_problem(other, 409, "request_id")


def test_each_item_of_a_batch_has_a_result_of_its_own(client):
    body = {
        "messages": ["win a prize", "", 7, "x\x00", "see you"],
        "user_ids": ["a", None, "c", "d", ""],
    }
    answer = client.post("/predict/batch", json=body).json()
    good = ["prediction" in result for result in answer["results"]]
    assert good == [True, False, False, False, False]
    assert (answer["succeeded"], answer["failed"]) == (1, 4)
    assert answer["results"][1]["error"]["detail"] == "the message is empty"


def test_a_batch_of_features(client):
    body = {"model": "heart_disease", "batch_features": [{"age": 50}, {"height": 1}, "no"]}
    answer = client.post("/predict/batch", json=body).json()
    assert ["error" in result for result in answer["results"]] == [False, True, True]


def test_a_batch_that_does_not_fit_together_is_refused(client, serving):
    is_problem(client.post("/predict/batch", json={}), 422, "messages or batch_features")
    uneven = {"messages": ["a"], "user_ids": ["u", "v"]}
    is_problem(client.post("/predict/batch", json=uneven), 422, "one entry per item")
    serving.settings.max_batch = 2
    is_problem(client.post("/predict/batch", json={"messages": ["a"] * 3}), 413, "at most 2")
    is_problem(client.post("/predict/batch", json={"model": "x", "messages": ["a"]}), 404)


def test_every_answer_reaches_the_database(client, serving, db, settings):
    ids = [client.post("/predict", json={"message": "hi"}).json()["prediction_id"]]
    batch = client.post("/predict/batch", json={"messages": ["a b", "c d"]}).json()
    ids += [result["prediction_id"] for result in batch["results"]]
    shipper.ship(db, settings)
    with db.read() as session:
        rows = predictions.recent(session, "sms_spam", 10)
    assert sorted(row.id for row in rows) == sorted(ids)


def test_when_the_log_is_full_the_answer_is_503_with_a_time_to_retry(client, serving):
    serving.spool.max_bytes = 10
    answer = client.post("/predict", json={"message": "hello"})
    is_problem(answer, 503, "log is full")
    assert int(answer.headers["retry-after"]) > 0
    is_problem(client.get("/health/ready"), 503) if serving.spool.used_bytes() > 10 else None
