"""The figures of the last minutes, from memory that was there from the start."""

import pytest

from core.serving import traffic
from core.serving.traffic import Traffic


@pytest.fixture
def at(monkeypatch):
    """The clock, to be moved."""
    now = [1000.0]
    monkeypatch.setattr(traffic, "monotonic", lambda: now[0])
    return now


def test_of_nothing_there_are_no_latencies():
    assert Traffic().figures() == traffic.Figures(None, None, 0.0, 0.0)


def test_failed_requests_count_with_their_latency(at):
    counted = Traffic()
    for milliseconds, failed in ((1.0, False), (9.0, True), (0.0, True), (2.0, False)):
        counted.request(milliseconds, failed=failed)
    assert counted.figures() == traffic.Figures(9.0, None, 4.0, 0.5)
    assert (counted.requests, counted.errors) == (4, 2)


def test_what_is_older_than_a_minute_or_five_drops_out(at):
    counted = Traffic()
    counted.request(5.0, failed=True)
    counted.scored(4.0)
    at[0] += 61
    assert counted.figures() == traffic.Figures(5.0, 4.0, 0.0, 1.0)
    at[0] += 240
    assert counted.figures() == traffic.Figures(None, None, 0.0, 0.0)


def test_beyond_the_bound_the_oldest_gives_way(at, monkeypatch):
    monkeypatch.setattr(traffic, "_MOST", 3)
    counted = Traffic()
    for milliseconds in (9.0, 1.0, 2.0, 3.0):
        counted.scored(milliseconds)
    assert counted.figures().model_inference_time_p99 == 3.0
