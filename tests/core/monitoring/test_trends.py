from datetime import UTC, datetime, timedelta

from core.clock import hour_of
from core.monitoring import trends
from core.tables.telemetry import HourlyCount, MonitorReport
from tests.conftest import NOON


def count(at, *, requests=10, errors=1, variant="control", version="1.0.0"):
    return HourlyCount(
        model="spam",
        version=version,
        variant=variant,
        hour=hour_of(at),
        requests=requests,
        errors=errors,
        positives=0,
        latency_ms_sum=27.0,
        latency_buckets={},
    )


def report(
    at, number, *, kind="drift", state="pass", score=0.0, version="1.0.0", origin="live", **figures
):
    return MonitorReport(
        **dict.fromkeys(("method", "sentence", "assumptions"), ""),
        **{"id": f"{number:04d}", "model": "spam", "version": version, "kind": kind},
        **{"origin": origin, "state": state, "score": score, "figures": figures, "at": at},
        window_start=at - timedelta(hours=1),
        window_end=at,
        window_last_id=str(number),
        follows=str(number - 1),
        n_current=300,
        n_reference=0,
    )


def put(db, *rows):
    with db.append() as session:
        session.add_all(rows)


def test_a_day_holds_the_requests_of_its_hours_and_no_shadow(db):
    noon, night = NOON, NOON.replace(hour=0)
    put(
        db,
        *(count(noon), count(night, requests=4, errors=0)),
        *(count(noon, variant="shadow"), count(noon - timedelta(days=1), requests=7)),
    )

    with db.read() as session:
        days = trends.traffic(session, "spam", "day", now=NOON)

    assert [day.requests for day in days[-3:]] == [0, 7, 14]
    assert (days[-1].errors, days[-1].mean_ms, days[-3].mean_ms) == (1, 54 / 13, None)


def test_weeks_begin_on_monday_and_months_on_the_first(db):
    sunday, monday = datetime(2029, 12, 30, 23, tzinfo=UTC), datetime(2029, 12, 31, tzinfo=UTC)
    put(db, count(sunday, requests=3), count(monday, requests=5), count(NOON, requests=6))

    with db.read() as session:
        weeks = trends.traffic(session, "spam", "week", now=NOON)
        months = trends.traffic(session, "spam", "month", now=NOON)

    assert [week.requests for week in weeks[-2:]] == [3, 11]
    assert [month.requests for month in months[-2:]] == [8, 6]


def test_what_is_older_than_the_oldest_period_is_left_out(db):
    put(db, count(NOON - timedelta(days=30)), report(NOON - timedelta(days=30), 1))

    with db.read() as session:
        assert sum(day.requests for day in trends.traffic(session, "spam", "day", now=NOON)) == 0
        assert trends.judged(session, "spam", "drift", "day", now=NOON) == []


def test_judged_windows_are_counted_per_day_and_version(db):
    put(
        db,
        report(NOON - timedelta(days=1), 1, state="fail", score=0.3),
        report(NOON - timedelta(hours=2), 2, state="warn", score=0.1),
        report(NOON - timedelta(hours=1), 3),
        report(NOON, 4, version="2.0.0"),
        report(NOON, 5, state="inconclusive"),
        report(NOON, 6, kind="quality", state="fail"),
    )

    with db.read() as session:
        found = trends.judged(session, "spam", "drift", "day", now=NOON)

    assert [(one.start.day, one.version, one.windows, one.bad, one.worst) for one in found] == [
        (31, "1.0.0", 1, 1, 0.3),
        (1, "1.0.0", 2, 1, 0.1),
        (1, "2.0.0", 1, 0, 0.0),
    ]


def test_accuracy_of_a_period_is_that_of_its_newest_report(db):
    told = {"kind": "performance", "n_labelled": 90, "accuracy_interval": [0.8, 0.95]}
    put(
        db,
        report(NOON - timedelta(hours=2), 1, accuracy=0.7, **told),
        report(NOON - timedelta(hours=1), 2, accuracy=0.9, **told),
        report(NOON, 3, kind="performance", version="2.0.0"),
    )

    with db.read() as session:
        (one,) = trends.accuracy(session, "spam", "performance", "month", now=NOON)

    assert (one.value, one.low, one.high, one.n) == (0.9, 0.8, 0.95, 90)


def test_a_backfill_tells_only_of_the_days_that_nobody_watched(db):
    put(
        db,
        report(NOON - timedelta(days=1), 1, state="fail", origin="backfill"),
        report(NOON - timedelta(hours=1), 2, accuracy=0.9),
        report(NOON - timedelta(hours=1), 3, state="fail", origin="backfill", accuracy=0.1),
        report(NOON, 4, version="2.0.0", state="fail", origin="backfill"),
    )

    with db.read() as session:
        found = trends.judged(session, "spam", "drift", "day", now=NOON)

    assert [(one.version, one.windows, one.bad, one.newest) for one in found] == [
        ("1.0.0", 1, 1, "0001"),
        ("1.0.0", 1, 0, "0002"),
    ]


def test_versions_of_a_day_stand_in_the_order_of_their_newest_window(db):
    at = {"1.10.0": NOON, "1.9.0": NOON - timedelta(hours=1), "1.2.0": NOON - timedelta(hours=2)}
    put(
        db,
        *(
            report(end, n, kind="performance", version=version, accuracy=0.9)
            for n, (version, end) in enumerate(at.items(), start=1)
        ),
    )

    with db.read() as session:
        found = trends.accuracy(session, "spam", "performance", "day", now=NOON)

    assert [one.version for one in found] == ["1.2.0", "1.9.0", "1.10.0"]
