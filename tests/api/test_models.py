"""The registry over REST: look, compare, name the challenger, propose a release."""

import pytest

from core import recommendations, registry, releases
from core.tables.entities import ModelVersion
from tests import serving_kit as kit
from tests.api.conftest import is_problem


@pytest.fixture
def candidate(db, settings, models, worker):
    """3.0.0, which the gate lets through, judged on the same rows as 2.0.0."""
    kit.register(db, settings, "sms_spam", "3.0.0", accuracy=0.98)
    with db.command(worker, "version.register") as command:
        for version, right in (("2.0.0", 90), ("3.0.0", 98)):
            row = command.session.get_one(ModelVersion, ("sms_spam", version))
            shared = registry.pack([True] * right + [False] * (100 - right))
            row.metrics = {**row.metrics, "evaluations": {"d2": shared}}
        row.gate = {"answer": "promote", "reasons": ["8 points better"]}


@pytest.fixture
def promote(client):
    def ask(version="3.0.0", **body):
        return client.post(f"/api/v1/models/sms-spam/{version}/promote", json=body)

    return ask


def test_a_model_is_told_with_the_stage_of_each_version(client, candidate):
    body = client.get("/api/v1/models/sms-spam").json()
    assert (body["name"], body["serving"], body["challenger"]) == ("sms_spam", "2.0.0", None)
    assert [(one["version"], one["stage"], one["gate"]) for one in body["versions"]] == [
        ("3.0.0", "development", "promote"),
        ("2.0.0", "production", None),
        ("1.0.0", "development", None),
    ]
    is_problem(client.get("/api/v1/models/ghost"), 404, "no model ghost")


def test_a_version_is_told_with_its_threshold_and_the_verdict_in_words(client, candidate):
    body = client.get("/api/v1/models/sms_spam/3.0.0").json()
    assert (body["threshold"], body["stage"]) == (0.5, "development")
    assert body["verdict"] == "the gate says: better, release it"
    assert body["datasets"] == {"train": "d1", "test": "d2", "reference": "d3"}


def test_promoting_to_staging_names_the_challenger_at_once(client, candidate, promote):
    answer = promote(stage="staging", reason="short texts")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["stage"]) == ("staged", "staging")
    assert client.get("/api/v1/models/sms_spam").json()["challenger"] == "3.0.0"
    is_problem(promote("2.0.0", stage="staging"), 409, "serves already")


def test_promoting_to_production_proposes_and_changes_nothing(client, candidate, promote, db):
    answer = promote(stage="production", reason="8 points better")
    assert (answer.status_code, answer.json()["status"]) == (202, "proposed")
    assert answer.json()["recommendation_url"].endswith(answer.json()["recommendation_id"])
    with db.read() as session:
        (row,) = recommendations.waiting(session)
        assert (row.arguments, row.proposed_by) == ({"version": "3.0.0"}, "key:all")
        assert releases.label(releases.current(session, "sms_spam")) == "2.0.0"


def test_without_a_body_a_release_is_proposed(client, candidate):
    assert client.post("/api/v1/models/sms_spam/3.0.0/promote").status_code == 202


def test_what_the_gate_did_not_let_through_is_not_proposed(candidate, promote, db, apo, clock):
    is_problem(promote("1.0.0", stage="production"), 409, "an approver may override the gate")
    is_problem(promote("2.0.0"), 409, "serves everything already")
    registry.override(db, apo, "sms_spam", "1.0.0", reason="the gate came later")
    assert promote("1.0.0").status_code == 202


def test_an_unknown_stage_is_refused(candidate, promote):
    is_problem(promote(stage="moon"), 422, "stage")


def test_two_versions_are_compared_on_the_rows_both_were_judged_on(client, candidate):
    body = client.get("/api/v1/models/sms_spam/compare/2.0.0/v3.0.0").json()
    assert body["versions"] == ["2.0.0", "3.0.0"]
    assert body["metrics"]["accuracy"]["difference"] == pytest.approx(0.06)
    assert body["metrics"]["brier"]["smaller_is_better"] is True
    assert (body["paired"]["only_first_right"], body["paired"]["only_second_right"]) == (0, 8)
    same = client.get("/api/v1/models/sms_spam/compare/2.0.0/v2.0.0")
    is_problem(same, 422, "choose two")


def test_the_history_says_what_served_and_at_any_time(client, candidate, clock):
    body = client.get("/api/v1/models/sms_spam/history").json()
    assert [(one["serves"], one["state"]) for one in body["history"]] == [
        ("2.0.0", "current"),
        ("1.0.0", "superseded"),
    ]
    then = client.get("/api/v1/models/sms_spam/history", params={"at": "2030-01-02T08:00"})
    assert [one["serves"] for one in then.json()["history"]] == ["2.0.0"]
    early = client.get("/api/v1/models/sms_spam/history", params={"at": "2020-01-01T00:00:00Z"})
    is_problem(early, 404, "nothing of sms_spam served at 2020-01-01")
    is_problem(client.get("/api/v1/models/sms_spam/history?at=tuesday"), 422, "at")
