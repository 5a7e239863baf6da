from datetime import timedelta

import pytest

from core import incidents, policies, releases, specs
from core.access import system
from core.clock import hour_of
from core.errors import InvalidInputError
from core.incidents import reading
from core.monitoring import reports, service, signals
from core.monitoring.checks.service import check_service
from core.monitoring.service import Counts, judge, percentile
from core.serving.storing import BUCKETS_MS
from core.specs.thresholds import LONGEST_LATENCY_MS, Policy
from core.tables.telemetry import HourlyCount
from tests.fakes.watched import TEXT, Watched

FAST = {"5": 1}


def found(*, requests=1000, errors=0, **buckets):
    answers = {name[1:]: n for name, n in buckets.items()} or {"5": requests - errors}
    return seen([Counts("1.0.0", requests, errors, answers)])


def seen(counts, policy=None, *, errors=50, latency=50):
    both = {"error_rate": counts, "latency": counts}
    return judge(both, {"error_rate": errors, "latency": latency}, policy or Policy())


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
    judged = seen(
        [Counts("1.0.0", 900, 0, FAST), Counts("2.0.0", 100, 30, FAST), Counts("3", 9, 9, {})]
    )
    assert "version 2.0.0" in judged.signals[0].sentence
    assert [one.judged for one in judged.versions] == [True, True, False]


def test_a_version_that_only_fails_has_no_latency_to_judge():
    judged = seen([Counts("1.0.0", 500, 500, {})])
    assert (judged.state, judged.signals[1].state) == ("fail", "unknown")


def test_a_spec_moves_the_thresholds():
    policy = Policy.of(0.9, {"error_critical": 0.2, "error_warning": 0.1})
    assert seen([Counts("1.0.0", 3000, 150, FAST)], policy).state == "pass"
    assert seen([Counts("1.0.0", 3000, 900, FAST)], policy).state == "fail"


def test_each_rule_waits_for_its_own_samples():
    judged = seen([Counts("1.0.0", 104, 10, {"5": 94})], errors=100, latency=100)
    assert [(one.state, one.n) for one in judged.signals] == [("firing", 104), ("unknown", 94)]
    assert judged.signals[1].sentence == (
        "Latency is not judged yet: 94 new answers, 6 more are needed."
    )


@pytest.mark.parametrize(
    ("limit", "bucket", "state"),
    [
        (5000, "inf", "firing"),
        (300, "500", "ok"),
        (300, "1000", "firing"),
        (6000, "inf", "unknown"),
    ],
)
def test_a_limit_of_latency_is_judged_at_the_next_bound(limit, bucket, state):
    policy = Policy(latency_warning_ms=limit, latency_critical_ms=limit)
    (_, latency) = seen([Counts("1.0.0", 200, 0, {bucket: 200})], policy).signals
    assert latency.state == state
    if (limit, state) == (300, "firing"):
        assert "more than 500 ms, at which the limit of 300 is judged" in latency.sentence


def test_slow_answers_that_may_be_chance_in_the_last_bucket_do_not_reassure():
    policy = Policy(latency_warning_ms=5000, latency_critical_ms=5000)
    counts = [Counts("1.0.0", 1000, 0, {"100": 948, "inf": 52})]
    assert seen(counts, policy).signals[1].state == "unknown"


def test_a_limit_that_cannot_be_told_from_slower_answers_is_refused(db):
    assert BUCKETS_MS[-1] == LONGEST_LATENCY_MS
    own = TEXT + "policy: {overrides: {latency_warning_ms: 6000}}\n"
    with pytest.raises(InvalidInputError, match="at most 5000 ms"):
        specs.apply(db, system("bootstrap"), own)


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


def test_a_limit_that_people_approved_counts_for_the_next_check(model, ana):
    count(model, 400, 40)
    assert check(model).state == "fail"
    limits = {"error_warning": 0.3, "error_critical": 0.5}
    with model.db.command(ana, "recommendation.propose") as command:
        row = policies.draft_in(command, scope="spam", thresholds=limits, reason="a fair")
    with model.db.command(system("executor"), "action.execute") as command:
        policies.activate_in(command, row.model, row.version)
    count(model, 400, 40)
    assert check(model).state == "pass"


def told(model, **fields):
    """Check, and tell the alert engine of it; the rules whose alerts fire then."""
    incidents.consider(model.db, model.settings, model.spec, check(model, **fields))
    with model.db.read() as session:
        return {one.rule for one in reading.found(session, state="firing")}


def test_latency_is_judged_over_many_windows_of_errors(db, settings, clock):
    own = "alerts: {error_rate: {min_samples: 50}, latency: {min_samples: 1000}}\n"
    watched = Watched(db, settings, clock, TEXT + own)
    watched.release("1.0.0")
    for _ in range(5):
        count(watched, 200, slow=190)
        fired = told(watched)
    assert fired == {"latency"}
    assert [row.n_current for row in stored(watched)] == [1000, 200, 200, 200, 200]


def test_answers_that_wait_for_latency_are_kept_when_errors_are_judged(model):
    count(model, 104, 10, slow=94)
    assert told(model) == {"error_rate"}
    count(model, 6, slow=6)
    assert told(model) == {"error_rate", "latency"}


def test_few_requests_that_all_fail_are_judged_once_there_are_enough(model):
    for hours in range(30):
        count(model, 4, 4)
        fired = told(model, minutes=60)
        assert bool(fired) == (hours >= 24), hours


def test_the_first_look_goes_as_far_back_as_it_must_and_no_further(model):
    count(model, 500, 500)
    model.clock.forward(hours=5)
    count(model, 90)
    model.clock.forward(hours=4)
    count(model, 90)
    assert check(model).n_current == 180


def test_few_requests_wait_and_leave_one_report(model):
    for _ in range(4):
        count(model, 10)
        report = check(model)
    assert report.sentence == "Errors are not judged yet: 40 new requests, 60 more are needed."
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


def test_what_is_older_than_a_week_is_in_no_window(model):
    count(model, 200)
    check(model)
    count(model, 500, 500)
    model.clock.forward(hours=7 * 24)
    assert check(model).n_current == 0


def test_after_a_clock_that_jumps_back_nothing_is_judged_twice(model):
    count(model, 200)
    check(model)
    model.clock.now -= timedelta(hours=3)
    assert check(model).state == "inconclusive"


def test_a_report_from_the_future_does_not_blind_the_check(model):
    count(model, 10)
    model.clock.forward(days=30)
    count(model, 200)
    ahead = check(model)
    model.clock.now -= timedelta(days=30)
    count(model, 200, 100)
    report = check(model)
    assert (report.state, report.follows) == ("fail", ahead.window_last_id)
    assert "A clock was set back" in report.sentence

    count(model, 200)
    assert check(model).sentence.count("A clock was set back") == 0
