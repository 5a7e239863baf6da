from datetime import timedelta

import pytest

from core import releases
from core.access import system
from core.clock import hour_of
from core.monitoring import reports, service, signals
from core.monitoring.checks.service import check_service
from core.monitoring.service import Counts, judge, percentile
from core.specs.thresholds import Policy
from core.tables.telemetry import HourlyCount
from tests.fakes.watched import TEXT, Watched

FAST = {"5": 1}


def found(*, requests=1000, errors=0, **buckets):
    answers = {name[1:]: n for name, n in buckets.items()} or {"5": requests - errors}
    return judge([Counts("1.0.0", requests, errors, answers)], Policy())


@pytest.mark.parametrize(
    ("errors", "state", "severity"),
    [(0, "pass", "high"), (12, "pass", "high"), (22, "warn", "high"), (50, "fail", "critical")],
)
def test_errors_count_once_they_surely_exceed_a_threshold(errors, state, severity):
    judged = found(errors=errors)
    assert (judged.state, judged.signals[0].severity) == (state, severity)


def test_a_rate_that_is_only_perhaps_too_high_neither_alarms_nor_reassures():
    assert found(errors=12).signals[0].state == "unknown"
    assert found(errors=2).signals[0].state == "ok"


@pytest.mark.parametrize(
    ("buckets", "state"),
    [
        ({"_100": 1000}, "pass"),
        ({"_100": 900, "_500": 100}, "warn"),
        ({"_100": 900, "_1000": 100}, "fail"),
        ({"_100": 945, "_1000": 55}, "pass"),
    ],
)
def test_slow_answers_count_once_surely_more_than_one_in_twenty_is_slow(buckets, state):
    assert found(**buckets).state == state


def test_the_percentile_lies_within_its_bucket_and_says_so():
    assert percentile({"5": 90, "10": 10}) == service.Percentile(7.5, 5.0, 10.0)
    assert percentile({"5": 10, "inf": 90}) == service.Percentile(5000.0, 5000.0, None)
    assert percentile({}) is None
    assert "between 500 and 1000" in found(_100=900, _1000=100).sentence


def test_the_worst_of_the_versions_is_the_finding():
    judged = judge(
        [Counts("1.0.0", 900, 0, FAST), Counts("2.0.0", 100, 30, FAST), Counts("3", 9, 9, {})],
        Policy(),
    )
    assert "version 2.0.0" in judged.signals[0].sentence
    assert [one.judged for one in judged.versions] == [True, True, False]


def test_a_version_that_only_fails_has_no_latency_to_judge():
    judged = judge([Counts("1.0.0", 500, 500, {})], Policy())
    assert (judged.state, judged.signals[1].state) == ("fail", "unknown")


def test_a_spec_moves_the_thresholds():
    policy = Policy.of(0.9, {"error_critical": 0.2, "error_warning": 0.1, "min_requests": 2000})
    assert judge([Counts("1.0.0", 3000, 150, FAST)], policy).state == "pass"
    assert judge([Counts("1.0.0", 1000, 500, FAST)], policy).state == "inconclusive"


@pytest.fixture
def model(db, settings, clock):
    watched = Watched(db, settings, clock)
    watched.release("1.0.0")
    return watched


def count(model, requests, errors=0, *, slow=0, version="1.0.0", variant="control"):
    with model.db.append() as session:
        key = (model.spec.name, version, variant, hour_of(model.clock()))
        row = session.get(HourlyCount, key)
        if row is None:
            named = dict(zip(("model", "version", "variant", "hour"), key, strict=True))
            row = HourlyCount(
                **named, requests=0, errors=0, positives=0, latency_ms_sum=0, latency_buckets={}
            )
            session.add(row)
        row.requests += requests
        row.errors += errors
        row.latency_buckets = service.merged(
            [row.latency_buckets, {"5": requests - errors - slow, "1000": slow}]
        )


def check(model, minutes=15):
    model.clock.forward(minutes=minutes)
    return check_service(model.db, model.settings, model.spec.name)


def stored(model):
    with model.db.read() as session:
        return reports.reports(session, model.spec.name, "service")


def test_the_hour_that_has_just_begun_is_judged_and_each_request_once(model):
    count(model, 200, 40)
    first = check(model, minutes=1)
    count(model, 300)
    second = check(model, minutes=10)

    assert (first.state, first.n_current) == ("fail", 200)
    assert (second.state, second.n_current) == ("pass", 300)
    assert second.follows == first.window_last_id
    assert second.window_start == first.window_end
    assert {signal.rule for signal in signals.read(second)} == {"error_rate", "latency"}


def test_a_window_goes_on_over_the_hours(model):
    count(model, 100)
    check(model)
    count(model, 50)
    model.clock.forward(hours=1)
    count(model, 60, 30)
    report = check(model)
    assert (report.state, report.n_current) == ("fail", 110)


def test_a_version_with_little_traffic_is_judged_once_it_has_enough(model):
    model.release("2.0.0")
    split(model, "2.0.0", "1.0.0")
    for _ in range(4):
        count(model, 200, version="2.0.0")
        count(model, 30, 20, version="1.0.0")
        report = check(model, minutes=10)

    assert report.state == "fail"
    assert "120 requests to version 1.0.0 failed" in report.sentence
    assert [row.state for row in stored(model)] == ["fail", "pass", "pass", "pass"]


def split(model, control, treatment):
    arms = [releases.Arm(control, "control", 900), releases.Arm(treatment, "treatment", 100)]
    with model.db.command(system("executor"), "release.experiment") as command:
        newest = releases.find_current(command.session, model.spec.name)
        releases.append(command, model.spec.name, arms, replaces=newest.seq)


def test_a_rule_that_asks_for_fewer_requests_gets_smaller_windows(db, settings, clock):
    own = (
        TEXT + "alerts: {error_rate: {min_samples: 20}}\npolicy: {overrides: {min_requests: 30}}\n"
    )
    watched = Watched(db, settings, clock, own)
    watched.release("1.0.0")
    count(watched, 40, 20)
    assert check(watched).state == "fail"


def test_few_requests_wait_and_leave_one_report(model):
    for _ in range(4):
        count(model, 10)
        report = check(model)
    assert report.sentence == "Not judged yet: 40 new requests, 60 more are needed."
    assert [row.state for row in stored(model)] == ["inconclusive"]


def test_a_second_look_within_minutes_returns_the_same_report(model):
    count(model, 200)
    first = check(model)
    count(model, 200)
    assert check(model, minutes=1).id == first.id
    assert len(stored(model)) == 1


def test_shadows_and_versions_that_no_longer_serve_do_not_count(model):
    count(model, 500, 500, variant="shadow")
    count(model, 500, 500, version="0.9.0")
    assert check(model).state == "inconclusive"


def test_what_is_older_than_a_day_is_in_no_window(model):
    count(model, 200)
    check(model)
    count(model, 500, 500)
    model.clock.forward(hours=40)
    assert check(model).n_current == 0


def test_after_a_clock_that_jumps_back_nothing_is_judged_twice(model):
    count(model, 200)
    check(model)
    model.clock.now -= timedelta(hours=3)
    assert check(model).state == "inconclusive"
