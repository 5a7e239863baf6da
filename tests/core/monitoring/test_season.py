"""With a weekly season, a window is compared with the same hours of the week before."""

import pytest

from core.monitoring import checks, signals
from tests.fakes.watched import Watched, be_quick


@pytest.fixture
def model(db, settings, clock, monkeypatch):
    be_quick(monkeypatch)
    watched = Watched(db, settings, clock)
    watched.release("1.0.0")
    watched.size(season="week")
    return watched


def judge(model):
    return checks.check_drift(model.db, model.settings, "spam")


def weeks(model, first, second, *, n=150):
    """Answer in the same hour of two weeks, each judged; returns the second report."""
    model.answer(n, **first)
    judge(model)
    model.clock.forward(days=7, seconds=-model_seconds(n))
    model.answer(150, **second)
    return judge(model)


def model_seconds(n):
    return n * 0.01


def test_what_came_last_week_too_is_no_drift_and_is_told_as_a_seasonal_match(model):
    campaign = {"campaign": "crypto", "share": 0.4}
    report = weeks(model, campaign, campaign)
    assert (report.state, report.figures["seasonal_match"]) == ("pass", True)
    assert report.figures["reference"]["kind"] == "week"
    assert report.figures["reference"]["from"] < report.figures["reference"]["to"]
    assert "which it is like, other than the reference" in report.sentence


def test_what_did_not_come_last_week_is_drift(model):
    report = weeks(model, {}, {"campaign": "crypto", "share": 0.4})
    assert (report.state, report.figures["seasonal_match"]) == ("fail", False)
    assert "Compared with the same hours one week ago." in report.sentence


def test_without_enough_of_last_week_the_stored_reference_counts(model):
    report = weeks(model, {}, {}, n=60)
    assert report.figures["reference"]["kind"] == "stored"
    assert "compared with the reference" in report.sentence


def test_each_reference_has_a_watch_of_its_own(model):
    model.answer(150)
    first = judge(model)
    model.clock.forward(days=7, seconds=-1.5)
    model.answer(150)
    second = judge(model)
    assert first.figures["watch"]["reference"] == model.reference
    assert second.figures["watch"]["reference"] == "week"
    kept = first.figures["watch"]["state"]
    assert second.figures["watch"]["others"] == {model.reference: kept}


def signal(report):
    (found,) = signals.read(report)
    return found.state


def test_an_alarm_against_the_reference_is_not_over_because_last_week_was_alike(model):
    campaign = {"campaign": "crypto", "share": 0.4}
    report = weeks(model, campaign, campaign)
    watch = report.figures["watch"]
    assert (watch["reference"], watch["alarm"], signal(report)) == ("week", False, "unknown")
    assert "The alarm against the stored reference still stands." in report.sentence


def test_an_alarm_against_the_reference_ends_where_windows_are_like_it_again(model):
    model.answer(900)
    judge(model)
    model.clock.forward(days=3)
    model.answer(150, campaign="crypto", share=0.9)
    found = [judge(model)]
    model.clock.forward(days=4, seconds=-model_seconds(1050))
    while signal(found[-1]) != "ok" and len(found) < 9:
        model.answer(110)
        found.append(judge(model))
    assert [signal(one) for one in found] == ["firing", *["unknown"] * (len(found) - 2), "ok"]
    assert found[-1].figures["reference"]["kind"] == "week"
    assert "is over after" in found[-1].sentence
