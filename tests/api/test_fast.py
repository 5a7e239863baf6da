"""The fast path of POST /predict says what the slow one says, and costs a fraction."""

import asyncio
import json
import time

import numpy as np
import orjson
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, example, given, settings, strategies

from api.schemas import PredictBody
from core import keys
from core.errors import UnavailableError
from core.serving import scorer, spool
from core.serving.compiler import attempt
from core.serving.predict import Request
from core.tables.entities import ModelVersion
from tests.api.conftest import is_problem
from tests.core.serving.test_compiler import TEXT, fitted, texts

JSON = {"content-type": "application/json"}
PLAIN = {"message": "win a free prize"}
CPU_BOUND_US = 250


@pytest.fixture
def plain(serving, client, monkeypatch):
    """Models that are quick however busy this machine is."""
    for served in serving.board.served.values():
        monkeypatch.setattr(served.champion, "slow", False)
    return serving


@pytest.fixture
def slow(app, client, plain):
    """A client of the same application without the fast path."""
    asked = TestClient(app.slow, raise_server_exceptions=False, headers=client.headers)
    asked.app_state.update(client.app_state)
    return asked


@pytest.fixture
def written(plain, monkeypatch):
    """The records that were written, in their order."""
    found, write = [], plain.spool.write
    monkeypatch.setattr(plain.spool, "write", lambda rows: found.extend(rows) or write(rows))
    return found


def refuse_the_slow_way(app, monkeypatch):
    async def never(*_):
        raise AssertionError("this request went the slow way")

    monkeypatch.setattr(fast_of(app), "app", never)


def fast_of(app):
    return app.front


@pytest.mark.parametrize(
    "body",
    [PLAIN, {**PLAIN, "user_id": "u", "model": "SMS spam", "experiment_name": "e", "request_id": "r"},
     {"model": "heart_disease", "features": {"age": 50, "sex": "1"}, "entity_id": "e"}],
)  # fmt: skip
def test_plain_requests_do_not_meet_the_framework(app, client, plain, monkeypatch, body):
    refuse_the_slow_way(app, monkeypatch)
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.headers["x-request-id"]) == 16


def test_both_ways_know_the_same_fields():
    assert set(Request.__struct_fields__) == set(PredictBody.model_fields)


def test_the_client_may_name_its_request(client, plain):
    for headers, named in (({"X-Request-ID": "order-17"}, True), ({"X-Request-ID": "a b"}, False)):
        for body in (PLAIN, {}):
            answer = client.post("/predict", json=body, headers=headers)
            assert (answer.headers["x-request-id"] == headers["X-Request-ID"]) is named


def test_both_ways_write_the_same_record(client, slow, written):
    body = {**PLAIN, "user_id": "u", "experiment_name": "e"}
    answers = [way.post("/predict", json=body).json() for way in (client, slow)]
    first, second = written
    own = ("id", "at", "sample_key", "latency_ms")
    for record, answer in zip(written, answers, strict=True):
        assert record["row"]["id"] == answer["prediction_id"]
    assert {k: v for k, v in first["row"].items() if k not in own} == {
        k: v for k, v in second["row"].items() if k not in own
    }
    assert (first["positive"], first["once"]) == (second["positive"], second["once"])


def said(client, content, headers):
    """What an answer says, without what differs from one to the next."""
    answer = client.post("/predict", content=content, headers=headers)
    body = answer.json()
    for own in ("prediction_id", "latency_ms", "timestamp"):
        body.pop(own, None)
    return answer.status_code, answer.headers["content-type"], body


WORDS = strategies.one_of(
    strategies.sampled_from(
        [
            "",
            " ",
            "hi",
            "a\x00b",
            "x" * 100,
            "x" * 101,
            "é😀",
            "sms_spam",
            "Heart-Disease",
            "-",
            "a\n",
        ]
    ),
    strategies.text(max_size=8),
)
NUMBERS = strategies.one_of(
    strategies.integers(),
    strategies.floats(),
    strategies.sampled_from([2**63, -(2**63) - 1, 2**64, 10**400, 1e300, -0.0]),
)
VALUES = strategies.recursive(
    strategies.none() | strategies.booleans() | NUMBERS | WORDS,
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.sampled_from(["age", "sex", "height"]) | WORDS, inner, max_size=3
        )
    ),
    max_leaves=5,
)
FIELDS = ["message", "features", "entity_id", "model", "user_id", "experiment_name", "other"]
BODIES = strategies.lists(
    strategies.tuples(strategies.sampled_from(FIELDS), VALUES), max_size=4
)  # fields may come twice
FEATURES = strategies.dictionaries(strategies.sampled_from(["age", "sex"]), VALUES, max_size=2)


def spelled(fields):
    return "{" + ", ".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in fields) + "}"


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    fields=BODIES
    | FEATURES.map(lambda given: [("model", "heart_disease"), ("features", given)])
    | WORDS.map(lambda word: [("message", word)]),
    cut=strategies.integers(0, 400) | strategies.none(),
)
@example(fields=[("message", 5), ("message", "hi")], cut=None)
@example(fields=[("message", "hi"), ("message", 5)], cut=None)
@example(fields=[("message", "hi"), ("model", "sms_spam\n")], cut=None)
@example(fields=[("message", "hi"), ("user_id", "\x00")], cut=None)
@example(fields=[("model", "heart_disease"), ("features", {"sex": 2**63})], cut=None)
@example(fields=[("model", "heart_disease"), ("features", {"sex": 2**70})], cut=None)
@example(fields=[("model", "heart_disease"), ("features", {"age": float("inf")})], cut=None)
def test_both_ways_say_the_same_of_any_body(client, slow, fields, cut):
    content = spelled(fields).encode()[:cut]
    assert said(client, content, JSON) == said(slow, content, JSON)


RAW = [
    b"", b" ", b"null", b"7", b'"x"', b"[]", b"{}", b"{} x", b'\xef\xbb\xbf{"message":"hi"}',
    b'{"message":"\\ud800"}', b'{"message":"a\\udc00 b"}', b'{"message":"\\ud83d\\ude00"}',
    b'{"message":"a\xffb"}', b'{"message":"a\xed\xa0\x80b"}', b'{"message":"a\x00b"}',
    b'{"message":"a\\u0000b"}', b'{"message":"a\\\\u0000b"}', b'{"message":"a\tb"}',
    b'{"message":"\\x"}', b'{"mess\\u0061ge":"hi"}', b'{"message":"hi",}', b"{'message':'hi'}",
    b'{"message":"hi"}' + b" " * 1000, b'{"message":NaN}', b'{"message":"hi","user_id":1e999}',
    b'{"model":"heart_disease","features":{"age":1e999}}',
    b'{"model":"heart_disease","features":{"age":NaN}}',
    b'{"model":"heart_disease","features":{"age":01}}',
    b'{"model":"heart_disease","features":{"age":1.}}',
    b'{"model":"heart_disease","features":{"age":-0}}',
    b'{"model":"heart_disease","features":{"age":1E2,"sex":1.0}}',
    b'{"model":"heart_disease","features":{"age":1,"age":2}}',
    b'{"model":"heart_disease","features":{"sex":12345678901234567890123}}',
    b'{"model":"heart_disease","features":{' + b",".join(b'"f%d":1' % i for i in range(501)) + b"}}",
    b"[" * 100_000, b'{"features":' * 3_000, b'{"features":{"age":' + b"[" * 2_000,
]  # fmt: skip
KINDS = [
    "application/json", "application/json; charset=utf-8", "application/json; charset=latin-1",
    "application/vnd.x+json", "text/plain", "",
]  # fmt: skip


def test_both_ways_say_the_same_of_any_bytes_and_content_type(client, slow):
    for content in RAW:
        assert said(client, content, JSON) == said(slow, content, JSON), content[:80]
    for kind in KINDS:
        headers = {"content-type": kind}
        assert said(client, orjson.dumps(PLAIN), headers) == said(
            slow, orjson.dumps(PLAIN), headers
        )


def test_both_ways_say_the_same_of_who_asks(client, slow, secrets):
    wrong = ["", "x", "é", secrets["read"], secrets["all"][:-1], secrets["all"] + "x"]
    for key in wrong:
        headers = {**JSON, "X-API-Key": key.encode("latin-1")}
        assert said(client, b"{}", headers) == said(slow, b"{}", headers), key
    assert said(client, b"{}", {**JSON, "X-API-Key": secrets["read"]})[0] == 403


def test_a_request_counts_once_against_its_limit_whichever_way_it_goes(client, plain, db, adm):
    _, key = keys.create(db, adm, name="few", scopes=["predict"], rate_limit=3)
    plain.refresh()
    for body, status in ((PLAIN, 200), ({}, 422), (PLAIN, 200), (PLAIN, 429)):
        answer = client.post("/predict", json=body, headers={"X-API-Key": key})
        assert answer.status_code == status
    assert int(answer.headers["retry-after"]) > 0


def test_a_fault_of_the_model_is_a_problem_and_counted(client, plain, written, monkeypatch):
    champion = plain.board.served["sms_spam"].champion
    monkeypatch.setattr(champion, "score", lambda given: 1 / 0)
    is_problem(client.post("/predict", json=PLAIN), 500, "the model failed")
    assert [record["kind"] for record in written] == ["fault"]
    assert plain.traffic.errors == 1


def test_a_fault_of_ours_is_a_problem_in_the_same_words(client, plain, monkeypatch):
    monkeypatch.setattr("core.serving.records.prediction", lambda *_, **__: 1 / 0)
    is_problem(client.post("/predict", json=PLAIN), 500, "something unexpected")


def test_a_log_that_cannot_be_written_is_503_and_nothing_is_remembered(client, plain, monkeypatch):
    def full(_):
        raise UnavailableError("the prediction log is full", retry_after=10)

    body = {**PLAIN, "request_id": "r1"}
    with monkeypatch.context() as broken:
        broken.setattr(plain.spool, "write", full)
        answer = client.post("/predict", json=body)
        is_problem(answer, 503, "log is full")
        assert answer.headers["retry-after"] == "10"
    assert client.post("/predict", json={"message": "other", "request_id": "r1"}).status_code == 200


def test_with_durability_power_the_answer_waits_for_the_disk(client, plain, settings, monkeypatch):
    safe = spool.Spool(settings.folder("safe"), max_bytes=1 << 20, power=True)
    monkeypatch.setattr(plain, "spool", safe)
    assert client.post("/predict", json=PLAIN).status_code == 200
    safe.close()


def test_every_request_is_measured_once_whichever_way_it_goes(app, client, plain):
    for body in (PLAIN, {}):
        client.post("/predict", json=body)
    text = app.state.instruments.text().decode()
    labels = 'endpoint="/predict",method="POST",status='
    for status in ("200", "422"):
        assert f'api_requests_total{{{labels}"{status}"}} 1.0' in text
    figures = plain.stages.figures()
    assert [figures[stage].count for stage in ("auth", "assign", "score", "spool")] == [2, 1, 1, 1]


def test_an_answer_costs_less_than_a_quarter_of_a_millisecond(app, client, plain, secrets):
    """Of CPU, in process: key check, assignment, score, record, log and JSON."""
    pipeline, signature, known = fitted(
        TEXT, texts(np.random.default_rng(8)), "logistic_regression"
    )
    content, _ = attempt(pipeline, signature, known)
    row = ModelVersion(version="2.0.0", artifact="a", signature=signature, threshold=0.5)
    plan = scorer.plans.decode(content)
    plain.board.served["sms_spam"].scorers["2.0.0"] = scorer.Scorer(scorer.Compiled(plan), row)
    spent = asyncio.run(cpu_us(app, secrets["all"], orjson.dumps(PLAIN), 1_500))
    print(f"{spent:.0f} us of CPU per request in process")
    assert spent < CPU_BOUND_US


async def cpu_us(app, key, body, n):
    headers = [(b"host", b"x"), (b"content-type", b"application/json"),
               (b"x-api-key", key.encode()), (b"content-length", b"%d" % len(body))]  # fmt: skip
    statuses = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        statuses.append(message.get("status", 200))

    start = time.thread_time()
    for _ in range(n):
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers,
                 "query_string": b"", "client": ("127.0.0.1", 1), "state": {}}  # fmt: skip
        await app(scope, receive, send)
    spent = time.thread_time() - start
    assert set(statuses) == {200}
    return spent / n * 1e6
