import asyncio
import json

import pytest

from api import auth, stream
from api.stream import Lines
from core import keys, predictions
from core.errors import UnavailableError
from core.serving import shipper

URL = "/predict/stream"
GOOD = b'{"message": "win a prize"}'


def sent(client, body, **headers):
    answer = client.post(URL, content=body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.content.splitlines()]


def test_each_line_is_answered_with_its_number_and_logged(client, db, settings):
    answers = sent(client, b"\n".join([GOOD] * 1201))
    assert [one["line"] for one in answers] == list(range(1, 1202))
    shipper.ship(db, settings)
    with db.read() as session:
        stored = {row.id for row in predictions.recent(session, "sms_spam", 2000)}
    assert {one["prediction_id"] for one in answers} == stored


def test_a_bad_line_gets_an_error_with_its_number_and_ends_nothing(client):
    lines = [GOOD, b"{", b"", b'{"message": ""}', b'{"message": "\\ud800"}', b"[]", b"\xff", GOOD]
    answers = sent(client, b"\r\n".join(lines))
    assert [one["line"] for one in answers] == [1, 2, 4, 5, 6, 7, 8]
    assert [one["error"]["status"] for one in answers if "error" in one] == [422] * 5
    assert "prediction_id" in answers[-1]


def test_lines_name_their_model_user_and_request(client):
    lines = [
        {"model": "heart_disease", "features": {"age": 50}, "user_id": "ana"},
        {"message": "hello", "request_id": "r1"},
        {"message": "hello", "request_id": "r1"},
        {"model": "none", "message": "hello"},
    ]
    first, second, third, fourth = sent(client, "\n".join(map(json.dumps, lines)))
    assert (first["model"], first["user_id"]) == ("heart_disease", "ana")
    assert second["prediction_id"] != first["prediction_id"]
    assert {**second, "line": 3} == third
    assert fourth["error"]["status"] == 404


def test_a_body_may_be_longer_than_the_bound_and_a_line_may_not(client, settings):
    settings.max_body_bytes = 2000
    long = b'{"message": "%s"}' % (b"x" * 3000)
    answers = sent(client, b"\n".join([*[GOOD] * 200, long, GOOD]))
    assert len(answers) == 202
    assert answers[200]["error"]["status"] == 413
    assert "prediction_id" in answers[201]


def test_a_stream_ends_at_its_bound(client, settings):
    settings.max_stream_items = 3
    answers = sent(client, b"\n".join([GOOD] * 10))
    assert (len(answers), answers[-1]["error"]["status"]) == (4, 413)
    assert "at most 3 lines" in answers[-1]["error"]["detail"]


def test_an_empty_stream_is_answered_by_nothing_and_a_compressed_one_is_refused(client):
    assert sent(client, b"") == sent(client, b"\n \n") == []
    refused = client.post(URL, content=GOOD, headers={"Content-Encoding": "gzip"})
    assert refused.status_code == 422


def test_while_the_log_is_full_every_line_says_so(client, serving, monkeypatch):
    def full(_records):
        raise UnavailableError("the prediction log is full")

    monkeypatch.setattr(serving.spool, "write", full)
    assert [one["error"]["status"] for one in sent(client, GOOD + b"\n" + GOOD)] == [503, 503]


def test_a_caller_with_a_limit_is_answered_as_far_as_it_goes(client, settings, serving):
    serving.rates._default = 8
    answers = sent(client, b"\n".join([GOOD] * 20))
    statuses = [one.get("error", {}).get("status", 200) for one in answers]
    assert statuses.count(200) == 7 - 2  # the route itself costs one; pieces of five fit once
    assert set(statuses) == {200, 429}


def test_a_key_that_is_revoked_while_its_stream_goes_on_is_answered_no_further(
    client, serving, db, adm, monkeypatch
):
    admit = auth.admit

    def admitted(*args, **given):
        caller = admit(*args, **given)
        keys.revoke(db, adm, caller.key_id)
        serving.refresh()
        return caller

    monkeypatch.setattr(auth, "admit", admitted)
    assert [one["error"]["status"] for one in sent(client, GOOD + b"\n" + GOOD)] == [401, 401]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100])
def test_lines_are_the_same_however_the_body_is_cut(size):
    body = b"one\n\ntwo\r\n" + b"x" * 50 + b"\nlast"
    parts = [body[place : place + size] for place in range(0, len(body), size)]
    lines = Lines(20, 100)
    found = [line for part in [*parts, None] for chunk in lines.read(part) for line in chunk]
    assert [number for number, _ in found] == [1, 3, 4, 5]
    assert [str(line)[:12] for _, line in found] == [
        "b'one'",
        "b'two\\r'",
        "a line may h",
        "b'last'",
    ]
    assert len(lines._rest) == 0


@pytest.fixture
def run(serving, secrets):
    """Run a stream on an ASGI conversation of our own; returns what it sent."""

    def go(*messages):
        serving.refresh()
        caller = serving.board.keys.check(secrets["all"], serving.clock())
        waiting, out = list(messages), []

        async def receive():
            return waiting.pop(0)

        async def send(message):
            out.append((message, len(waiting)))

        asyncio.run(stream.Stream(serving, caller, lambda: None)({"type": "http"}, receive, send))
        return out

    return go


def body(content, more=True):
    return {"type": "http.request", "body": content, "more_body": more}


def test_answers_go_out_before_more_is_read(run):
    out = run(body(GOOD + b"\n"), body(GOOD + b"\n"), body(b"", more=False))
    assert [waiting for _, waiting in out] == [2, 2, 1, 0]


def test_a_client_that_goes_away_ends_the_work(run):
    out = run(body(GOOD + b"\n" + GOOD), {"type": "http.disconnect"}, body(GOOD, more=False))
    assert out[-1][1] == 2
    assert len(out[-1][0]["body"].splitlines()) == 1
