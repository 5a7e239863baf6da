"""How many connections and how much work at once a server takes, on raw sockets."""

import threading
import time

from api import protocol
from tests.connections_kit import MOST, answer, is_refused, read


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
    used = []
    for _ in range(MOST):  # each asks at once: a busy machine may need all their patience
        used.append(server.connect())
        used[-1].sendall(server.request())
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
    monkeypatch.setattr(scorer, "score", lambda given: (free.wait(5), real(given))[1])
    real = type(scorer).score.__get__(scorer)
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
