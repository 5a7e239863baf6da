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


def test_a_malformed_label_never_fails_the_others(client, db, settings):
    good = {"prediction_id": answered(client), "label": "spam"}
    bad = [{**good, "label": None}, {"label": "spam"}, [], None, {**good, "zq9": 1}]
    answer = client.post("/feedback", json={"items": [*bad, good]}).json()
    assert (answer["accepted"], [one["index"] for one in answer["refused"]]) == (1, [0, 1, 2, 3, 4])
    words = [one["error"]["detail"] for one in answer["refused"]]
    assert words[1:3] == ["prediction_id: Field required", "send a JSON object"]
    assert words[4].endswith("it knows prediction_id, label, source")
    assert accuracy(db, settings).n == 1


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


def csv_of(client, *rows, head="prediction_id,label,source"):
    content = "\r\n".join([head, *rows]).encode("utf-8-sig")
    return client.post("/feedback/csv", content=content, headers={"Content-Type": "text/csv"})


def test_a_file_of_labels_is_taken_and_its_refused_rows_are_named_by_line(client, db, settings):
    first, second = answered(client), answered(client)
    answer = csv_of(
        client, f"{first},spam,", f'{second},"ham",till', "not-an-id,spam,x", f"{first},eggs,x",
        f"{first}", f"{first},spam,{'x' * 200}", f"{first},spam,pilothouse:review",
    ).json()  # fmt: skip
    assert (answer["accepted"], [one["line"] for one in answer["refused"]]) == (2, [4, 5, 6, 7, 8])
    assert accuracy(db, settings).n == 2


def test_only_a_line_end_ends_a_line_of_a_file(client):
    row = f"{answered(client)},spam,till\u2028\x0c\x85two"
    assert csv_of(client, row).json() == {"status": "accepted", "accepted": 1, "refused": []}


def test_a_file_without_its_columns_in_another_encoding_or_too_long_is_refused(client, settings):
    row = f"{answered(client)},spam,x"
    is_problem(csv_of(client, row, head="id,label,source"), 422, "names the columns")
    is_problem(csv_of(client, row, head="prediction_id,label,label"), 422, "names the columns")
    is_problem(client.post("/feedback/csv", content=b""), 422, "names the columns")
    is_problem(client.post("/feedback/csv", content="äö".encode("latin-1")), 422, "not UTF-8")
    is_problem(csv_of(client, 'x,"y'), 422, "not CSV")
    settings.max_batch = 1
    is_problem(csv_of(client, *[row] * 11), 413, "at most 10 labels")


def test_a_client_that_corrects_its_label_is_taken_at_its_newest_word(client, db, settings, clock):
    key = answered(client)
    for label in ("ham", "ham", "spam"):
        clock.forward(seconds=1)
        assert client.post("/feedback", json={"prediction_id": key, "label": label}).is_success
    found = accuracy(db, settings)
    assert (found.n, found.correct) == (1, 1)


def test_a_label_may_come_before_its_prediction_is_stored(client, db, settings, serving):
    prediction = answered(client)
    serving.spool.close()
    (waiting,) = settings.folder("spool").glob("*.spool")
    aside = waiting.rename(waiting.with_suffix(".later"))
    assert client.post("/feedback", json={"prediction_id": prediction, "label": "spam"}).is_success
    assert accuracy(db, settings).n == 0
    aside.rename(waiting)
    assert accuracy(db, settings).n == 1
