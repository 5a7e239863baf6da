from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from core import heartbeat, incidents, specs
from core.access import system
from core.clock import hour_of
from core.ids import new_id
from core.monitoring import reports, signals, volume
from core.monitoring.checks.volume import check_volume
from core.tables.operational import Tick
from core.tables.telemetry import HourlyCount, SpoolPosition
from tests.fakes.watched import TEXT, Watched

WEEK = 168


def traffic(hours, *, scale=100.0, noise=0.15, seed=0):
    """Requests by hour: busy days, quiet nights, quieter weekends."""
    rng, t = np.random.default_rng(seed), np.arange(hours)
    rate = scale * (1 + 0.7 * np.sin(2 * np.pi * t / 24)) * np.where(t // 24 % 7 >= 5, 0.5, 1.0)
    return dict(enumerate(rng.poisson(rate * rng.gamma(1 / noise**2, noise**2, hours)).tolist()))


def judged(hours, *, last=None, **changed):
    counts = traffic(hours) | {int(hour[1:]): n for hour, n in changed.items()}
    return volume.judge(counts, first=0, last=hours - 1 if last is None else last)


@pytest.mark.parametrize(
    ("days", "season"),
    [(4, "hour before"), (10, "hour of the day"), (35, "hour of the week")],
)
def test_what_is_usual_is_learnt_from_the_same_hours(days, season):
    found = judged(24 * days)
    assert (found.state, found.season) == ("pass", season)
    assert found.low <= found.expected <= found.high


def test_silence_is_told_as_such():
    found = judged(24 * 35, _839=0)
    assert (found.state, found.observed) == ("fail", 0)
    assert found.sentence.startswith("Nothing came in the last full hour; about ")


@pytest.mark.parametrize(("n", "words"), [(15, "far fewer"), (900, "far more")])
def test_too_little_and_too_much_are_both_told(n, words):
    found = judged(24 * 35 + 8, _847=n)
    assert found.state == "warn"
    assert words in found.sentence


def test_a_quiet_night_is_usual():
    states = {judged(24 * 35, last=last).state for last in range(24 * 34, 24 * 35)}
    assert states == {"pass"}


def test_a_young_model_is_not_judged_and_says_when_it_will_be():
    found = judged(30)
    assert found.state == "inconclusive"
    assert found.sentence == (
        "Not judged yet: 29 hours of traffic are known, 48 are needed to know what is usual."
    )


def test_rare_requests_are_summed_over_more_hours():
    counts = traffic(24 * 35, scale=4.0)
    found = volume.judge(counts, first=0, last=24 * 35 - 1)
    assert found.hours > 4
    assert found.expected >= volume.FEWEST_EXPECTED


@pytest.mark.parametrize("counts", [{}, {5: 1}, {0: 3, 700: 2}])
def test_almost_no_traffic_is_inconclusive(counts):
    assert volume.judge(counts, first=0, last=700).state == "inconclusive"


def test_an_outage_last_week_hides_no_outage_now():
    gone = {f"_{hour}": 0 for hour in range(650, 656)}
    assert judged(24 * 35, **gone, _839=0).state == "fail"


def test_growth_is_followed():
    counts = {hour: int(n * (1 + hour / 840)) for hour, n in traffic(840).items()}
    states = [volume.judge(counts, first=0, last=last).state for last in range(800, 840)]
    assert states.count("pass") >= 39


def test_alarms_are_rarer_than_one_a_month():
    """Two hours in a row make an alarm; here a month of a noisy model."""
    counts = traffic(24 * 59, noise=0.3, seed=3)
    states = [volume.judge(counts, first=0, last=last).state for last in range(24 * 45, 24 * 59)]
    assert sum(a != "pass" != b for a, b in pairwise(states)) == 0


@pytest.fixture
def model(db, settings, clock):
    clock.now = clock.now.replace(minute=20)
    watched = Watched(db, settings, clock)
    watched.release("1.0.0")
    return watched


def log(model, *, days=10, silent=0, name=None, n=100):
    """Count `n` requests in each hour of the days before now, none in the last `silent`."""
    now = hour_of(model.clock())
    with model.db.append() as session:
        for hour in range(now - round(24 * days), now - silent):
            session.add(
                HourlyCount(
                    model=name or model.spec.name,
                    version="1.0.0",
                    variant="control",
                    hour=hour,
                    requests=n + hour % 7,
                    errors=0,
                    positives=0,
                    latency_ms_sum=0,
                    latency_buckets={},
                )
            )


def check(model):
    return check_volume(model.db, model.settings, model.spec.name)


def test_usual_traffic_passes_once_an_hour(model):
    log(model)
    report = check(model)
    assert (report.state, report.n_current) == ("pass", 100 + (hour_of(model.clock()) - 1) % 7)
    assert check(model).id == report.id
    with model.db.read() as session:
        assert len(reports.reports(session, model.spec.name, "volume")) == 1


def test_silence_fires_a_low_signal_in_reports_that_follow_each_other(model):
    log(model, silent=2)
    first = check(model)
    model.clock.forward(hours=1)
    second = check(model)
    (signal,) = signals.read(second)
    assert (signal.rule, signal.state, signal.severity) == ("volume", "firing", "low")
    assert second.follows == first.window_last_id
    assert second.window_start == first.window_end


def test_the_hour_that_has_just_ended_is_given_time_to_arrive(model):
    log(model)
    model.clock.now = model.clock.now.replace(minute=58)
    before = check(model)
    model.clock.forward(minutes=4)
    assert check(model).id == before.id


def test_a_log_that_nobody_moves_is_no_silence(model):
    log(model, silent=2)
    heartbeat.beat(model.db, "shipper@here")
    model.clock.forward(minutes=5)
    report = check(model)
    assert report.state == "inconclusive"
    assert "moves the log was last heard of" in report.sentence


def half(model):
    """Only half of the usual requests in the last full hour, while one shipper of two lives."""
    log(model, silent=1)
    log(model, days=1 / 24, n=40)
    heartbeat.beat(model.db, "shipper@there")


def test_a_log_that_one_of_two_hosts_does_not_move_is_no_silence(model):
    half(model)
    model.clock.forward(minutes=20)
    heartbeat.beat(model.db, "shipper@here", model.clock() - timedelta(days=2))
    assert "(shipper@there)" in check(model).sentence


def test_a_process_that_took_the_place_of_another_moves_its_log(model):
    half(model)
    model.clock.forward(minutes=20)
    heartbeat.beat(model.db, "shipper@here", model.clock() - timedelta(minutes=19))
    assert check(model).state == "warn"


def test_a_host_that_is_gone_for_a_day_is_not_waited_for(model):
    heartbeat.beat(model.db, "shipper@there")
    model.clock.forward(days=2)
    heartbeat.beat(model.db, "shipper@here", model.clock() - timedelta(days=9))
    log(model, silent=1)
    assert check(model).state == "fail"


def test_a_report_from_the_future_does_not_blind_the_check(model):
    log(model)
    model.clock.forward(days=1)
    ahead = check(model)
    model.clock.now -= timedelta(days=1)
    report = check(model)
    assert (report.state, report.follows) == ("pass", ahead.window_last_id)
    assert "A clock was set back" in report.sentence


def test_many_checks_after_a_clock_was_set_back_each_judges_its_hour(model, monkeypatch):
    monkeypatch.setattr(reports, "_MADE_LAST", 3)
    log(model)
    model.clock.forward(days=1)
    check(model)
    model.clock.now -= timedelta(days=1)
    found = []
    for _ in range(6):
        log(model, days=0, silent=-1)
        found.append(check(model))
        model.clock.forward(hours=1)
    assert len({one.id for one in found}) == 6
    assert "A clock was set back" not in found[-1].sentence


def test_a_log_that_is_behind_is_no_silence(model):
    log(model, silent=3)
    heartbeat.beat(model.db, "shipper@here")
    with model.db.append() as session:
        session.add(SpoolPosition(spool="a", offset=1, at=model.clock()))
    assert "still being moved" in check(model).sentence


def ticks(model, *, missed):
    with model.db.keep() as session:
        for back in range(30):
            if back not in missed:
                at = model.clock() - timedelta(hours=back)
                row = {"id": new_id(at), "schedule_id": "s", "slot": at, "state": "succeeded"}
                session.add(Tick(**row, at=at))


def test_hours_in_which_the_product_was_stopped_are_no_silence(model):
    log(model, silent=1)
    ticks(model, missed={1})
    assert "the product was stopped" in check(model).sentence


def test_silence_while_the_product_ran_is_told(model):
    log(model, silent=1)
    ticks(model, missed=set())
    assert check(model).state == "fail"


@pytest.fixture
def other(model):
    """A second model, which is asked more than the first."""
    second = Watched(model.db, model.settings, model.clock, TEXT.replace("spam", "second", 1))
    second.release("1.0.0")
    return second


def told(*models):
    """Check the models and tell the alert engine of it; the incidents that are open then."""
    for one in models:
        incidents.consider(one.db, one.settings, one.spec, check(one))
    with models[0].db.read() as session:
        return incidents.all(session, open_only=True)


def test_silence_of_all_models_opens_one_grave_incident(model, other):
    log(model, silent=1)
    log(other, silent=1, n=200)
    assert told(model, other) == []
    model.clock.forward(hours=1)
    (opened,) = told(model, other)
    assert (opened.model, opened.severity) == ("second", "high")
    assert "No requests arrive for any model" in opened.timeline[-1]["what"]
    assert "It is told once, for second." in check(model).sentence


def test_an_outage_that_ends_within_an_hour_stays_one_incident(model, other):
    for one, n in ((model, 100), (other, 200)):
        log(one, silent=3, n=n)
    for left in (0.3, 0.0, 0.3, 1.0, 1.0):
        for one, n in ((model, 100), (other, 200)):
            log(one, days=0, silent=-1, n=int(n * left))
        model.clock.forward(hours=1)
        found = told(model, other)
    assert found == []
    with model.db.read() as session:
        assert [one.model for one in incidents.all(session)] == ["second"]


def test_a_model_whose_alert_is_switched_off_tells_nothing_for_others(model, other):
    other.spec = specs.apply(
        other.db, system("bootstrap"), f"{other.text}alerts: {{volume: {{enabled: false}}}}\n"
    )
    log(model, silent=1)
    log(other, silent=1, n=200)
    told(other, model)
    model.clock.forward(hours=1)
    assert [one.model for one in told(other, model)] == ["spam"]


def test_silence_of_all_but_one_model_is_a_word_about_each(model, other):
    log(model, silent=1)
    log(other, n=200)
    assert signals.read(check(model))[0].severity == "low"


def test_silence_of_one_model_among_others_is_told(model):
    log(model, silent=1)
    log(model, name="other")
    assert check(model).state == "fail"


def test_a_release_is_no_drop(model):
    log(model)
    model.clock.forward(minutes=1)
    model.release("2.0.0")
    assert check(model).state == "pass"
