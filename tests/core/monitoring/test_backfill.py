"""The past is judged for whichever version answered then, and nothing live is touched."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from core import incidents, jobs
from core.automation import watch
from core.automation.runners import RUNNERS
from core.errors import InvalidInputError, NotFoundError
from core.monitoring import backfill, reports
from core.panel import Panel
from core.tables.telemetry import MonitorReport
from tests.fakes.watched import Watched, be_quick

LEASE = timedelta(minutes=5)

# how windows are cut and judged does not depend on the database; the tests without it say what of
# them both keep
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def model(db, settings, clock, monkeypatch):
    be_quick(monkeypatch)
    watched = Watched(db, settings, clock)
    watched.started = clock()
    watched.release("1.0.0")
    return watched


def quarter(model, **traffic):
    """Traffic of one quarter of an hour."""
    model.answer(110, **traffic)
    model.clock.forward(minutes=15)


def judge(model, **more):
    since = more.pop("since", model.started)
    return rows_of(model, backfill.backfill(model.db, model.settings, "spam", since=since, **more))


def rows_of(model, judged):
    rows = list(backfill.stored(model.db, "spam", judged.run))
    assert judged.windows == sum(row.kind == "drift" for row in rows)
    return rows


def stored(model, origin):
    with model.db.read() as session:
        return reports.reports(session, "spam", "drift", 50, origin=origin)


def test_each_window_is_judged_for_the_version_that_answered_it(model):
    quarter(model)
    model.release("2.0.0")
    quarter(model, campaign="crypto")
    model.serve("1.0.0")
    quarter(model)

    found = judge(model)

    assert [(one.version, one.state) for one in found] == [
        ("1.0.0", "pass"), ("2.0.0", "fail"), ("1.0.0", "pass"),
    ]  # fmt: skip
    assert {one.origin for one in found} == {"backfill"}
    assert all(one.at == one.window_end for one in found)
    assert found[1].figures["watch"]["alarm"]
    assert not found[2].figures["watch"]["alarm"]


def test_what_was_judged_live_stays_and_no_alert_comes_of_the_past(model):
    quarter(model, campaign="crypto")
    for report in judge(model):
        with model.db.read() as session:
            spec = model.spec
        incidents.consider(model.db, model.settings, spec, report)
    with model.db.read() as session:
        assert incidents.all(session) == []

    checked = watch.check(model.db, model.settings, "spam")

    assert checked.opened
    assert [one.n_current for one in stored(model, "live")] == [110]
    assert len(stored(model, None)) == 2


def test_running_it_again_replaces_what_it_stored_about_the_span(model):
    for _ in range(3):
        quarter(model)
    first = judge(model)
    again = judge(model, since=model.started + timedelta(minutes=15))

    left = {one.id for one in stored(model, "backfill")}
    assert left == {first[0].id} | {one.id for one in again}
    assert len(again) == 2


def test_a_run_that_died_goes_on_where_it_was(model):
    for _ in range(3):
        quarter(model)

    def dies(done, total, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(model, run="r1", progress=dies)
    kept = stored(model, "backfill")
    found = judge(model, run="r1")

    assert [one.id for one in kept] == [found[0].id]
    assert [one.n_current for one in found] == [110, 110, 110]
    assert found[1].follows == found[0].window_last_id


def test_of_what_was_judged_before_one_report_is_held_and_not_all(model):
    for _ in range(4):
        quarter(model)
    again = {"since": model.started, "run": "r1"}
    backfill.backfill(model.db, model.settings, "spam", **again)
    held = []
    event.listen(MonitorReport, "load", note := lambda report, _context: held.append(report.id))
    judged = backfill.backfill(model.db, model.settings, "spam", **again)
    backfill.backfill(model.db, model.settings, "spam", since=model.clock() - timedelta(minutes=1))
    event.remove(MonitorReport, "load", note)
    assert judged.windows == 4
    assert len(held) == 1


@sqlite_only
def test_windows_are_cut_by_rows_and_what_is_left_is_judged_if_it_is_enough(model):
    model.answer(310)
    model.clock.forward(minutes=1)
    assert [one.n_current for one in judge(model, rows=200)] == [200, 110]
    assert [one.n_current for one in judge(model, rows=230)] == [230]


@sqlite_only
def test_a_window_that_cannot_be_judged_says_why_and_the_next_is(model):
    model.log([{"message": None}] * 110)
    model.clock.forward(minutes=15)
    quarter(model)
    found = judge(model)
    assert [one.state for one in found] == ["inconclusive", "pass"]
    assert "0 of 110 predictions were stored" in found[0].sentence


@sqlite_only
def test_progress_runs_to_its_end(model):
    for _ in range(2):
        quarter(model)
    told = []
    judge(model, progress=lambda *step: told.append(step))
    done = [step[0] for step in told]
    assert done == sorted(done)
    assert told[-1] == (told[-1][1], told[-1][1], "2 windows judged")
    assert told[0][2] == "drift of 1.0.0: pass"


@pytest.mark.parametrize(
    ("minutes_ago", "cut", "why"),
    [
        (-1, {}, "has to begin before it ends"),
        (60 * 24 * 90, {"minutes": 1}, "more than 5,000 windows"),
        (60, {"rows": -5}, "at least one row"),
    ],
)
@sqlite_only
def test_a_span_that_makes_no_sense_is_refused(model, minutes_ago, cut, why):
    since = model.clock() - timedelta(minutes=minutes_ago)
    with pytest.raises(InvalidInputError, match=why):
        judge(model, since=since, **cut)


@sqlite_only
def test_a_model_that_never_served_is_refused(db, settings, clock):
    Watched(db, settings, clock)
    with pytest.raises(NotFoundError, match="released"):
        backfill.backfill(db, settings, "spam", since=clock() - timedelta(days=1))


@sqlite_only
def test_the_job_judges_the_span_that_was_asked_for(model, ana):
    quarter(model, campaign="crypto")
    job = backfill.ask(model.db, ana, "spam", since=model.started)
    assert backfill.ask(model.db, ana, "spam", since=model.started).id == job.id
    quarter(model)

    claim = jobs.claim(model.db, "w", lease=LEASE, only=job.id)
    result = RUNNERS["backfill"].work(Panel(model.settings, model.db, model.clock), claim)

    assert result == {"windows": 1, "drifted": 1}
    with model.db.read() as session:
        assert jobs.get(session, job.id).note == "1 windows judged"
