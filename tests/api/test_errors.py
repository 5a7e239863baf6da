"""Bad input: always a problem in words, never a 5xx, never an echo."""

import gzip
import json

import pytest

from api import errors
from core import errors as tree
from tests.api.conftest import is_problem

JSON = {"content-type": "application/json"}
ECHO = "zq9-secret-echo"
BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"7",
    b'"x"',
    b'{"message": NaN}',
    b'{"features": {"age": Infinity}, "model": "heart_disease"}',
    b'{"features": {"age": 1e999}, "model": "heart_disease"}',
    b'{"features": {"age": ' + b"9" * 5000 + b'}, "model": "heart_disease"}',
    b'{"message": "\\ud800"}',
    b'{"message": "\\u0000 ' + ECHO.encode() + b'"}',
    b'{"message": "\xff\xfe"}',
    b'{"message": 5}',
    b'{"message": null}',
    b'{"message": ""}',
    b'{"message": ["zq9-secret-echo"]}',
    b'{"message": "hi", "' + ECHO.encode() + b'": 1}',
    b'{"message": "hi", "user_id": ""}',
    b'{"message": "hi", "user_id": "' + b"u" * 101 + b'"}',
    b'{"message": "hi", "experiment_name": "' + b"e" * 101 + b'"}',
    b'{"message": "hi", "request_id": "' + b"r" * 101 + b'"}',
    b'{"message": "hi", "model": "../' + ECHO.encode() + b'"}',
    b'{"model": "heart_disease", "features": {"' + ECHO.encode() + b'": 1}}',
    b'{"model": "heart_disease", "features": {"age": {"' + ECHO.encode() + b'": []}}}',
    b'{"model": "heart_disease", "features": {"age": "' + ECHO.encode() + b'"}}',
    b'{"model": "heart_disease", "features": []}',
    b'{"message": "' + b"m" * 20_001 + b'"}',
    b"[" * 100_000,
    b'{"a":' * 5000,
]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/feedback"])
def test_a_bad_body_is_a_problem_in_words_without_an_echo(client, path):
    for body in BODIES:
        answer = client.post(path, content=body, headers=JSON)
        is_problem(answer, 422)
        assert ECHO not in answer.text
        assert "Traceback" not in answer.text


def test_another_content_type_is_refused(client):
    for kind in ("text/plain", "application/xml", "multipart/form-data", "é"):
        headers = {"content-type": kind.encode("latin-1")}
        is_problem(client.post("/predict", content=b'{"message": "hi"}', headers=headers), 422)


HOW = "send a JSON object with the content type application/json"


@pytest.mark.parametrize(
    "path", ["/predict", "/predict/batch", "/feedback", "/api/v1/training/start"]
)
def test_who_sends_no_json_object_is_told_to_send_one(client, path):
    for kind in ("application/x-www-form-urlencoded", "text/plain"):
        answer = client.post(path, content=b'{"a": 1}', headers={"content-type": kind})
        assert is_problem(answer, 422)["detail"] == HOW
    assert is_problem(client.post(path, json=[]), 422)["detail"] == HOW
    empty = is_problem(client.post(path, content=b"", headers=JSON), 422)
    assert empty["detail"] == "the body is empty; send a JSON object"


def test_a_line_or_a_field_that_is_no_object_is_told_so_too(client):
    line = client.post("/predict/stream", content=b"[]\n").json()
    assert line["error"]["detail"] == "send a JSON object"
    field = client.post("/predict", json={"model": "heart_disease", "features": []})
    assert is_problem(field, 422)["detail"] == "features: send a JSON object"


def test_who_sends_an_unknown_field_is_told_the_known_ones(client):
    known = "it knows message, features, entity_id, model, user_id, experiment_name, request_id"
    is_problem(client.post("/predict", json={"message": "hi", ECHO: 1}), 422, known)
    line = client.post("/predict/stream", content=b'{"message": "hi", "x": 1}\n').json()
    assert line["error"]["detail"].endswith(known)


def test_a_body_beyond_the_bound_is_413_also_when_it_comes_in_pieces(client, serving):
    serving.settings.max_body_bytes = 1024
    big = json.dumps({"message": "x" * 2000}).encode()
    is_problem(client.post("/predict", content=big, headers=JSON), 413, "the 1,024 bytes")
    pieces = (big[start : start + 100] for start in range(0, len(big), 100))
    is_problem(client.post("/predict", content=pieces, headers=JSON), 413, "the 1,024 bytes")
    is_problem(client.post("/feedback", content=big, headers=JSON), 413, "the 1,024 bytes")


def test_too_many_items_are_told_the_bound_and_where_more_may_go(client, settings):
    settings.max_batch = 2
    words = "at most 2 items", "/predict/stream"
    is_problem(client.post("/predict/batch", json={"messages": ["a"] * 3}), 413, *words)
    words = "at most 2 labels", "/feedback/csv takes 20"
    is_problem(client.post("/feedback", json={"items": [{}] * 3}), 413, *words)


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/predict/stream", "/feedback/csv"])
def test_a_compressed_body_is_refused_in_words(client, path):
    plain = b'{"message": "hi"}'
    for body, coding in ((gzip.compress(plain), "gzip"), (plain, "br"), (plain, "identity, gzip")):
        headers = {**JSON, "content-encoding": coding}
        answer = client.post(path, content=body, headers=headers)
        is_problem(answer, 422, "compressed bodies are not taken")
    if path == "/predict":
        headers = {**JSON, "content-encoding": "Identity"}
        assert client.post(path, content=plain, headers=headers).is_success


ADDRESSES = [
    ("/nowhere", 404),
    ("/metrics/drift?model=ghost", 404),
    ("/metrics/drift?model=%00", 422),
    ("/retraining/history?limit=0", 422),
    ("/retraining/history?limit=x", 422),
    ("/monitoring/status?hours=999999", 422),
    ("/experiments/ghost/status", 404),
    ("/experiments/%00/status", 422),
    ("/api/v1/models/ghost/1.0.0", 404),
    ("/api/v1/models/sms_spam/9.9.9", 404),
    ("/api/v1/models/%F0%9F/1.0.0", 422),
    ("/api/v1/training/status/7", 422),
    ("/predict", 405),
]


def test_a_bad_address_is_a_problem_too(client):
    for path, status in ADDRESSES:
        is_problem(client.get(path), status)


def test_an_unexpected_fault_says_nothing_about_itself(client, serving, monkeypatch):
    def broken():
        raise RuntimeError(ECHO)

    monkeypatch.setattr(serving.db, "read", broken)
    answer = client.get("/api/v1/models")
    body = is_problem(answer, 500, "log says more")
    assert ECHO not in answer.text
    assert body["type"] == "/problems/internal"


def test_a_database_that_is_away_is_503_with_a_time_to_retry(client, serving, monkeypatch):
    def away():
        raise tree.UnavailableError("the database does not answer")

    monkeypatch.setattr(serving.db, "read", away)
    answer = client.get("/api/v1/models")
    is_problem(answer, 503, "database")
    assert answer.headers["retry-after"] == "5"
    assert client.post("/predict", json={"message": "hi"}).status_code == 200


@pytest.mark.parametrize("kind", sorted(errors.STATUS, key=lambda kind: kind.__name__))
def test_every_error_of_the_tree_has_a_status_of_its_own(kind):
    assert errors.problem(kind("words"))["status"] == errors.STATUS[kind]


def test_no_error_of_the_tree_is_forgotten():
    kinds = [kind for kind in vars(tree).values() if isinstance(kind, type)]
    ours = {kind for kind in kinds if issubclass(kind, tree.PilothouseError)}
    own = set(errors.STATUS) - {tree.PilothouseError}
    assert {kind for kind in ours if not own & set(kind.__mro__)} == {tree.PilothouseError}
