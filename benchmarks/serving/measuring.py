"""Rounds in which each server is asked in turn, so that the machine's moods meet all of them."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.serving import load
from benchmarks.serving.cases import Case
from benchmarks.serving.servers import Server

_WARM_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Measured:
    """One server at one concurrency in one round."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    beside_us: float  # the part of it that other processes than the server's own took
    failed: int


@dataclass(slots=True)
class Results:
    """All rounds of a case: [server][concurrency] is a list with one entry per round."""

    case: Case
    rounds: dict[str, dict[int, list[Measured]]] = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    seconds_to_ready: dict[str, float] = field(default_factory=dict)


def measure(
    case: Case,
    kinds: Sequence[type[Server]],
    *,
    concurrencies: Sequence[int],
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> Results:
    """Start the servers, ask each in turn, and end them."""
    results = Results(case)
    with ExitStack() as stack:
        servers = [_started(kind, case, stack, say) for kind in kinds]
        for server in servers:
            results.seconds_to_ready[server.name] = server.seconds_to_ready
            _ask(server, 8, _WARM_SECONDS)
        for turn in range(rounds):
            for concurrency in concurrencies:
                for server in servers[turn % len(servers) :] + servers[: turn % len(servers)]:
                    found = _ask(server, concurrency, seconds)
                    every = results.rounds.setdefault(server.name, {})
                    every.setdefault(concurrency, []).append(found)
                    say(
                        f"{case.name} round {turn + 1}, {concurrency:2} at once, {server.name}: "
                        f"{found.per_second:,.0f} requests/s, {found.cpu_us:,.0f} µs"
                    )
        results.memory_mb = {server.name: server.memory_mb() for server in servers}
    return results


def _started(
    kind: type[Server], case: Case, stack: ExitStack, say: Callable[[str], None]
) -> Server:
    say(f"{case.name}: starting {kind.name}")
    server = kind(case)
    stack.callback(server.end)
    return server


def _ask(server: Server, concurrency: int, seconds: float) -> Measured:
    before = server.cpu_seconds()
    found = load.run(server.port, server.requests, concurrency=concurrency, seconds=seconds)
    server.settle()
    own, beside = (
        (now - then) / found.n * 1e6 for now, then in zip(server.cpu_seconds(), before, strict=True)
    )
    return Measured(
        per_second=found.per_second,
        p50_ms=found.quantile(0.5) * 1e3,
        p99_ms=found.quantile(0.99) * 1e3,
        cpu_us=own + beside,
        beside_us=beside,
        failed=found.n - found.statuses[200],
    )
