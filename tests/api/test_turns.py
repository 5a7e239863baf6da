"""What comes in one round of the event loop is answered together, and each as if it were alone."""

import json

import pytest

from api import heads, protocol
from core.errors import UnavailableError
from core.keys import Caller
from tests.connections_kit import answer

PLAIN = {"message": "win a free prize"}


@pytest.fixture
def ask(app, client, serving, secrets, monkeypatch):
    """Ask the fast path in one turn; each request is a body, and what its head says beside."""
    monkeypatch.setattr(serving.board.served["sms_spam"].champion, "slow", False)

    def asked(*bodies, **head):
        said = {b"x-api-key": secrets["all"].encode(), b"content-type": b"application/json"}
        said |= {name.replace("_", "-").encode(): value for name, value in head.items()}
        one = heads.read(said)
        return app.front.at_once([(one, json.dumps(body).encode(), "x") for body in bodies])

    return asked


def content(reply):
    return json.loads(reply[1].partition(b"\r\n\r\n")[2])


@pytest.fixture
def writes(serving, monkeypatch):
    """How many records each write to the log brought."""
    found, write = [], serving.spool.write
    monkeypatch.setattr(serving.spool, "write", lambda rows: found.append(len(rows)) or write(rows))
    return found


def test_one_write_holds_the_answers_of_a_turn(ask, writes):
    replies = ask(*({"message": f"prize {n}"} for n in range(5)))
    assert [status for status, _ in replies] == [200] * 5
    assert writes == [5]
    assert len({content(one)["prediction_id"] for one in replies}) == 5
    assert len({one[1].partition(b"x-request-id: ")[2][:16] for one in replies}) == 5


def test_each_of_a_turn_gets_what_it_gets_alone(ask, writes):
    odd = [{"message": ""}, {"message": "x", "model": "ghost"}, {"features": {}}]
    replies = ask(PLAIN, *odd, PLAIN)
    assert [status for status, _ in replies] == [200, 422, 404, 422, 200]
    for one, body in zip(replies[1:4], odd, strict=True):
        assert content(one) == content(ask(body)[0])
    assert writes == [2]


def test_what_needs_the_longer_way_goes_it_alone_and_is_admitted_already(ask):
    first, odd, last = ask(PLAIN, {"message": 5}, PLAIN)
    assert (first[0], last[0]) == (200, 200)
    assert isinstance(odd, Caller)


def test_a_wrong_key_refuses_a_whole_turn_of_its_own_only(ask, writes):
    assert [status for status, _ in ask(PLAIN, PLAIN, x_api_key=b"wrong")] == [401, 401]
    assert writes == []


def test_a_repeated_request_id_in_one_turn_is_answered_alike_and_written_once(ask, writes):
    named = {**PLAIN, "request_id": "r"}
    first, again, other = ask(named, named, {"message": "see you", "request_id": "r"})
    assert content(first) == content(again)
    assert (other[0], writes) == (409, [1])


def test_an_input_that_breaks_the_model_takes_no_other_with_it(ask, serving, monkeypatch):
    scorer = serving.board.served["sms_spam"].champion
    real = scorer.score

    def fragile(inputs):
        if "boom" in inputs:
            raise ValueError("boom")
        return real(inputs)

    monkeypatch.setattr(scorer, "score", fragile)
    replies = ask(PLAIN, {"message": "boom"}, PLAIN)
    assert [status for status, _ in replies] == [200, 500, 200]


def test_a_fault_of_ours_with_one_request_fails_that_one(ask, monkeypatch):
    def odd(service, message):
        return message if message != "odd" else 1 / 0

    monkeypatch.setattr("core.serving.predict._message", odd)
    assert [status for status, _ in ask(PLAIN, {"message": "odd"}, PLAIN)] == [200, 500, 200]


def test_a_turn_that_cannot_be_written_is_not_answered(ask, serving, monkeypatch):
    def full(_):
        raise UnavailableError("the prediction log is full")

    monkeypatch.setattr(serving.spool, "write", full)
    assert [status for status, _ in ask(PLAIN, PLAIN)] == [503, 503]


def test_every_request_of_a_turn_is_counted(ask, app, serving):
    ask(PLAIN, PLAIN, {"message": ""})
    text = app.state.instruments.text().decode()
    assert 'api_requests_total{endpoint="/predict",method="POST",status="200"} 2.0' in text
    assert serving.stages.figures()["auth"].count == 3
    assert serving.traffic.requests == 3


@pytest.fixture
def known(server, monkeypatch):
    """A connection whose head is known, and what is done with each read that comes from then on."""
    read = [protocol.Protocol.data_received]
    monkeypatch.setattr(protocol.Protocol, "data_received", lambda self, data: read[-1](self, data))
    with server.connect() as line:
        line.sendall(server.request())
        assert answer(line)[0] == 200
        yield line, read


def test_a_second_read_in_one_turn_waits_for_the_answer_to_the_first(server, known):
    line, read = known
    whole, real = server.request(), read[0]

    def twice(self, data):
        real(self, data[: len(whole)])
        real(self, data[len(whole) :])

    read.append(twice)
    line.sendall(whole + b"no HTTP at all\r\n\r\n")
    said = b"".join(iter(lambda: line.recv(65536), b""))
    assert said.startswith(b"HTTP/1.1 200")
    assert said.count(b"HTTP/1.1 400") == 1


def test_who_shuts_down_answers_the_turn_first(server, known):
    line, read = known
    real = read[0]

    def at_the_end(self, data):
        real(self, data)
        self.shutdown()

    read.append(at_the_end)
    line.sendall(server.request())
    assert answer(line)[0] == 200
    assert line.recv(1) == b""
