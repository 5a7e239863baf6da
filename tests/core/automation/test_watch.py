import pytest

from core import incidents
from core.automation import watch
from core.errors import NotFoundError
from core.ids import new_id
from core.monitoring import checks
from core.tables.entities import FactBook
from core.tables.operational import Delivery
from tests.fakes.watched import Watched, be_quick


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


def test_three_drifting_windows_open_exactly_one_incident_and_more_extend_it(model):
    assert looks(model, 2, campaign="crypto").incident is None

    third = looks(model, 1, campaign="crypto")
    assert (third.opened, third.incident.cause, third.incident.severity) == (True, "drift", "high")

    fifth = looks(model, 2, campaign="crypto")
    assert (fifth.opened, fifth.incident.id) == (False, third.incident.id)
    assert [incident.id for incident in all_incidents(model)] == [third.incident.id]
    assert [line[:8] for line in lines(fifth.incident)] == ["opened: "] + ["Window 3"] + [
        "Window 4"
    ] + ["Window 5"]


def test_quiet_traffic_opens_none(model):
    looks(model, 4)
    assert all_incidents(model) == []


def test_a_drift_that_passes_between_windows_opens_none(model):
    for campaign in ("crypto", "crypto", None, "crypto", "crypto"):
        looks(model, 1, campaign=campaign)
    assert all_incidents(model) == []


def test_checks_without_enough_traffic_neither_open_nor_end_an_incident(model):
    looks(model, 2, campaign="crypto")
    for _ in range(3):
        assert look(model).incident is None
    incident = looks(model, 1, campaign="crypto").incident
    for _ in range(3):
        look(model)
    assert all_incidents(model)[0].state == "open"
    assert len(lines(all_incidents(model)[0])) == len(lines(incident))


def test_one_large_burst_is_judged_as_several_windows_in_one_round(model):
    model.answer(330, campaign="crypto")
    checked = look(model)
    drifts = [report.n_current for report in checked.reports if report.kind == "drift"]
    assert drifts == [110, 110, 110]
    assert checked.opened


def test_an_incident_ends_by_itself_when_its_cause_is_gone(model):
    incident = looks(model, 3, campaign="crypto").incident
    looks(model, 2)
    assert all_incidents(model)[0].state == "open"

    checked = looks(model, 1)

    assert [ended.id for ended in checked.resolved] == [incident.id]
    ended = all_incidents(model)[0]
    assert (ended.state, ended.timeline[-1]["who"]) == ("resolved", "worker")
    assert "The cause is gone: 3 good windows in a row." in lines(ended)[-1]


def test_an_incident_about_an_old_version_ends_when_the_new_one_is_quiet(model):
    looks(model, 3, campaign="crypto")
    model.release("2.0.0")
    assert [ended.cause for ended in looks(model, 3).resolved] == ["drift"]


def test_what_a_person_resolved_opens_again_only_after_as_many_new_windows(model, ana):
    incident = looks(model, 3, campaign="crypto").incident
    incidents.resolve(model.db, ana, incident.id, "we know this campaign")

    assert looks(model, 2, campaign="crypto").incident is None
    assert looks(model, 1, campaign="crypto").opened


def test_accuracy_that_surely_fell_opens_a_critical_incident_at_once(model):
    model.label(model.answer(100), wrong=30)
    checked = look(model)
    assert (checked.incident.cause, checked.incident.severity) == ("accuracy", "critical")
    assert checked.needs_answer
    with model.db.read() as session:
        alert = incidents.alerts(session, checked.incident.id)[0]
    assert (alert.rule, alert.value, alert.threshold) == ("accuracy", 0.7, 0.93)


def test_the_gravest_incident_is_named_when_there_are_two(model):
    rows = [row for _ in range(3) for row in model.answer(120, campaign="crypto")]
    model.label(rows, wrong=100)
    assert look(model).incident.severity == "critical"
    assert len(all_incidents(model)) == 2


def test_an_incident_asks_for_an_answer_until_it_got_one_and_again_after_six_hours(model):
    checked = looks(model, 3, campaign="crypto")
    assert checked.needs_answer
    assert look(model).needs_answer

    answered(model, checked.incident)
    assert not look(model).needs_answer

    model.clock.forward(hours=6)
    assert look(model).needs_answer


def test_an_alarm_sends_one_message_to_each_channel_that_is_set_up(model):
    from pydantic import SecretStr

    model.settings.slack_webhook_url = SecretStr("https://hooks.example/x")
    looks(model, 4, campaign="crypto")
    with model.db.read() as session:
        messages = session.query(Delivery).all()
    assert [message.channel for message in messages] == ["slack"]
    assert messages[0].subject == "The data has drifted: Messages 1.0.0"


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


def test_a_full_report_of_an_unfinished_window_is_refused_in_words(model):
    report = look(model).reports[0]
    with pytest.raises(NotFoundError, match="are not stored"):
        watch.full_report(model.db, model.settings, report.id)
