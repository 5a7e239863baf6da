import threading

import pytest

from core import audit, incidents
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.incidents import Finding, lifecycle
from core.tables.operational import Delivery


def finding(report="r1", *, value=0.3, rule="drift"):
    return Finding(rule, value, 0.15, report, f"window {report} has drifted")


def opened(db, report="r1", *, cause="drift", severity="high", channels=(), rule="drift"):
    return incidents.open(
        db,
        model="spam",
        version="1.0.0",
        cause=cause,
        severity=severity,
        title="The messages have changed",
        finding=finding(report, rule=rule),
        channels=channels,
    )


def seen(db, **which):
    with db.read() as session:
        return incidents.all(session, **which)


def timeline(db, incident_id):
    with db.read() as session:
        return [
            (line["who"], line["what"]) for line in incidents.get(session, incident_id).timeline
        ]


def test_an_incident_opens_with_an_alert_and_says_who_found_what(db):
    incident = opened(db).incident

    with db.read() as session:
        alert = incidents.alerts(session, incident.id)[0]
    assert (alert.state, alert.severity, alert.value, alert.report_id) == (
        "firing",
        "high",
        0.3,
        "r1",
    )
    assert timeline(db, incident.id) == [
        ("worker", "opened: The messages have changed"),
        ("worker", "window r1 has drifted"),
    ]


def test_a_further_finding_extends_the_open_incident(db):
    first, second = opened(db, "r1"), opened(db, "r2")

    assert (first.new, second.new, second.extended) == (True, False, True)
    assert [incident.id for incident in seen(db)] == [first.incident.id]
    assert timeline(db, first.incident.id)[-1] == ("worker", "window r2 has drifted")


def test_the_same_finding_twice_changes_nothing_and_is_not_audited_again(db):
    first = opened(db)
    again = opened(db)

    assert (again.new, again.extended) == (False, False)
    assert len(timeline(db, first.incident.id)) == 2
    with db.read() as session:
        assert len(audit.tail(session, action="incident.open")) == 1


def test_each_cause_has_an_incident_of_its_own(db):
    opened(db, cause="drift")
    opened(db, cause="accuracy", rule="accuracy")
    assert sorted(incident.cause for incident in seen(db)) == ["accuracy", "drift"]


def test_severity_rises_with_a_graver_finding_and_never_falls(db):
    opened(db, "r1", severity="high")
    opened(db, "r2", severity="critical")
    incident = opened(db, "r3", severity="low").incident

    assert incident.severity == "critical"
    assert ("worker", "severity raised from high to critical") in timeline(db, incident.id)


def test_two_workers_that_find_the_same_at_once_open_one_incident(db):
    both, results = threading.Barrier(2), []

    def find(report):
        both.wait()
        results.append(opened(db, report).new)

    threads = [threading.Thread(target=find, args=(report,)) for report in ("r1", "r2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == [False, True]
    assert len(seen(db)) == 1


def test_only_a_new_incident_sends_messages(db):
    opened(db, "r1", channels=["slack", "email"])
    opened(db, "r2", channels=["slack", "email"])

    with db.read() as session:
        messages = session.query(Delivery).all()
    assert sorted(message.channel for message in messages) == ["email", "slack"]
    assert {message.subject for message in messages} == {"The messages have changed"}


def test_who_acknowledges_first_owns_the_incident(db, ana, apo):
    incident = opened(db).incident
    incidents.acknowledge(db, ana, incident.id)

    with pytest.raises(ConflictError, match="ana has acknowledged"):
        incidents.acknowledge(db, apo, incident.id)
    owned = seen(db)[0]
    assert (owned.state, owned.owner) == ("acknowledged", "ana")
    assert timeline(db, incident.id)[-1] == ("ana", "acknowledged")


def test_a_viewer_cannot_acknowledge_or_resolve(db, vic):
    incident = opened(db).incident
    with pytest.raises(ForbiddenError):
        incidents.acknowledge(db, vic, incident.id)
    with pytest.raises(ForbiddenError):
        incidents.resolve(db, vic, incident.id, "looks fine")
    assert seen(db)[0].state == "open"


def test_resolving_needs_a_reason_and_ends_the_alerts(db, ana):
    incident = opened(db).incident
    with pytest.raises(InvalidInputError, match="why"):
        incidents.resolve(db, ana, incident.id, "  ")

    incidents.resolve(db, ana, incident.id, "the campaign is over")

    with db.read() as session:
        assert [alert.state for alert in incidents.alerts(session, incident.id)] == ["resolved"]
    assert timeline(db, incident.id)[-1] == ("ana", "resolved: the campaign is over")
    assert seen(db, open_only=True) == []


def test_a_resolved_incident_stays_resolved_and_the_next_finding_opens_another(db, ana, clock):
    first = opened(db, "r1").incident
    incidents.resolve(db, ana, first.id, "over")

    with pytest.raises(ConflictError, match="resolved already"):
        incidents.resolve(db, ana, first.id, "over again")
    clock.forward(minutes=15)
    assert opened(db, "r2").new
    assert [incident.state for incident in seen(db, model="spam")] == ["open", "resolved"]


def test_work_on_an_incident_shows_in_its_state_and_timeline(db):
    incident = opened(db).incident
    with db.command(_executor(), "action.execute") as command:
        incidents.note_in(command, incident.id, "retraining has begun", mitigating=True)

    assert seen(db)[0].state == "mitigating"
    assert timeline(db, incident.id)[-1] == ("executor", "retraining has begun")


def test_a_long_timeline_keeps_its_beginning_and_its_end(db, monkeypatch):
    monkeypatch.setattr(lifecycle, "MOST_ENTRIES", 8)
    for number in range(12):
        incident = opened(db, f"r{number}").incident

    lines = [what for _, what in timeline(db, incident.id)]
    assert len(lines) == 8
    assert (lines[0], lines[-1]) == ("opened: The messages have changed", "window r11 has drifted")


def test_an_unknown_incident_is_said_to_be_unknown(db, ana):
    with pytest.raises(NotFoundError, match="no incident nowhere"):
        incidents.acknowledge(db, ana, "nowhere")


def _executor():
    from core.access import system

    return system("executor")
