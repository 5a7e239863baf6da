from datetime import timedelta

import pytest

from core.tables.entities import ModelVersion
from core.tables.telemetry import MonitorReport
from core.training.data import drift_began


@pytest.fixture
def windows(db, clock):
    """Store judged windows of a quarter of an hour each, oldest first; returns their starts."""

    def put(*states, version="1.0.0"):
        starts = []
        with db.append() as session:
            for index, state in enumerate(states):
                start = clock() + timedelta(minutes=15 * index)
                starts.append(start)
                session.add(report(state, start, version, f"r{version}{index}"))
        return starts

    return put


def report(state, start, version, name):
    end = start + timedelta(minutes=15)
    return MonitorReport(
        id=name, model="spam", version=version, kind="drift", state=state, window_start=start,
        window_end=end, window_last_id=name, n_current=200, n_reference=3000, p_value=0.001,
        score=0.3, method="", sentence="", figures={}, assumptions="", at=end, follows=name,
    )  # fmt: skip


def began(db):
    with db.read() as session:
        return drift_began(session, ModelVersion(model="spam", version="1.0.0"))


def test_drift_began_with_the_first_of_the_windows_that_drift_until_now(db, windows):
    starts = windows("fail", "pass", "fail", "fail")
    assert began(db) == starts[2]


def test_drift_that_has_ended_does_not_count(db, windows):
    windows("fail", "fail", "pass")
    assert began(db) is None


def test_a_window_that_is_not_judged_yet_neither_ends_nor_begins_drift(db, windows):
    starts = windows("pass", "fail", "inconclusive")
    assert began(db) == starts[1]


def test_windows_of_another_version_do_not_count(db, windows):
    windows("fail", version="2.0.0")
    assert began(db) is None
