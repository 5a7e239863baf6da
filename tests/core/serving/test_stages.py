"""Latency by stage."""

import pytest

from core.serving.stages import BOUNDS, Stages


def test_figures_follow_what_was_noted():
    stages = Stages()
    for _ in range(98):
        stages.note("score", 0.00003)
    stages.note("score", 0.3)
    stages.note("score", 0.4)
    score = stages.figures()["score"]
    assert score.count == 100
    assert score.sum == pytest.approx(98 * 0.00003 + 0.7)
    assert 0.00002 < score.p50 <= 0.00005
    assert 0.2 < score.p99 <= 0.5


def test_nothing_noted_has_no_quantiles():
    auth = Stages().figures()["auth"]
    assert (auth.count, auth.sum, auth.p50, auth.p99) == (0, 0.0, None, None)


def test_longer_than_the_last_bucket_counts_as_its_end():
    stages = Stages()
    stages.note("spool", 60)
    assert stages.figures()["spool"].p99 == BOUNDS[-1]


def test_an_unknown_stage_is_a_mistake():
    with pytest.raises(KeyError):
        Stages().note("tea", 1)
