import pandas as pd
import pytest

from core import incidents
from core.automation import rounds, watch
from core.errors import NotFoundError
from core.ids import new_id
from core.monitoring import checks
from core.tables.entities import FactBook
from core.tables.operational import Delivery
from tests.fakes.watched import Watched, be_quick

# what these rows mean does not depend on the database; the tests without it say that both keep them
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def model(db, settings, clock, monkeypatch):
    be_quick(monkeypatch)
    watched = Watched(db, settings, clock)
    watched.release("1.0.0")
    return watched


def look(model):
    model.clock.forward(minutes=15)
    return watch.check(model.db, model.settings, "spam")


def looks(model, times, **traffic):
    """Check after each of `times` windows of traffic, and return what the last check found."""
    for _ in range(times):
        model.answer(120, **traffic)
        checked = look(model)
    return checked


def all_incidents(model):
    with model.db.read() as session:
        return incidents.all(session, "spam")


def lines(incident):
    return [line["what"] for line in incident.timeline]


def answered(model, incident):
    """Note that the agent has looked into an incident."""
    now = model.clock()
    book = {"facts": [], "verdict": {}, "digest": "d", "at": now, "id": new_id(now)}
    with model.db.command(_agent(), "recommendation.propose") as command:
        command.session.add(FactBook(model="spam", incident_id=incident.id, **book))


def _agent():
    from core.access import system

    return system("agent")


def test_the_first_drifting_window_opens_exactly_one_incident_and_more_extend_it(model):
    first = looks(model, 1, campaign="crypto")
    assert (first.opened, first.incident.cause, first.incident.severity) == (True, "drift", "high")

    third = looks(model, 2, campaign="crypto")
    assert (third.opened, third.incident.id) == (False, first.incident.id)
    assert [incident.id for incident in all_incidents(model)] == [first.incident.id]


@sqlite_only
def test_quiet_traffic_opens_none(model):
    looks(model, 4)
    assert all_incidents(model) == []


@sqlite_only
def test_checks_without_enough_traffic_neither_open_nor_end_an_incident(model):
    for _ in range(3):
        assert look(model).incident is None
    incident = looks(model, 1, campaign="crypto").incident
    for _ in range(3):
        look(model)
    assert all_incidents(model)[0].state == "open"
    assert len(lines(all_incidents(model)[0])) == len(lines(incident))


def test_several_windows_that_are_due_are_judged_in_one_round(model):
    model.size(window_rows=110)
    model.answer(340, campaign="crypto")
    checked = look(model)
    drifts = [report for report in checked.reports if report.kind == "drift"]
    assert [report.n_current for report in drifts] == [110, 110, 110]
    assert [report.figures["left"] for report in drifts] == [2, 1, 0]
    assert checked.opened


@sqlite_only
def test_a_round_judges_no_more_windows_than_its_bound_and_the_next_goes_on(model, monkeypatch):
    monkeypatch.setattr(rounds, "MOST_AT_ONCE", 2)
    model.size(window_rows=100)
    model.answer(350)
    drifts = [report.n_current for report in look(model).reports if report.kind == "drift"]
    assert drifts == [100, 100]
    rest = [report.state for report in look(model).reports if report.kind == "drift"]
    assert rest == ["pass"]


@sqlite_only
def test_an_incident_ends_by_itself_when_its_cause_is_gone(model):
    incident = looks(model, 1, campaign="crypto").incident
    ended = [one.id for _ in range(6) for one in looks(model, 1).resolved]
    assert ended == [incident.id]
    assert "The cause is gone" in lines(all_incidents(model)[0])[-1]


def test_an_incident_about_an_old_version_ends_when_the_new_one_is_quiet(model):
    looks(model, 1, campaign="crypto")
    model.release("2.0.0")
    assert [ended.cause for ended in looks(model, 1).resolved] == ["drift"]


@sqlite_only
def test_what_a_version_was_told_before_a_rollback_to_it_opens_nothing(model):
    looks(model, 1, campaign="crypto")
    model.release("2.0.0")
    assert looks(model, 1).resolved
    model.clock.forward(hours=30)
    looks(model, 1)

    model.serve("1.0.0")
    checked = look(model)

    assert (checked.opened, checked.incident) == (False, None)


@sqlite_only
def test_a_check_that_breaks_is_told_and_does_not_stop_the_others(model, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by a bug")

    monkeypatch.setattr(checks, "check_drift", broken)
    model.label(model.answer(100), wrong=30)
    checked = look(model)
    drift = checked.reports[0]
    assert (drift.kind, drift.state) == ("drift", "error")
    assert drift.sentence == "The drift check could not be made: ZeroDivisionError: by a bug"
    assert "performance" in [report.kind for report in checked.reports]


def test_what_a_dead_worker_left_unconsidered_is_considered_in_the_next_round(model, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    model.answer(120, campaign="crypto")
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(incidents, "consider", dies)
        look(model)
    assert all_incidents(model) == []
    assert look(model).opened


@sqlite_only
def test_an_incident_asks_for_an_answer_until_it_got_one_and_again_after_six_hours(model):
    checked = looks(model, 1, campaign="crypto")
    assert checked.needs_answer
    assert look(model).needs_answer

    answered(model, checked.incident)
    assert not look(model).needs_answer

    model.clock.forward(hours=6)
    assert look(model).needs_answer


@sqlite_only
def test_an_alarm_sends_one_message_to_each_channel_that_is_set_up(model):
    from pydantic import SecretStr

    model.settings.slack_webhook_url = SecretStr("https://hooks.example/x")
    looks(model, 2, campaign="crypto")
    with model.db.read() as session:
        messages = session.query(Delivery).all()
    assert [message.channel for message in messages] == ["slack"]
    assert messages[0].subject == "The data has drifted: Messages 1.0.0"


@sqlite_only
def test_a_full_report_shows_the_window_it_is_about(model, monkeypatch):
    given = {}
    monkeypatch.setattr(
        watch.evidently_report, "render", lambda *frames, **how: given.update(how, frames=frames)
    )
    model.answer(120)
    report = checks.check_drift(model.db, model.settings, "spam")
    model.answer(50)

    watch.full_report(model.db, model.settings, report.id)

    reference, current = given["frames"]
    assert (len(reference), len(current), given["text_column"]) == (600, 120, "message")
    assert given["path"].name == f"drift-{report.id}.html"


@sqlite_only
def test_a_full_report_shows_the_columns_that_reference_and_spec_share(model, monkeypatch):
    given = []
    monkeypatch.setattr(watch.evidently_report, "render", lambda *frames, **_: given.extend(frames))
    model.answer(120)
    report = checks.check_drift(model.db, model.settings, "spam")
    stored = pd.DataFrame({"message": ["hello"], "gone": [1.0]})
    monkeypatch.setattr(watch.versions, "frame", lambda *_: stored)
    watch.full_report(model.db, model.settings, report.id)
    assert [list(frame.columns) for frame in given] == [["message"]] * 2
    monkeypatch.setattr(watch.versions, "frame", lambda *_: stored[["gone"]])
    with pytest.raises(NotFoundError, match="none of the columns"):
        watch.full_report(model.db, model.settings, report.id)


@sqlite_only
def test_a_full_report_of_an_unfinished_window_is_refused_in_words(model):
    report = look(model).reports[0]
    with pytest.raises(NotFoundError, match="are not stored"):
        watch.full_report(model.db, model.settings, report.id)
