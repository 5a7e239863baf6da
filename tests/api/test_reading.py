"""The routes that tell what is stored."""

import pytest

from core import recommendations, registry, releases, runs
from core.experiments import lifecycle
from core.monitoring import checks, text
from core.serving import shipper, stored
from core.tables.telemetry import MonitorReport
from tests import serving_kit as kit
from tests.api.conftest import is_problem


@pytest.fixture
def report(db, clock):
    def put(figures, state="fail", *, version="2.0.0", score=0.4, sentence="The words changed."):
        clock.forward(minutes=1)
        with db.append() as session:
            session.add(
                MonitorReport(
                    id=f"r-{clock()}",
                    model="sms_spam",
                    version=version,
                    kind="drift",
                    state=state,
                    window_start=clock(),
                    window_end=clock(),
                    window_last_id="x",
                    n_current=500,
                    n_reference=1000,
                    p_value=0.001,
                    score=score,
                    method="permutation",
                    sentence=sentence,
                    figures=figures,
                    assumptions="",
                    at=clock(),
                )
            )

    return put


def test_health_says_what_serves(client):
    body = client.get("/health").json()
    assert (body["status"], body["model_name"], body["current_model_version"]) == (
        "healthy",
        "sms_spam",
        "2.0.0",
    )
    assert sorted(body["models_loaded"]) == ["heart_disease 1.0.0", "sms_spam 2.0.0"]
    assert client.get("/health").json()["request_count"] > body["request_count"]


def test_prometheus_reads_requests_by_route_template(client):
    client.get("/api/v1/models/sms_spam/1.0.0")
    client.get("/nowhere")
    text = client.get("/metrics").text
    assert (
        'api_requests_total{endpoint="/api/v1/models/{name}/{version}",method="GET",status="200"} 1'
        in text
    )
    assert 'endpoint="other",method="GET",status="404"' in text
    assert 'api_request_duration_seconds_bucket{endpoint="/nowhere"' not in text
    for name in ("model_load{", "spool_bytes", "model_retraining_total", "jobs_waiting"):
        assert name in text
    assert client.get("/metrics/observability").headers["content-type"].startswith("text/plain")


def test_performance_is_measured(client):
    client.post("/predict", json={"message": "hi"})
    body = client.get("/metrics/performance").json()
    assert 0 < body["model_inference_time_p99"] <= body["api_latency_p99"]
    assert body["memory_usage_mb"] > 10
    assert (body["requests_per_minute"], body["error_rate"]) == (1, 0)


def test_drift_before_the_first_check_says_so(client):
    body = client.get("/metrics/drift").json()
    assert (body["state"], body["drift_detected"], body["n"]) == ("unchecked", False, 0)


def test_drift_is_the_newest_report_with_its_figures_as_the_check_writes_them(
    client, report, clock
):
    report({"vocabulary_drift": 0.1}, state="pass")
    usual = ["see you soon", "at home now", "call me"] * 20
    compared = text.compare(usual, ["buy crypto"] * 5 + usual[:15])
    report(checks.drift.figures(compared))
    body = client.get("/metrics/drift?model=sms-spam").json()
    figures = ("vocabulary_drift", "tfidf_drift", "threshold")
    assert {name: body[name] for name in figures} == {n: getattr(compared, n) for n in figures}
    assert (body["drift_detected"], body["n"], body["pending"]) == (True, 500, None)
    assert sorted(body["new_patterns"]) == ["buy", "crypto"]
    assert (body["score"], body["p_value"], body["timestamp"]) == (
        0.4,
        0.001,
        clock().isoformat(),
    )


def test_a_drift_stays_while_the_window_after_it_is_not_judged_yet(client, report, db, clock):
    report({"drift_detected": True})
    report({}, state="inconclusive", score=None, sentence="50 more are needed.")
    body = client.get("/metrics/drift").json()
    assert (body["state"], body["drift_detected"], body["score"]) == ("fail", True, 0.4)
    assert (body["sentence"], body["pending"]) == ("The words changed.", "50 more are needed.")
    with db.read() as session:
        assert stored.read(session, ["sms_spam"], clock()).drift_scores == {"sms_spam": 0.4}


def test_drift_of_a_version_that_no_longer_serves_is_not_told(client, report, db, clock):
    report({"drift_detected": True}, version="1.0.0")
    assert client.get("/metrics/drift").json()["state"] == "unchecked"
    with db.read() as session:
        assert stored.read(session, ["sms_spam"], clock()).drift_scores == {}


def test_before_a_window_is_judged_drift_says_why(client, report):
    report({}, state="error", score=None, sentence="There is no reference sample.")
    body = client.get("/metrics/drift").json()
    assert (body["state"], body["drift_detected"]) == ("error", False)
    assert body["sentence"] == body["pending"] == "There is no reference sample."


def test_comparison_sets_the_serving_version_beside_the_one_before(client):
    body = client.get("/models/comparison").json()
    assert (body["current_model"]["version"], body["previous_model"]["version"]) == (
        "2.0.0",
        "1.0.0",
    )
    assert body["current_model"]["f1_score"] == 0.9
    assert body["improvement"] is None  # they were never judged on the same rows
    only = client.get("/models/comparison?model=heart_disease").json()
    assert (only["previous_model"], only["improvement"]) == (None, None)


def test_improvement_is_counted_on_the_rows_that_both_versions_were_judged_on(client, db, settings):
    for version, accuracy, right in (("3.0.0", 0.99, 90), ("4.0.0", 0.95, 98)):
        shared = registry.pack([True] * right + [False] * (100 - right))
        metrics = {"accuracy": accuracy, "evaluations": {"shared rows": shared}}
        kit.deploy(db, settings, "sms_spam", version, **metrics)
    body = client.get("/models/comparison").json()
    assert body["improvement"] == pytest.approx(0.08)


def test_a_rollback_needs_no_body_and_names_the_key_in_the_release(client, db):
    answer = client.post("/models/rollback")
    body = answer.json()
    assert answer.status_code == 200, body
    assert (body["status"], body["previous_version"], body["rolled_back_to"]) == (
        "rolled_back",
        "2.0.0",
        "1.0.0",
    )
    with db.read() as session:
        assert releases.current(session, "sms_spam").actor == "key:all"
    is_problem(client.post("/models/rollback", json={"reason": "again"}), 409, "no earlier release")


def test_models_and_versions_are_listed(client):
    body = client.get("/api/v1/models").json()
    text = next(one for one in body["models"] if one["name"] == "sms_spam")
    assert (text["serving"], text["versions"]) == ("2.0.0", ["2.0.0", "1.0.0"])
    version = client.get("/api/v1/models/sms-spam/v2.0.0").json()
    assert (version["serving"], version["metrics"]["f1"]) == (True, 0.9)


def test_a_training_is_queued_followed_and_in_the_history(client):
    body = {"model_name": "sms-spam", "model_types": ["complement_nb"], "trigger_reason": "drift"}
    started = client.post("/api/v1/training/start", json=body)
    assert started.status_code == 202, started.text
    status = client.get(started.json()["status_url"]).json()
    assert (status["status"], status["version"]) == ("queued", None)
    (event,) = client.get("/retraining/history").json()["history"]
    assert (event["trigger"], event["reasoning"], event["decision"]) == ("api", "drift", "queued")
    is_problem(client.post("/api/v1/training/start", json=body), 409)
    is_problem(client.post("/api/v1/training/start", json={"model_name": "ghost"}), 404)


def test_a_retraining_is_asked_for_with_its_reason(client, db):
    body = {"model_name": "sms-spam", "config_overrides": {"trials": 5}}
    is_problem(client.post("/api/v1/training/trigger-retraining", json=body), 422)
    body["trigger_reason"] = "recall fell"
    started = client.post("/api/v1/training/trigger-retraining", json=body)
    assert started.status_code == 202, started.text
    assert client.get(started.json()["status_url"]).json()["status"] == "queued"
    with db.read() as session:
        (run,) = runs.history(session)
    assert (run.kind, run.reason, run.options) == ("retrain", "recall fell", {"trials": 5})


def test_a_training_is_asked_for_with_a_search_and_overrides(client, db):
    body = {
        "model_name": "sms-spam",
        "hyperparameter_optimization": True,
        "auto_deploy_threshold": 0.97,
        "config_overrides": {"selection_metric": "roc_auc", "trials": 5},
    }
    wrong = {**body, "config_overrides": {"trees": 5}}
    refused = client.post("/api/v1/training/start", json=wrong)
    is_problem(refused, 422)
    assert "A training has no option trees" in refused.json()["detail"]
    assert client.post("/api/v1/training/start", json=body).status_code == 202
    with db.read() as session:
        (run,) = runs.history(session)
    assert run.options == {
        "trials": 5,
        "auto_deploy_threshold": 0.97,
        "selection_metric": "roc_auc",
    }


def test_monitoring_sums_up_traffic_and_labels(client, db, settings):
    for label in ("spam", "ham"):
        answer = client.post("/predict", json={"message": "win a free prize"}).json()
        client.post("/feedback", json={"prediction_id": answer["prediction_id"], "label": label})
    shipper.ship(db, settings)
    body = client.get("/monitoring/status?hours=2").json()
    assert (body["total_predictions"], body["avg_accuracy"], body["avg_error_rate"]) == (2, 0.5, 0)
    assert body["avg_latency_ms"] > 0
    assert body["alerts"] == {"critical": 0, "high": 0, "medium": 0, "low": 0}
    assert (body["status"], body["avg_data_quality"]) == ("healthy", None)


def test_an_experiment_is_found_by_its_name(client, db, settings, ana):
    kit.register(db, settings, "sms_spam", "3.0.0")
    lifecycle.draft(
        db,
        ana,
        model="sms_spam",
        name="bolder words",
        control="2.0.0",
        treatment="3.0.0",
        share=0.5,
        hypothesis="3 is better",
    )
    body = client.get("/experiments/bolder%20words/status").json()
    assert (body["state"], body["model"], body["verdict"]) == ("draft", "sms_spam", None)


def test_a_shadow_is_drafted_over_rest_and_its_start_waits_for_a_person(client, db, settings):
    kit.register(db, settings, "sms_spam", "3.0.0")
    body = {"model_name": "sms-spam", "name": "beside", "mode": "shadow"}
    made = client.post(
        "/api/v1/ab-testing/create", json={**body, "version_a": "v2.0.0", "version_b": "3.0.0"}
    )
    assert (made.status_code, made.json()["status"]) == (202, "proposed")
    with db.read() as session:
        (waits,) = recommendations.waiting(session)
    assert waits.title == "Start experiment beside: 3.0.0 in shadow, for the log only"
    assert client.get("/experiments/beside/status").json()["mode"] == "shadow"
