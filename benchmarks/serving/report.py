"""From measurements to figures, verdicts and the page in the documentation."""

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.serving.measuring import Measured, Results
from benchmarks.serving.servers import Bare, MLflow, Ours, Threaded, Tutorial
from core.clock import utc_now

AT_ONCE = 8
_LINEAR_MB, _TREES_MB, _PER_ONNX_MB, _READY_SECONDS = 150, 130, 14, 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure that is to be reached, and what was measured: the median round, worst and best."""

    what: str
    bound: str
    found: float
    worst: float
    best: float
    reached: bool


def verdicts(text: Results, forest: Results) -> list[Verdict]:
    """Judge every figure."""
    return [
        *_cpu(text, 15, aim=20),
        *_cpu(forest, 100),
        _at_least(
            "text: requests/s, ours ÷ mlflow models serve", 6, _speed(text, Ours, MLflow), aim=8
        ),
        _at_least(
            "text: requests/s, with key and log ÷ without", 0.6, _speed(text, Ours, Bare), aim=0.7
        ),
        _at_most("text: memory of the api, MiB", _LINEAR_MB, text.memory_mb[Ours.name]),
        _at_most(
            "forest: memory of the api, MiB",
            round(_TREES_MB + _PER_ONNX_MB * forest.case.plan_mb),
            forest.memory_mb[Ours.name],
        ),
        _at_most("start to ready, s", _READY_SECONDS, text.seconds_to_ready[Ours.name]),
        _at_most("answers other than 200", 0, _failed(text) + _failed(forest)),
    ]


def _failed(results: Results) -> int:
    return sum(
        one.failed
        for levels in results.rounds.values()
        for every in levels.values()
        for one in every
    )


def _cpu(results: Results, bound: float, *, aim: float | None = None) -> Iterator[Verdict]:
    for peer in (MLflow, Threaded, Tutorial):
        ratios = _ratios(results, peer.name, Ours.name, lambda one: one.cpu_us)
        what = f"{results.case.name}: CPU per request, {peer.name} ÷ ours"
        yield _at_least(what, bound, ratios, aim=aim)


def _speed(results: Results, server: type[Ours], peer: type) -> list[float]:
    return _ratios(results, server.name, peer.name, lambda one: one.per_second)


def _ratios(results: Results, one: str, other: str, of: Callable[[Measured], float]) -> list[float]:
    """Return one ratio per round, at the concurrency that is judged."""
    pairs = zip(results.rounds[one][AT_ONCE], results.rounds[other][AT_ONCE], strict=True)
    return [of(a) / of(b) for a, b in pairs]


def _at_least(
    what: str, bound: float, ratios: Sequence[float], *, aim: float | None = None
) -> Verdict:
    found = median(ratios)
    words = f"≥ {bound:g}" + (f" (aim {aim:g})" if aim else "")
    return Verdict(what, words, found, min(ratios), max(ratios), found >= bound)


def _at_most(what: str, bound: float, found: float) -> Verdict:
    return Verdict(what, f"≤ {bound:g}", found, found, found, found <= bound)


def page(
    text: Results, forest: Results, *, command: str, seconds: float, rounds: int, busy: str
) -> str:
    """Return the page of results; it names no folder of this machine."""
    found = verdicts(text, forest)
    parts = [
        "# What an answer costs, here and elsewhere",
        f"Measured {utc_now():%Y-%m-%d %H:%M} UTC by `{command}` on {machine()}; {busy}. Rounds: "
        f"{rounds}; in each, every server is asked for {seconds:g} s in turn, so that the "
        "machine's moods meet all of them. Tables show the median round. The load generator shares "
        "the machine with the servers, which costs all of them requests/s. CPU is user and system "
        "time per request of all processes of a server; ours include what the shipper takes beside "
        "the api until the last answer is in the database.",
        "Ours checks a key and writes every answer to the durable log before it is given; the "
        "others do neither. All run one worker and serve the same fitted pipeline. FastAPI has two "
        "rows: `def` is what its documentation advises for work that blocks, `async def` is what "
        "its first steps show, and costs less; both are judged.",
        _table(
            ("figure", "to reach", "measured", "rounds", ""),
            [
                (one.what, one.bound, _number(one.found), _range(one), _word(one.reached))
                for one in found
            ],
        ),
    ]
    for results in (text, forest):
        parts += [f"## {results.case.title}", f"Data: {results.case.source}.", _servers(results)]
    return "\n\n".join(parts) + "\n"


def _servers(results: Results) -> str:
    head = (
        "server",
        "at once",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "CPU µs",
        "of it beside",
        "memory MiB",
        "start s",
    )
    rows = []
    for name, levels in results.rounds.items():
        for at_once, every in levels.items():
            columns = ((lambda one: one.per_second), (lambda one: one.p50_ms),
                       (lambda one: one.p99_ms), (lambda one: one.cpu_us),
                       (lambda one: one.beside_us))  # fmt: skip
            figures = [_number(median(map(of, every))) for of in columns]
            first = at_once == min(levels)
            once = (f"{results.memory_mb[name]:.0f}", f"{results.seconds_to_ready[name]:.1f}")
            rows.append((name, str(at_once), *figures, *(once if first else ("", ""))))
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _range(one: Verdict) -> str:
    return "" if one.worst == one.best else f"{_number(one.worst)} to {_number(one.best)}"


def _word(reached: bool) -> str:
    return "reached" if reached else "**missed**"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine() -> str:
    """Describe this machine: cores, processor, memory, Python."""
    model = "an unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else platform.machine()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def load_words() -> str:
    """Say how busy the machine was when the run began."""
    return f"load average {os.getloadavg()[0]:.1f} when it began"
