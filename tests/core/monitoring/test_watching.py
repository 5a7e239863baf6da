"""The drift alarm goes on from window to window, and starts anew where it has to."""

import pandas as pd
import pytest

from core import specs
from core.datasets import generator
from core.monitoring import checks, signals
from core.monitoring.checks import drift, watching
from tests.fakes.watched import TABLE, TEXT, Watched, be_quick, hearts


@pytest.fixture
def model(db, settings, clock, monkeypatch):
    be_quick(monkeypatch)
    watched = Watched(db, settings, clock)
    watched.release("1.0.0")
    return watched


def window(model, **traffic):
    model.answer(110, **traffic)
    model.clock.forward(minutes=15)
    return checks.check_drift(model.db, model.settings, "spam")


def signal(report):
    (found,) = signals.read(report)
    return found


def test_a_strong_change_fires_in_its_first_window_and_says_so(model):
    report = window(model, campaign="crypto")
    found = signal(report)
    assert (found.rule, found.state, found.severity, found.value) == ("drift", "firing", "high", 1)
    assert report.figures["watch"]["alarm"]
    assert "Drift of size" in report.sentence
    assert "A lasting change of text" in report.sentence


def test_quiet_windows_say_how_much_of_the_budget_is_used(model):
    report = window(model)
    assert signal(report).state == "ok"
    assert report.sentence.endswith(" %.") or report.sentence.endswith("%.")
    assert "The alarm budget is used to" in report.sentence
    assert 0 <= report.figures["watch"]["used"] < 1


def test_the_alarm_stands_until_the_evidence_says_that_it_is_over(model):
    window(model, campaign="crypto")
    found = [window(model) for _ in range(6)]
    states = [signal(report).state for report in found]
    assert states == sorted(states)  # firing, then ok
    assert states[-1] == "ok"
    over = next(report for report in found if report.figures["watch"]["recovered"])
    assert "is over after" in over.sentence


def test_evidence_travels_with_the_reports(model):
    first, second = window(model), window(model)
    kept = second.figures["watch"]["state"]
    assert kept != first.figures["watch"]["state"]
    assert second.figures["watch"]["reference"] == model.reference


def test_a_version_that_serves_again_starts_a_watch_of_its_own(model):
    window(model, campaign="crypto")
    model.release("2.0.0")
    assert signal(window(model)).state == "ok"
    model.serve("1.0.0")
    report = window(model)
    assert (report.version, signal(report).state) == ("1.0.0", "ok")


def test_a_window_without_a_verdict_leaves_the_watch_as_it_was(model):
    model.size(window_rows=110)
    before = window(model, campaign="crypto")
    model.log([{"message": None}] * 110)
    model.clock.forward(minutes=15)
    skipped = checks.check_drift(model.db, model.settings, "spam")
    assert (skipped.state, skipped.follows) == ("inconclusive", before.window_last_id)
    assert skipped.figures["watch"] == before.figures["watch"]
    assert window(model, campaign="crypto").follows == skipped.window_last_id


@pytest.mark.parametrize(
    ("size", "minutes"), [({}, 15), ({"window_minutes": 60}, 60), ({"window_minutes": 5}, 15)]
)
def test_the_budget_of_a_month_is_shared_by_its_windows(model, size, minutes):
    if size:
        model.size(**size)
    model.answer(110)
    model.clock.forward(hours=2)
    report = checks.check_drift(model.db, model.settings, "spam")
    expected = 0.1 * minutes / (30 * 24 * 60)
    assert report.figures["watch"]["false_alarms_a_check"] == pytest.approx(expected)


def test_windows_by_rows_spend_the_budget_of_the_time_that_they_took(model):
    model.size(window_rows=110)
    found = []
    for minutes in (30, 60 * 24):
        model.clock.forward(minutes=minutes)
        model.answer(110)
        report = checks.check_drift(model.db, model.settings, "spam")
        found.append(report.figures["watch"]["false_alarms_a_check"])
    assert found[1] / found[0] == pytest.approx(48, rel=0.01)
    assert watching.MOST_AT_ONCE > 1


def test_the_delay_that_the_reference_allows_is_told(db, settings, clock, monkeypatch):
    be_quick(monkeypatch)
    watched = Watched(db, settings, clock, TABLE)
    watched.release("1.0.0")
    rows = hearts(150, seed=2).drop(columns="ill").to_dict("records")
    watched.log([{"features": row} for row in rows])
    told = checks.check_drift(db, settings, "heart").figures["watch"]["delay"]
    assert told.startswith("A lasting shift of 0.2 standard deviations in one column")


@pytest.mark.parametrize("spec", [TEXT, TABLE], ids=["texts", "table"])
@pytest.mark.parametrize("alpha", ["0.001", "0.0005", "0.000000001"])
def test_every_alpha_that_a_spec_may_say_can_be_reached(spec, alpha):
    parsed = specs.parse(spec.replace("alpha: 0.01", f"alpha: {alpha}"))
    if parsed.task == "text":
        drawn = (
            generator.messages(60, seed=1),
            generator.drifted(60, seed=2, campaign="crypto", share=1),
        )
        before, now = (pd.DataFrame({"message": [one.text for one in m]}) for m in drawn)
    else:
        before, now = hearts(60, seed=1), hearts(60, seed=2, older=60)
    found = drift.compare(parsed, before, now)
    assert found.p_value <= found.alpha == max(float(alpha), drift.SMALLEST_ALPHA)
