"""Experiments over REST: drafted with the proposal of their start, read, concluded."""

import pytest
from sqlalchemy import func, select

from api.experiment_schemas import FEWEST, ExperimentResults
from core import recommendations
from core.access import system
from core.errors import UnavailableError
from core.experiments import lifecycle, statistics
from core.recommendations import proposing
from core.tables.entities import Experiment, Recommendation
from core.tables.telemetry import Label, Prediction
from tests import serving_kit as kit
from tests.api.conftest import is_problem

BODY = {
    "model_name": "sms-spam", "name": "calmer words", "version_a": "2.0.0", "version_b": "v3.0.0",
    "traffic_split": 0.5,
}  # fmt: skip
RESULTS = "/api/v1/ab-testing/results/calmer%20words"
CONCLUDE = "/api/v1/ab-testing/conclude/calmer%20words"


@pytest.fixture
def create(client, db, settings):
    kit.register(db, settings, "sms_spam", "3.0.0")
    return lambda: client.post("/api/v1/ab-testing/create", json=BODY)


@pytest.fixture
def running(create, db):
    made = create().json()
    with db.command(system("executor"), "experiment.start") as command:
        lifecycle.start_in(command, made["id"])


def answered(db, clock, variant, right, wrong):
    with db.append() as session:
        for index in range(right + wrong):
            key, truth = f"{variant}{index}", "spam" if index < right else "ham"
            row = Prediction(
                at=clock(), id=key, model="sms_spam", version="2.0.0", variant=variant,
                release_seq=3, is_shadow=False, hour=0, sample_key=index, input={}, label="spam",
                probability=0.9, latency_ms=1.0, key_id="k",
            )  # fmt: skip
            said = {"source": "x", "value": truth, "state": "confirmed", "at": clock()}
            session.add_all([row, Label(prediction_id=key, **said)])


def rows(db):
    with db.read() as session:
        counts = (session.scalar(select(func.count(t.id))) for t in (Experiment, Recommendation))
        return tuple(counts)


def test_a_draft_and_the_proposal_of_its_start_are_made_together(create, db):
    made = create()
    assert (made.status_code, made.json()["status"], rows(db)) == (202, "proposed", (1, 1))
    with db.read() as session:
        (waits,) = recommendations.waiting(session)
    assert waits.arguments == {"experiment_id": made.json()["id"]}


def test_where_the_proposal_fails_no_draft_stays_and_the_same_request_works_later(
    create, db, monkeypatch
):
    def fail(*_):
        raise UnavailableError("the database does not answer; it is tried again")

    with monkeypatch.context() as broken:
        broken.setattr(proposing, "announce", fail)
        is_problem(create(), 503)
    assert rows(db) == (0, 0)
    assert create().status_code == 202


def test_results_before_the_start_say_what_comes_next(create, client):
    create()
    body = client.get(RESULTS).json()
    assert (body["state"], body["significant"], body["winner"]) == ("draft", None, None)
    assert body["recommendation"].startswith("Propose its start")
    is_problem(client.get(f"{RESULTS}?model=heart-disease"), 404)


def test_results_tell_both_arms_the_winner_and_what_to_do(running, client, db, clock):
    answered(db, clock, "control", 700, 300)
    answered(db, clock, "treatment", 950, 50)
    body = client.get(RESULTS).json()
    assert body["arms"]["treatment"] == {
        "version": "3.0.0", "predictions": 1000, "users": 1000, "labelled": 1000, "correct": 950,
        "accuracy": 0.95, "precision": 0.95, "recall": 1.0, "f1": 2 * 950 / 1950,
    }  # fmt: skip
    assert (body["result"], body["winner"], body["significant"]) == ("won", "3.0.0", True)
    assert body["recommendation"] == "Conclude it. Propose to release 3.0.0."
    assert 0 < body["interval"]["low"] < body["difference"] < body["interval"]["high"]


def test_the_status_is_the_results_with_the_counts_by_themselves(running, client, db, clock):
    answered(db, clock, "control", 700, 300)
    answered(db, clock, "treatment", 950, 50)
    told = client.get("/experiments/calmer%20words/status").json()
    assert told | client.get(RESULTS).json() == told
    assert (told["winner"], told["recommendation"][:8]) == ("3.0.0", "Conclude")
    assert (told["name"], told["correct"]) == ("calmer words", {"control": 700, "treatment": 950})


def test_without_a_name_it_is_called_by_its_versions(create, client):
    body = {name: BODY[name] for name in ("model_name", "version_a", "version_b")}
    body["success_metrics"] = ["F1", "accuracy"]
    made = client.post("/api/v1/ab-testing/create", json={**body, "min_samples_per_variant": 50})
    assert (made.status_code, made.json()["name"]) == (202, "3.0.0 against 2.0.0")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"success_metrics": ["precision"]}, "accuracy decides"),
        ({"success_metrics": ["accuracy", "profit"]}, "accuracy decides"),
        ({"min_samples_per_variant": 1000}, "smaller minimum_effect"),
        ({"duration_days": 14}, "until it is concluded"),
        ({"segment_criteria": {"age": [20, 30]}}, "splits all users"),
    ],
)
def test_what_an_experiment_here_cannot_do_is_refused_with_what_to_do_instead(
    create, client, db, asked, words
):
    body = is_problem(client.post("/api/v1/ab-testing/create", json=BODY | asked), 422, words)
    assert body["detail"].startswith(next(iter(asked)))
    assert rows(db) == (0, 0)


def test_concluding_gives_all_traffic_to_the_control_and_keeps_the_result(
    running, client, db, clock
):
    answered(db, clock, "control", 700, 300)
    answered(db, clock, "treatment", 400, 600)
    ended = client.post(CONCLUDE, json={"reason": "it loses"}).json()
    assert (ended["state"], ended["result"], ended["winner"]) == ("stopped", "lost", "2.0.0")
    assert (ended["stopped_because"], client.get(RESULTS).json()) == ("it loses", ended)
    assert client.get("/api/v1/models/sms_spam").json()["serving"] == "2.0.0"
    is_problem(client.post(CONCLUDE), 409, "nothing to stop")


def test_a_draft_has_nothing_to_conclude(create, client):
    create()
    is_problem(client.post(CONCLUDE), 409, "draft")


def test_the_example_of_the_results_is_one(client):
    (example,) = ExperimentResults.model_config["json_schema_extra"]["examples"]
    assert ExperimentResults(**example).winner == "2.0.0"
    assert FEWEST == statistics.FEWEST
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["ExperimentResults"]["examples"][0]["winner"] == "2.0.0"
