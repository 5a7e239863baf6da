"""A window's sample comes out of an index, whatever the number of predictions behind it."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from core import answers
from core.answers import Stretch
from core.monitoring import windows
from core.serving import storing
from core.serving.records import sample_key
from core.tables.telemetry import MonitorReport, Prediction
from tests.conftest import NOON

START = (NOON, "")
MODEL = ("spam", "1.0.0")


def answer(number, *, every=5.0, version="1.0.0", variant="control"):
    key = f"{version}-{variant}-{number:07}"
    at = NOON + timedelta(seconds=number * every, microseconds=variant == "shadow")
    row = {
        "at": at.isoformat(timespec="microseconds"), "id": key, "model": "spam",
        "version": version, "variant": variant, "release_seq": 1, "is_shadow": variant == "shadow",
        "sample_key": sample_key(key), "input": {"message": "hello"}, "label": "ham",
        "probability": 0.5, "latency_ms": 1.0, "entity_id": None, "experiment": None, "key_id": "k",
    }  # fmt: skip
    return {"kind": "prediction", "once": None, "positive": False, "row": row}


def fill(db, n, *, batch=5000, **how):
    for start in range(0, n, batch):
        with db.append() as session:
            storing.store(session, [answer(i, **how) for i in range(start, min(n, start + batch))])


@pytest.fixture
def filled(db, monkeypatch):
    """3,000 answers in four hours and some minutes, with another version and a shadow between."""
    monkeypatch.setattr(windows, "MOST_ROWS", 50)
    monkeypatch.setattr(windows, "_COUNTED", 200)
    fill(db, 3000)
    fill(db, 900, version="2.0.0")
    fill(db, 900, variant="shadow")
    return db


def inside(session, after, until=None):
    """The answers behind a position, one by one."""
    every = select(Prediction).filter_by(model="spam", version="1.0.0", is_shadow=False)
    return [
        row
        for row in session.scalars(every.order_by(Prediction.at, Prediction.id))
        if (row.at, row.id) > after and (until is None or (row.at, row.id) <= until)
    ]


def behind(after, until=None):
    return Stretch(*MODEL, after, until)


def position(number):
    return NOON + timedelta(seconds=number * 5), f"1.0.0-control-{number:07}"


@pytest.mark.parametrize(("first", "last"), [(0, 2999), (700, 1500), (2400, 2990), (2200, 2450)])
def test_the_sample_holds_the_smallest_keys_of_the_window(filled, first, last):
    after, until = position(first), position(last)
    with filled.read() as session:
        found = windows._sample(session, behind(after, until))
        smallest = sorted(inside(session, after, until), key=lambda row: row.sample_key)[:50]
    assert found == sorted(smallest, key=lambda row: row.at)


@pytest.mark.parametrize("first", [0, 100, 710, 1440, 2100])
def test_what_is_waiting_is_counted_by_the_hour_and_estimated_in_the_first(filled, first):
    with filled.read() as session:
        assert abs(windows.waiting(session, behind(position(first))) - (2999 - first)) < 150
        assert windows.waiting(session, behind(position(2900))) == 99


def test_hours_that_are_read_whole_are_counted_exactly_among_many(filled, monkeypatch):
    monkeypatch.setattr(windows, "MOST_ROWS", 1000)
    with filled.read() as session:
        assert windows.waiting(session, behind(position(700))) == 2299
        assert windows.waiting(session, behind(position(700), position(1500))) == 800


def test_large_windows_are_disjoint_and_use_everything_up(filled):
    with filled.read() as session:
        n = windows.waiting(session, behind(START))
        half = windows.behind(session, behind(START), n=n // 2, total=n)
        rest = windows.behind(session, behind(half.end), n=n - n // 2, total=n - n // 2)
    assert n == 3000
    assert 1000 < int(half.end[1][-7:]) < 2000
    assert {row.id for row in half.rows} & {row.id for row in rest.rows} == set()
    assert rest.start > half.end[0]
    assert rest.end == position(2999)


def test_the_sample_of_a_report_is_the_one_that_it_was_made_from(filled):
    with filled.read() as session:
        window = windows.behind(session, behind(START), n=3000, total=3000)
        at, last = window.end
        report = MonitorReport(
            model="spam", version="1.0.0", window_start=NOON, window_end=at, window_last_id=last
        )
        assert windows.of_report(session, report) == window.rows


def test_a_sample_is_a_range_of_the_index_and_the_newest_rows_are_not_sorted(filled):
    sample = answers.by_hour(Stretch(*MODEL), [525972, 525973], share=0.01)
    newest = select(Prediction).where(Prediction.model == "spam").order_by(Prediction.at.desc())
    assert "ix_prediction_sample" in plan(filled, sample)
    assert "sample_key" in plan(filled, sample)
    assert "pk_prediction" in plan(filled, newest.limit(5)).replace("autoindex", "pk")
    assert "ix_prediction_id" in plan(filled, select(Prediction).where(Prediction.id == "x"))


def plan(db, query):
    words = query.compile(db.engine, compile_kwargs={"literal_binds": True})
    explain = "explain" if db.is_postgresql else "explain query plan"
    if db.is_postgresql:
        with db.engine.begin() as connection:
            connection.execute(text("analyze prediction"))
    with db.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{explain} {words}".replace("%", "%%"))
        return "\n".join(str(row) for row in rows)
