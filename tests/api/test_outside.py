from datetime import timedelta

import pytest
from sqlalchemy import select

from core import audit, incidents, keys
from core.incidents import looking, silences
from core.tables.entities import Alert
from core.tables.operational import Delivery, Job
from tests.api.conftest import is_problem

FIRING = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate", "model": "sms-spam", "severity": "warning"},
    "annotations": {"summary": "5 % of requests fail"},
    "startsAt": "2026-01-01T00:00:00Z",
    "fingerprint": "a1b2",
}


def alert(**change):
    labels = FIRING["labels"] | change.pop("labels", {})
    return {**FIRING, **change, "labels": labels}


def told(*alerts):
    return {"version": "4", "status": "firing", "receiver": "pilothouse", "alerts": list(alerts)}


@pytest.fixture
def send(client):
    def post(*alerts, **headers):
        answer = client.post("/alerts/webhook", json=told(*alerts), headers=headers)
        assert answer.status_code == 200, answer.text
        return {name: n for name, n in answer.json().items() if n}

    return post


def stored(db, table):
    with db.read() as session:
        return list(session.scalars(select(table)))


def the_incident(db):
    with db.read() as session:
        (incident,) = incidents.all(session)
    return incident


def test_an_outside_alert_opens_an_incident_that_is_diagnosed_like_our_own(send, db):
    assert send(alert()) == {"opened": 1}
    incident = the_incident(db)
    assert (incident.model, incident.severity, incident.state) == ("sms_spam", "high", "open")
    assert incident.timeline[-1]["what"] == "5 % of requests fail"
    (job,) = [job for job in stored(db, Job) if job.kind == "investigate"]
    assert job.payload == {"model": "sms_spam", "incident_id": incident.id}


def test_said_again_it_changes_nothing_and_another_of_its_name_extends_it(send, db):
    assert send(alert(), alert()) == {"opened": 1, "unchanged": 1}
    assert send(alert()) == {"unchanged": 1}
    more = alert(fingerprint="c3", labels={"pod": "b", "severity": "critical"})
    assert send(more) == {"extended": 1}
    assert the_incident(db).severity == "critical"
    assert len([job for job in stored(db, Job) if job.kind == "investigate"]) == 1


def test_the_incident_is_over_when_all_its_alerts_are(send, db):
    other = alert(fingerprint="c3", labels={"pod": "b"})
    send(alert(), other)
    assert send({**alert(), "status": "resolved"}) == {"resolved": 1}
    assert the_incident(db).state == "open"
    assert send({**other, "status": "resolved"}) == {"resolved": 1}
    assert the_incident(db).state == "resolved"
    assert send({**other, "status": "resolved"}) == {"unchanged": 1}


def test_an_alert_about_no_model_here_is_an_incident_of_all_and_stays(send, db, settings):
    assert send(alert(labels={"model": "never heard"})) == {"opened": 1}
    assert the_incident(db).model == "*"
    looking.look(db, settings)
    assert the_incident(db).state == "open"
    assert [job for job in stored(db, Job) if job.kind == "investigate"] == []


def test_without_a_fingerprint_its_labels_are_its_identity(send):
    assert send(alert(fingerprint=""), alert(fingerprint="")) == {"opened": 1, "unchanged": 1}


def test_a_silence_holds_it_back_until_it_is_over(send, db, ana, clock):
    silences.create(db, ana, matchers={"model": "sms_spam"}, hours=1, comment="moving house")
    assert send(alert()) == {"unchanged": 1}
    assert [row.state for row in stored(db, Alert)] == ["suppressed"]
    clock.now += timedelta(minutes=61)
    assert send(alert()) == {"opened": 1}


def test_its_words_are_cut_and_harmless(send, db):
    words = "<script>alert(1)</script>\u202e" + "x" * 5_000
    send(alert(annotations={"summary": words}, labels={"alertname": "a:b\u0000".strip("\0")}))
    incident = the_incident(db)
    assert len(incident.timeline[-1]["what"]) <= 300
    assert "\u202e" not in incident.timeline[-1]["what"]
    assert incident.cause == "outside_a_b"


def test_alertmanager_may_send_the_key_as_a_bearer(app, secrets, db):
    from fastapi.testclient import TestClient

    bearer = {"Authorization": f"Bearer {secrets['alerts']}"}
    with TestClient(app) as client:
        assert client.post("/alerts/webhook", json=told(alert()), headers=bearer).json()["opened"]
    with db.read() as session:
        (row,) = audit.tail(session, action="alert.receive")
    assert (row.actor, row.outcome) == ("key:alerts", "done")


@pytest.mark.parametrize("scope", ["predict", "feedback", "read", "operate"])
def test_another_key_is_refused(app, secrets, scope):
    from fastapi.testclient import TestClient

    with TestClient(app) as client:
        headers = {"X-API-Key": secrets[scope]}
        answer = client.post("/alerts/webhook", json=told(alert()), headers=headers)
    is_problem(answer, 403, "lacks the scope alerts")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"alerts": "x"},
        {"alerts": [{}]},
        {"alerts": [{"status": "burning", "labels": {}}]},
        {"alerts": [{"status": "firing", "labels": {"a": 1}}]},
        {"version": "3", "alerts": []},
        {"alerts": [FIRING] * 1001},
    ],
)
def test_what_is_no_group_of_alerts_is_refused_whole(client, db, body):
    answer = client.post("/alerts/webhook", json=body)
    assert answer.status_code in (413, 422), answer.text
    assert stored(db, Alert) == []


def test_it_is_told_to_the_channels_once(send, db, serving, monkeypatch):
    monkeypatch.setattr(serving.settings, "monitoring_webhook_url", "https://hooks.example/x")
    send(alert())
    send(alert())
    assert [row.subject for row in stored(db, Delivery)] == [
        "HighErrorRate, told by another system: sms_spam"
    ]


def test_a_key_may_be_made_for_alerts_alone(db, adm):
    row, _secret = keys.create(db, adm, name="am", scopes=["alerts"])
    assert row.scopes == ["alerts"]
