"""A load generator that costs little: prebuilt requests over connections that stay open.

Each connection sends its next request as soon as it has read the answer before (a closed loop), so
the number of connections is the concurrency. Answers must tell their length.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_PATIENCE_SECONDS = 60


@dataclass(slots=True)
class Load:
    """What came back: statuses, seconds per answer as they arrived, and how long it all took."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def n(self) -> int:
        """How many answers came."""
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.n / self.seconds

    def quantile(self, share: float) -> float:
        """Return the seconds that `share` of the answers needed at most."""
        return sorted(self.latencies)[max(0, round(share * self.n) - 1)]


def request(path: str, body: bytes, *, port: int, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return the bytes of a POST with a JSON body."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def run(port: int, requests: Sequence[bytes], *, concurrency: int, seconds: float) -> Load:
    """Ask for `seconds` over `concurrency` connections.

    Raises: ConnectionError (the server closed a connection, or answered without a length),
    TimeoutError (an answer did not come).
    """
    return uvloop.run(_run(port, requests, concurrency, seconds))


async def _run(port: int, requests: Sequence[bytes], concurrency: int, seconds: float) -> Load:
    load, ahead, loop = Load(), cycle(requests), asyncio.get_running_loop()
    start = perf_counter()
    asked = [_Asking(load, ahead, start + seconds) for _ in range(concurrency)]
    for one in asked:
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)
    await asyncio.wait_for(
        asyncio.gather(*(one.done for one in asked)), seconds + _PATIENCE_SECONDS
    )
    load.seconds = perf_counter() - start
    return load


class _Asking(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load, requests: Iterator[bytes], until: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load, self._requests, self._until = load, requests, until
        self._data = b""
        self._asked = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._data = data = self._data + data if self._data else data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(data, 0, head + 2)
        if length is None:
            self._fail("an answer came without its length")
        elif len(data) >= head + 4 + int(length[1]):
            self._answered(int(data[9:12]))

    def connection_lost(self, _error: Exception | None) -> None:
        self._fail("the server closed a connection")

    def _ask(self) -> None:
        assert self._transport is not None
        self._data, self._asked = b"", perf_counter()
        self._transport.write(next(self._requests))

    def _answered(self, status: int) -> None:
        now = perf_counter()
        self._load.statuses[status] += 1
        self._load.latencies.append(now - self._asked)
        if now < self._until:
            self._ask()
        elif not self.done.done():
            self.done.set_result(None)
            assert self._transport is not None
            self._transport.close()

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError(why))
