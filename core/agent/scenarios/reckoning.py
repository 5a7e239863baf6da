"""What follows from a scenario's figures: counts, intervals and differences, as the sources do."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.agent.facts import Fact, safe_words
from core.statistics import intervals, mcnemar

AT = "2026-01-15T09:00:00+00:00"
FOREIGN = {"text.new_terms": 24, "text.campaigns": 60, "sample_messages": 60}
"""Facts that are other people's words, and how many characters of them are shown."""

_COUNTED_BY = {
    "accuracy.current": "accuracy.n_labelled",
    "accuracy.drop": "accuracy.n_labelled",
    "service.error_rate": "service.n_requests",
    "drift.score": "drift.n_current",
    "deployment.current_accuracy": "deployment.n_compared",
    "deployment.previous_accuracy": "deployment.n_compared",
    "deployment.difference": "deployment.n_compared",
    "deployment.p_worse": "deployment.n_compared",
    "candidate.accuracy": "candidate.n_test",
    "candidate.champion_accuracy": "candidate.n_test",
    "candidate.improvement": "candidate.n_test",
    "experiment.acc_a": "experiment.n_a",
    "experiment.acc_b": "experiment.n_b",
    "experiment.error_rate_a": "experiment.n_requests_a",
    "experiment.error_rate_b": "experiment.n_requests_b",
}
_MEASURED = {
    "accuracy.current",
    "service.error_rate",
    "deployment.current_accuracy",
    "deployment.previous_accuracy",
    "candidate.accuracy",
    "candidate.champion_accuracy",
    "experiment.acc_a",
    "experiment.acc_b",
    "experiment.error_rate_a",
    "experiment.error_rate_b",
}

Given = Mapping[str, Any]


def facts(given: Given) -> list[Fact]:
    """Return a scenario's facts: a value each, or `{value, n, interval}`; then what follows.

    >>> found = {fact.id: fact for fact in facts({"accuracy.current": .9, "accuracy.baseline": .97,
    ...                                           "accuracy.n_labelled": 100})}
    >>> found["accuracy.drop"].value, [round(end, 3) for end in found["accuracy.drop"].interval]
    (0.07, [0.025, 0.144])
    """
    stated = {name: _stated(value) for name, value in given.items()}
    values = {name: one["value"] for name, one in stated.items()}
    for name, one in _following(values):
        if name not in stated:
            stated[name] = one
            values[name] = one["value"]
    return [_fact(name, one, values) for name, one in stated.items()]


def _stated(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) and "value" in value else {"value": value}


def _fact(name: str, one: Given, values: Given) -> Fact:
    value = _readable(one["value"], FOREIGN[name]) if name in FOREIGN else one["value"]
    n = one.get("n", values.get(_COUNTED_BY.get(name, "")))
    interval = one.get("interval")
    if interval is None and n and name in _MEASURED:
        interval = _wilson(value, n)
    found = tuple(interval) if interval else None
    return Fact(name, value, "scenario", AT, n=n, interval=found, citable=name not in FOREIGN)


def _wilson(share: float, n: int) -> tuple[float, float]:
    measured = intervals.wilson(round(share * n), n)
    return round(measured.low, 6), round(measured.high, 6)


def _readable(value: Any, longest: int) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {name: _readable(one, longest) for name, one in value.items()}
    if isinstance(value, list):
        return [_readable(one, longest) for one in value]
    return safe_words(value, longest) if isinstance(value, str) else value


def _following(values: Given) -> Iterator[tuple[str, dict[str, Any]]]:
    for needed, reckon in _RULES:
        known = [values.get(name) for name in needed]
        if all(one is not None for one in known):
            yield from reckon(*known)


def _drop(current: float, baseline: float, n: int) -> Iterator[tuple[str, dict[str, Any]]]:
    if n:
        low, high = _wilson(current, n)
        ends = (round(baseline - high, 6), round(baseline - low, 6))
        yield "accuracy.drop", {"value": round(baseline - current, 6), "interval": ends}


def _deployment(current: float, previous: float, n: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The interval of two independent samples: wider than that of pairs, so never too sure."""
    yield "deployment.same_period", {"value": True}
    slack = 1.96 * math.sqrt((current * (1 - current) + previous * (1 - previous)) / n)
    value = round(current - previous, 6)
    ends = (round(value - slack, 6), round(value + slack, 6))
    yield "deployment.difference", {"value": value, "interval": ends}


def _candidate(champion: int, candidate: int, n: int) -> Iterator[tuple[str, dict[str, Any]]]:
    found = mcnemar.paired_difference(champion, candidate, n)
    ends = (round(found.low, 6), round(found.high, 6))
    value = round((candidate - champion) / n, 6)
    yield "candidate.improvement", {"value": value, "interval": ends}
    yield "candidate.p_better", {"value": round(mcnemar.mid_p(champion, candidate), 6)}


def _arm(name: str) -> Callable[..., Iterator[tuple[str, dict[str, Any]]]]:
    def requests(n: int, _error_rate: float) -> Iterator[tuple[str, dict[str, Any]]]:
        yield f"experiment.n_requests_{name}", {"value": n}

    return requests


def _identity(running: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "experiment.id", {"value": running}


_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterator[tuple[str, dict[str, Any]]]]], ...] = (
    (("accuracy.current", "accuracy.baseline", "accuracy.n_labelled"), _drop),
    (
        (
            "deployment.current_accuracy",
            "deployment.previous_accuracy",
            "deployment.n_compared",
        ),
        _deployment,
    ),
    (
        ("candidate.only_champion_right", "candidate.only_candidate_right", "candidate.n_test"),
        _candidate,
    ),
    (("experiment.n_a", "experiment.error_rate_a"), _arm("a")),
    (("experiment.n_b", "experiment.error_rate_b"), _arm("b")),
    (("experiment.running",), _identity),
)
