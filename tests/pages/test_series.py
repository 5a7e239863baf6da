from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from app import performance_charts, series
from core.monitoring import trends
from core.tables.telemetry import HourlyCount

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def count(hour, *, variant="control", requests=10, buckets=None):
    return HourlyCount(
        model="m",
        version="1.0.0",
        variant=variant,
        hour=int(NOON.timestamp() // 3600) + hour,
        requests=requests,
        errors=1,
        positives=0,
        latency_ms_sum=27.0,
        latency_buckets=buckets or {"5": 8, "inf": 1},
    )


def labelled(n, *, wrong=0, version="1.0.0"):
    rows = [
        SimpleNamespace(at=NOON + timedelta(minutes=i), version=version, correct=i >= wrong)
        for i in range(n)
    ]
    return rows[::-1]  # as the log gives them: the newest first


def test_every_hour_has_a_point_also_without_traffic():
    points = series.hourly([count(0), count(-1, requests=4)], 3, NOON)
    assert [point.requests for point in points] == [0, 4, 10]
    assert points[0].mean_ms is None
    assert points[2].mean_ms == 3.0


def test_shadow_answers_are_no_traffic():
    assert series.hourly([count(0, variant="shadow")], 1, NOON)[0].requests == 0


def test_a_quantile_is_the_bound_of_its_bucket():
    rows = [count(0, buckets={"5": 90, "10": 9, "inf": 1})]
    assert series.quantile(rows, 0.5) == 5
    assert series.quantile(rows, 0.95) == 10
    assert series.quantile(rows, 0.999) == float("inf")
    assert series.quantile([], 0.95) is None


def test_accuracy_is_cut_into_bins_with_intervals():
    bins = series.accuracy(labelled(40, wrong=10), bins=2)
    assert [(one.n, one.value) for one in bins] == [(20, 0.5), (20, 1.0)]
    assert bins[0].low < 0.5 < bins[0].high


def test_versions_are_not_mixed_in_a_bin():
    bins = series.accuracy(labelled(20) + labelled(20, wrong=20, version="2.0.0"), bins=1)
    assert {(one.version, one.value) for one in bins} == {("1.0.0", 1.0), ("2.0.0", 0.0)}


def test_no_bin_rests_on_a_remainder_of_a_few_labels():
    assert [one.n for one in series.accuracy(labelled(41))] == [20, 21]
    assert [one.n for one in series.accuracy(labelled(7))] == [7]


def test_latency_over_the_last_bucket_is_drawn_there_and_named():
    points = series.hourly([count(0, buckets={"5": 1, "inf": 9})], 2, NOON)
    p95 = performance_charts.latency(points).data[1]
    assert p95.y == (None, 5000)
    assert p95.customdata[1] == "over 5 s"


def test_each_version_has_an_accuracy_line_of_its_own():
    versions = ("1.9.0", "1.10.0", "1.9.0")
    told = [
        trends.Quality(NOON + timedelta(days=day), version, 0.9, 0.8, 0.95, 100)
        for day, version in enumerate(versions)
    ]
    days = [trends.Traffic(NOON + timedelta(days=n), 1, 0, 2.0) for n in range(3)]
    lines = performance_charts.trend(told, [], days).data
    assert {line.name: len(line.x) for line in lines} == {
        "1.9.0 from labels": 2,
        "1.10.0 from labels": 1,
    }
