"""What a client may do to a connection, on raw sockets against a real server in this process."""

import contextlib
import json
import shutil
import socket
import threading
import time
from dataclasses import replace

import pytest
import uvicorn

from api import main, protocol
from api.protocol import HEAD_BYTES
from core import keys
from core.access import local
from core.clock import utc_now
from core.db import Database
from core.serving import service
from core.settings import Settings
from tests import serving_kit as kit

PATIENCE = 0.6
MOST = 260


class Server:
    """A server in a thread, with little patience."""

    def __init__(self, home):
        settings = Settings(
            _env_file=None, env="test", home=home, database_url=f"sqlite:///{home}/pilothouse.db",
            secret_key="only-for-tests-0123456789abcdefghij", client_seconds=PATIENCE,
            max_connections=MOST, max_concurrency=4,
        )  # fmt: skip
        self.db = Database(settings, utc_now)
        kit.apply_specs(self.db, local("tester"))
        kit.deploy(self.db, settings, "sms_spam", "1.0.0")
        _, self.key = keys.create(self.db, local("tester"), name="all", scopes=["predict", "read"])
        self.app = main.build(service.build(settings))
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self.app, http="api.protocol:Protocol", loop="uvloop", ws="none", log_config=None
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([listening],), daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def request(self, body=None, *, path="/predict", version="1.1", more=()):
        body = json.dumps({"message": "win a prize"}).encode() if body is None else body
        lines = [f"POST {path} HTTP/{version}", "Host: x", f"X-API-Key: {self.key}",
                 "Content-Type: application/json", *more]  # fmt: skip
        if not any(line.lower().startswith("transfer-encoding") for line in more):
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def end(self):
        self.server.should_exit = True
        self.thread.join(10)
        self.db.engine.dispose()


@pytest.fixture(scope="module")
def server(sqlite_template, tmp_path_factory):
    home = tmp_path_factory.mktemp("protocol")
    for file in sqlite_template.iterdir():
        shutil.copy(file, home)
    built = Server(home)
    yield built
    built.end()


@pytest.fixture
def line(server):
    with server.connect() as connection:
        yield connection


def read(connection):
    """Everything until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(65536):
            found += more
    return found


def answer(connection):
    """One answer as (status, body), of a connection that goes on."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(65536)
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), json.loads(body)


def is_refused(raw, status, kind, words=""):
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode()
    assert b"connection: close" in head.lower()
    assert json.loads(body)["type"] == f"/problems/{kind}"
    assert words in json.loads(body)["detail"]


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


def test_an_idle_connection_is_closed_in_the_end(server, line, monkeypatch):
    monkeypatch.setattr(server.server.config, "timeout_keep_alive", 0.1)
    with server.connect() as short:
        short.sendall(server.request())
        assert answer(short)[0] == 200
        assert short.recv(1) == b""


def test_good_requests_are_answered_beside_200_half_open_connections(server, line):
    halves = [server.connect() for _ in range(200)]
    for half in halves:
        half.sendall(server.request()[:-2])
    spent = []
    for _ in range(50):
        start = time.monotonic()
        line.sendall(server.request())
        assert answer(line)[0] == 200
        spent.append(time.monotonic() - start)
    print(f"beside 200 half-open connections: slowest {max(spent) * 1000:.1f} ms")
    assert max(spent) < 1
    assert all(read(half).startswith(b"HTTP/1.1 408") for half in halves)


def test_beyond_the_bound_who_waited_longest_makes_room(server):
    halves = [server.connect() for _ in range(MOST + 20)]
    with server.connect() as good:
        good.sendall(server.request())
        assert answer(good)[0] == 200
    assert read(halves[0]) == b""
    for half in halves:
        half.close()


def used_up(server):
    used = [server.connect() for _ in range(MOST)]
    for one in used:
        one.sendall(server.request())
    assert all(answer(one)[0] == 200 for one in used)
    return used


def test_a_connection_that_is_only_kept_makes_room_for_the_next(server):
    used = used_up(server)
    with server.connect() as late:
        late.sendall(server.request())
        assert answer(late)[0] == 200
    for one in used:
        one.close()


def test_when_all_connections_are_at_work_the_next_is_told_to_come_later(server, monkeypatch):
    used = used_up(server)
    monkeypatch.setattr(protocol.Protocol, "_is_kept", lambda _self: False)
    with server.connect() as late:
        said = read(late)
    is_refused(said, 503, "unavailable")
    assert b"retry-after: 1" in said.lower()
    for one in used:
        one.close()


def test_work_beyond_the_bound_is_503_and_health_is_still_answered(server, monkeypatch):
    free = threading.Event()
    scorer = server.app.state.service.board.served["sms_spam"].champion
    monkeypatch.setattr(scorer, "slow", True)
    monkeypatch.setattr(scorer, "score_one", lambda given: (free.wait(5), real(given))[1])
    real = type(scorer).score_one.__get__(scorer)
    lines = [server.connect() for _ in range(5)]
    for one in lines[:4]:
        one.sendall(server.request())
    time.sleep(0.2)
    lines[4].sendall(b"GET /models HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert answer(lines[4])[0] == 503
    lines[4].sendall(server.request())
    status, problem = answer(lines[4])
    with server.connect() as health:
        health.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer(health)[0] == 200
    free.set()
    assert (status, problem["type"]) == (503, "/problems/unavailable")
    assert [answer(one)[0] for one in lines[:4]] == [200] * 4
    for one in lines:
        one.close()
