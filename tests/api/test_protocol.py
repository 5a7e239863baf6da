"""What a client may do to a connection, on raw sockets against a real server in this process."""

import contextlib
import json
import time
from dataclasses import replace

import pytest

from api import protocol
from api.protocol import HEAD_BYTES
from core import keys
from tests.connections_kit import PATIENCE, answer, is_refused, read


def test_a_head_that_comes_too_slowly_is_given_up(server, line):
    start = time.monotonic()
    line.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    for _ in range(3):
        time.sleep(PATIENCE / 4)
        line.sendall(b"a")
    is_refused(read(line), 408, "too-slow")
    assert time.monotonic() - start < PATIENCE * 4


def test_a_body_that_comes_too_slowly_is_given_up(server, line):
    whole = server.request()
    line.sendall(whole[:-3])
    is_refused(read(line), 408, "too-slow")


def test_a_body_that_comes_after_its_answer_is_not_waited_for(server, line):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
    line.sendall(head)
    said = read(line)
    assert said.startswith(b"HTTP/1.1 401")
    assert said.count(b"HTTP/1.1") == 1


def test_a_connection_on_which_nobody_asks_is_closed_without_a_word(line):
    assert read(line) == b""


def test_a_large_body_has_the_time_it_needs(server, line):
    whole = server.request(b'{"message": "' + b"x" * 60_000 + b'"}')
    for start in range(0, len(whole), 10_000):
        line.sendall(whole[start : start + 10_000])
        time.sleep(PATIENCE / 4)
    assert answer(line)[0] == 422  # more than a message may have


STREAM = "/predict/stream"


def stream_line(line):
    """Send one line of a stream, and return what is answered to it, or b"" at the end."""
    said = b'{"message": "win a prize"}\n'
    line.sendall(b"%x\r\n%s\r\n" % (len(said), said))
    return line.recv(65536)


def test_a_stream_may_last_and_only_a_pause_ends_it(server, line):
    line.sendall(server.request(b"", path=STREAM, more=["Transfer-Encoding: chunked"]))
    for _ in range(4):
        assert b"prediction" in stream_line(line)
        time.sleep(PATIENCE / 2)
    time.sleep(PATIENCE)
    assert read(line) == b""


def test_streams_keep_no_other_request_from_its_place(server):
    asked = server.request(b"", path=STREAM, more=["Transfer-Encoding: chunked"])
    lines = [server.connect() for _ in range(5)]
    lines[0].sendall(asked)
    assert b"prediction" in stream_line(lines[0])
    for one in lines[1:4]:
        one.sendall(asked)
    assert all(b" 503 " in one.recv(65536) for one in lines[1:4])
    lines[4].sendall(server.request(b'{"messages": ["win"]}', path="/predict/batch"))
    assert answer(lines[4])[0] == 200
    assert b"prediction" in stream_line(lines[0])
    for one in lines:
        one.close()


def test_nobody_unknown_keeps_a_connection_by_a_stream(server, line):
    asked = server.request(b"", path=STREAM, more=["Transfer-Encoding: chunked"])
    line.sendall(asked.replace(server.key.encode(), b"ph_live_wrong"))
    assert b" 401 " in stream_line(line)
    start = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() - start < 3:
            time.sleep(PATIENCE / 3)
            line.sendall(b"1\r\nx\r\n")
    assert time.monotonic() - start < 2 * PATIENCE + 0.5


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_a_head_beyond_the_bound_is_431(line, end):
    line.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * (HEAD_BYTES // 2))
    time.sleep(0.05)
    line.sendall(b"a" * (2 * HEAD_BYTES) + end)
    is_refused(read(line), 431, "headers-too-large", "the 32,768 bytes")


def test_many_headers_are_measured_together(line):
    many = b"".join(b"X-%d: %s\r\n" % (i, b"a" * 100) for i in range(500))
    line.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n")
    is_refused(read(line), 431, "headers-too-large")


def test_what_is_no_http_is_a_problem_and_counts(server, line):
    line.sendall(b"NOT HTTP AT ALL\r\n\r\n")
    is_refused(read(line), 400, "malformed")
    counted = 'api_requests_total{endpoint="other",method="OTHER",status="400"}'
    assert counted in server.app.state.instruments.text().decode()


def test_requests_may_stand_behind_each_other(server, line):
    large = server.request(b'{"message": "' + b"hello " * 3000 + b'"}')
    line.sendall(server.request() + large + server.request() + large[:200])
    time.sleep(0.05)
    line.sendall(large[200:])
    found = b""
    while found.count(b'"prediction_id"') < 4:
        found += line.recv(65536)
    assert found.count(b"HTTP/1.1 200 OK") == 4


def test_a_body_may_come_in_chunks(server, line):
    parts = [b'{"messa', b'ge": "a', b' b"', b"}", b""]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    line.sendall(server.request(chunks, more=["Transfer-Encoding: chunked"]))
    assert answer(line)[0] == 200


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
@pytest.mark.parametrize("pause", [0, 0.1])
def test_an_offer_of_another_protocol_is_ignored_and_the_body_stays_a_body(
    server, line, protocol, pause
):
    hidden = server.request(body=json.dumps({"message": "hidden"}).encode())
    offer = "Connection: Upgrade, HTTP2-Settings", f"Upgrade: {protocol}", "HTTP2-Settings: AAMA"
    last = server.request(more=["Connection: close"])
    for request in (server.request(more=offer), server.request(hidden, more=offer), last):
        head, _, body = request.partition(b"\r\n\r\n")
        line.sendall(head + b"\r\n\r\n")
        time.sleep(pause)
        line.sendall(body)
    assert statuses(read(line)) == [200, 422, 200]


def test_offers_of_another_protocol_stand_behind_each_other(server, line):
    offer = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    line.sendall(offer * 3 + server.request(more=["Connection: close"]))
    assert statuses(read(line)) == [404, 404, 404, 200]


def statuses(raw):
    return [int(part[:3]) for part in raw.split(b"HTTP/1.1 ")[1:]]


def test_http_1_0_is_answered_and_closed(server, line):
    line.sendall(server.request(version="1.0"))
    said = read(line)
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in said


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(server, line):
    whole = server.request(more=["Expect: 100-continue"])
    head, _, body = whole.partition(b"\r\n\r\n")
    line.sendall(head + b"\r\n\r\n")
    assert line.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.sendall(body)
    assert answer(line)[0] == 200


def in_parts(line, whole, *, pause):
    """The answer to a request whose last byte may come later."""
    line.sendall(whole[:-1])
    time.sleep(pause)
    line.sendall(whole[-1:])
    status, body = answer(line)
    for own in ("prediction_id", "latency_ms", "timestamp"):
        body.pop(own, None)
    return status, body


def test_what_comes_in_one_read_is_answered_without_a_task_as_well_as_what_comes_in_two(server):
    bodies = [b'{"message": "win a prize", "user_id": "u"}', b"{}", b"", b"[]", b'{"message": 5}',
              b'{"message": "a\\u0000b"}', b'{"message": "\\ud800"}', b'{"message": "a", "x": 1}',
              b'{"message": "' + b"x" * 20_000 + b'"}', b'{"message": "a", "model": "ghost"}']  # fmt: skip
    for body in bodies:
        whole = server.request(body)
        with server.connect() as one, server.connect() as two:
            one.sendall(whole)
            status, said = answer(one)
            for own in ("prediction_id", "latency_ms", "timestamp"):
                said.pop(own, None)
            assert (status, said) == in_parts(two, whole, pause=0.03), body


def test_a_small_prediction_needs_no_task(server, line, monkeypatch):
    async def never(*_):
        raise AssertionError("this request went the longer way")

    monkeypatch.setattr(server.app, "front", never)
    for _ in range(3):
        line.sendall(server.request())
        assert answer(line)[0] == 200
    line.sendall(server.request().replace(b"X-API-Key: ph", b"X-API-Key: xx"))
    assert answer(line)[0] == 401
    line.sendall(server.request(more=["X-Request-ID: order-17", "Connection: close"]))
    assert read(line).startswith(b"HTTP/1.1 500")


def test_an_answer_at_once_names_its_request(server, line):
    line.sendall(server.request(more=["X-Request-ID: order-17"]))
    said = line.recv(65536)
    assert b"\r\nx-request-id: order-17\r\n" in said


def unparsed(monkeypatch):
    """Let parsing fail from here on."""

    def never(*_):
        raise AssertionError("this request was parsed")

    monkeypatch.setattr(protocol.Protocol, "_parse", never)


def test_a_head_that_came_before_is_not_parsed_again(server, line, monkeypatch):
    line.sendall(server.request())
    assert answer(line)[0] == 200
    unparsed(monkeypatch)
    found = []
    for message in ("win a prize", "a", ""):
        line.sendall(server.request(json.dumps({"message": message}).encode()))
        found.append(answer(line)[0])
    assert found == [200, 200, 422]


def test_behind_a_known_head_an_odd_body_meets_the_same_words(server, line):
    for body in (b"{}", b"[]", b"", b'{"message": 5}', b'{"message": "a\\u0000b"}', b"\xff"):
        with server.connect() as fresh:
            fresh.sendall(server.request(body))
            line.sendall(server.request())
            assert answer(line)[0] == 200
            line.sendall(server.request(body))
            assert answer(line) == answer(fresh)


def test_a_key_behind_a_known_head_is_checked_each_time(server, line, monkeypatch):
    line.sendall(server.request())
    assert answer(line)[0] == 200
    unparsed(monkeypatch)
    service = server.app.state.service
    monkeypatch.setattr(service, "board", replace(service.board, keys=keys.KeyTable({})))
    line.sendall(server.request())
    assert answer(line)[0] == 401


def test_what_needs_the_longer_way_behind_a_known_head_counts_once(server, line, monkeypatch):
    line.sendall(server.request())
    assert answer(line)[0] == 200
    spent = []
    service = server.app.state.service
    monkeypatch.setattr(service.rates, "spend", lambda *one: spent.append(one))
    line.sendall(server.request(b"[]"))
    assert (answer(line)[0], len(spent)) == (422, 1)
