import pytest

from core import incidents
from core.incidents import Finding
from tests.api.conftest import is_problem

BASE = "/api/v1/monitoring"


@pytest.fixture
def drifted(client, db):
    """An open incident of the text model, with the alert that raised it."""
    return incidents.open(
        db,
        model="sms_spam",
        version="2.0.0",
        cause="drift",
        severity="high",
        title="The data has drifted: SMS spam 2.0.0",
        finding=Finding("drift", 0.31, 0.15, "r1", "the word crypto is new"),
    ).incident


def silence(client, **body):
    given = {"model": "sms_spam", "hours": 4, "comment": "maintenance"} | body
    return client.post(f"{BASE}/silences", json=given)


def test_alerts_are_given_as_they_are_stored_and_filtered(client, drifted):
    (row,) = client.get(f"{BASE}/alerts?model=sms-spam&state=firing").json()["alerts"]
    assert (row["rule"], row["value"], row["threshold"]) == ("drift", 0.31, 0.15)
    assert (row["incident_id"], row["reports"]) == (drifted.id, 1)
    for other in ("model=heart_disease", "state=pending", "severity=low", "rule=latency"):
        assert client.get(f"{BASE}/alerts?{other}").json()["alerts"] == []


def test_incidents_come_with_their_timeline(client, drifted, db, ana):
    (row,) = client.get(f"{BASE}/incidents?open_only=true").json()["incidents"]
    assert (row["state"], row["timeline"][-1]["what"]) == ("open", "the word crypto is new")

    incidents.resolve(db, ana, drifted.id, "over")
    assert client.get(f"{BASE}/incidents?open_only=true").json()["incidents"] == []
    assert client.get(f"{BASE}/incidents").json()["incidents"][0]["state"] == "resolved"


def test_a_silence_is_previewed_made_listed_and_ended(client, drifted):
    shown = client.get(f"{BASE}/silences/preview?model=sms_spam").json()
    assert ([row["rule"] for row in shown["now"]], shown["last_7_days"]) == (["drift"], 1)
    assert shown["incidents"] == ["The data has drifted: SMS spam 2.0.0"]
    assert client.get(f"{BASE}/silences").json()["silences"] == []

    made = silence(client)
    assert (made.status_code, made.json()["state"]) == (201, "active")
    assert made.json()["covers"] == "Alerts of sms_spam"

    where = f"{BASE}/silences/{made.json()['id']}"
    assert client.delete(f"{where}?reason=done").json()["state"] == "expired"
    is_problem(client.delete(f"{where}?reason=done"), 409, "over already")
    assert [row["state"] for row in client.get(f"{BASE}/silences").json()["silences"]] == [
        "expired"
    ]


def test_critical_alerts_that_name_no_model_can_be_silenced(client, models):
    made = silence(client, model="*", severity="critical")
    assert made.json()["covers"] == "Critical alerts that name no model"


def test_a_request_sent_twice_makes_one_silence(client, models):
    client.headers["Idempotency-Key"] = "one"
    assert silence(client).json()["id"] == silence(client).json()["id"]
    assert len(client.get(f"{BASE}/silences").json()["silences"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": None},
        {"hours": 0},
        {"hours": 721},
        {"comment": " "},
        {"rule": "nonsense"},
        {"severity": "critical", "model": None},
        {"starts_at": "2001-01-01T00:00:00Z"},
        {"starts_at": "2030-01-01T12:00:00"},
        {"cause": "nonsense"},
        {"user": "me"},
    ],
)
def test_a_silence_that_says_too_little_or_too_much_is_refused(client, models, wrong):
    is_problem(silence(client, **wrong), 422)


def test_a_silence_of_an_unknown_model_is_not_found(client, models):
    is_problem(silence(client, model="nobody"), 404)


def test_ending_a_silence_needs_a_reason(client, models):
    where = f"{BASE}/silences/{silence(client).json()['id']}"
    is_problem(client.delete(where), 422)
