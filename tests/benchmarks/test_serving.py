"""The load generator and the verdicts of the serving benchmark."""

import asyncio
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.serving import load, report
from benchmarks.serving.measuring import Measured, Results

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def server(*parts):
    """A server that answers every request with `parts`, one packet each."""
    started, loop, port = threading.Event(), asyncio.new_event_loop(), []

    async def answer(reader, writer):
        while await reader.readuntil(b"{}"):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            if not parts:
                writer.close()

    async def listen():
        found = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.append(found.sockets[0].getsockname()[1])
        started.set()

    loop.set_exception_handler(lambda *_: None)
    thread = threading.Thread(target=lambda: (loop.create_task(listen()), loop.run_forever()))
    thread.start()
    started.wait()
    yield port[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def asked(port):
    return load.run(port, [load.request("/", b"{}", port=port)], concurrency=2, seconds=0.05)


def test_answers_are_counted_whole_also_in_pieces():
    with server(OK[:20], OK[20:-1], OK[-1:]) as port:
        found = asked(port)
    assert found.n == found.statuses[200] > 2
    assert 0 < found.quantile(0.5) <= found.quantile(0.99) < 1
    assert found.per_second == pytest.approx(found.n / found.seconds)


def test_a_refusal_is_counted_by_its_status():
    with server(OK.replace(b"200 OK", b"503 No")) as port:
        found = asked(port)
    assert set(found.statuses) == {503}


@pytest.mark.parametrize("parts", [(), (OK.replace(b"content-length", b"x"),)])
def test_a_server_that_cannot_be_measured_is_an_error(parts):
    with server(*parts) as port, pytest.raises(ConnectionError):
        asked(port)


def results(name, **cpu_us):
    """Two rounds per server; the CPU of the second is a tenth more."""
    servers = ("pilothouse", "mlflow models serve", "FastAPI + scikit-learn, async def",
               "FastAPI + scikit-learn, def", "pilothouse without key and log")  # fmt: skip
    found = Results(SimpleNamespace(name=name, title=name, source="rows", plan_mb=0.5))
    for server_name, us in zip(servers, cpu_us.values(), strict=True):
        found.rounds[server_name] = {
            8: [Measured(1e6 / us, 1.0, 2.0, us * turn, 10.0, 0) for turn in (1.0, 1.1)]
        }
        found.memory_mb[server_name], found.seconds_to_ready[server_name] = 100.0, 1.0
    return found


def test_a_figure_is_reached_by_the_median_round():
    text = results("text", ours=100, mlflow=1600, tutorial=1400, threads=1500, bare=70)
    forest = results("forest", ours=100, mlflow=11000, tutorial=9000, threads=9900, bare=70)
    reached = {one.what: one.reached for one in report.verdicts(text, forest)}
    assert reached["text: CPU per request, mlflow models serve ÷ ours"]
    assert not reached["text: CPU per request, FastAPI + scikit-learn, async def ÷ ours"]
    assert reached["text: CPU per request, FastAPI + scikit-learn, def ÷ ours"]
    assert reached["forest: CPU per request, mlflow models serve ÷ ours"]
    assert not reached["forest: CPU per request, FastAPI + scikit-learn, async def ÷ ours"]
    assert reached["text: requests/s, with key and log ÷ without"]


def test_the_page_tells_machine_and_command_but_no_folder():
    one = results("text", ours=100, mlflow=1600, tutorial=1400, threads=1500, bare=70)
    page = report.page(one, one, command="make bench", seconds=3, rounds=2, busy="idle")
    assert "by `make bench` on" in page
    assert "cores" in page
    assert "**missed**" in page
    assert str(Path.cwd()) not in page
