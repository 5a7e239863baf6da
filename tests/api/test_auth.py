"""Every route, as the program lists them, against every kind of key."""

from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from api.auth import GuardedRoute
from core.serving.rates import Rates
from tests.api.conftest import SCOPES, is_problem

EXPECTED = {
    ("POST", "/predict"): "predict",
    ("POST", "/predict/batch"): "predict",
    ("POST", "/predict/stream"): "predict",
    ("POST", "/feedback"): "feedback",
    ("POST", "/feedback/csv"): "feedback",
    ("GET", "/health"): "open",
    ("GET", "/health/live"): "open",
    ("GET", "/health/ready"): "open",
    ("GET", "/metrics"): "metrics",
    ("GET", "/metrics/observability"): "metrics",
    ("GET", "/metrics/performance"): "read",
    ("GET", "/metrics/drift"): "read",
    ("GET", "/models/comparison"): "read",
    ("POST", "/models/rollback"): "operate",
    ("GET", "/retraining/history"): "read",
    ("GET", "/monitoring/status"): "read",
    ("GET", "/experiments/{name}/status"): "read",
    ("GET", "/api/v1/ab-testing/results/{test}"): "read",
    ("POST", "/api/v1/ab-testing/create"): "operate",
    ("POST", "/api/v1/ab-testing/conclude/{test}"): "operate",
    ("POST", "/api/v1/monitoring/log-prediction"): "predict",
    ("GET", "/api/v1/monitoring/alerts"): "read",
    ("GET", "/api/v1/monitoring/incidents"): "read",
    ("GET", "/api/v1/monitoring/silences"): "read",
    ("GET", "/api/v1/monitoring/silences/preview"): "read",
    ("POST", "/api/v1/monitoring/silences"): "operate",
    ("DELETE", "/api/v1/monitoring/silences/{silence_id}"): "operate",
    ("POST", "/api/v1/monitoring/run"): "operate",
    ("GET", "/api/v1/monitoring/jobs/{job_id}"): "read",
    ("GET", "/api/v1/monitoring/dashboard/{name}"): "read",
    ("GET", "/api/v1/monitoring/reports"): "read",
    ("GET", "/api/v1/monitoring/reports/{report_id}"): "read",
    ("GET", "/api/v1/models"): "read",
    ("GET", "/api/v1/models/{name}"): "read",
    ("GET", "/api/v1/models/{name}/history"): "read",
    ("GET", "/api/v1/models/{name}/compare/{v1}/{v2}"): "read",
    ("GET", "/api/v1/models/{name}/{version}"): "read",
    ("POST", "/api/v1/models/{name}/{version}/promote"): "operate",
    ("POST", "/api/v1/models/{name}/explain"): "predict",
    ("GET", "/api/v1/predictions/{prediction_id}/explain"): "read",
    ("GET", "/api/v1/features"): "read",
    ("POST", "/api/v1/features/values"): "operate",
    ("POST", "/api/v1/training/start"): "operate",
    ("POST", "/api/v1/training/trigger-retraining"): "operate",
    ("GET", "/api/v1/training/status/{job_id}"): "read",
    ("POST", "/alerts/webhook"): "alerts",
    ("GET", "/api/v1/recommendations"): "read",
    ("GET", "/api/v1/recommendations/{recommendation_id}"): "read",
    ("POST", "/api/v1/recommendations/{recommendation_id}/approve"): "operate",
    ("POST", "/api/v1/recommendations/{recommendation_id}/reject"): "operate",
    ("POST", "/auth/token"): "credentials",
}
OPEN_PAGES = {"/docs", "/docs/static", "/openapi.json"}
UNSCOPED = ("open", "metrics", "credentials")
GUARDED = [(*route, scope) for route, scope in EXPECTED.items() if scope not in UNSCOPED]
PLACES = {
    "{name}": "sms_spam",
    "{test}": "ghost",
    "{version}": "9.9.9",
    "{v1}": "1.0.0",
    "{v2}": "9.9.9",
    "{prediction_id}": "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    "{silence_id}": "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    "{recommendation_id}": "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    "{job_id}": "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    "{report_id}": "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
}


def url(path):
    for place, value in PLACES.items():
        path = path.replace(place, value)
    return path


def test_the_list_above_is_what_the_program_has(app):
    found = {
        (method, route.path): route.scope
        for route in app.routes
        if isinstance(route, GuardedRoute)
        for method in route.methods
    }
    assert found == EXPECTED


def test_nothing_is_served_past_the_guard_but_the_documentation(app):
    unguarded = {route.path for route in app.routes if not isinstance(route, GuardedRoute)}
    assert unguarded == OPEN_PAGES
    assert all(isinstance(route, APIRoute | Route | Mount) for route in app.routes)


def unread():
    raise AssertionError("the body was read")
    yield b""


def test_without_a_good_key_the_answer_is_401_and_the_body_is_not_read(client, serving):
    del client.headers["X-API-Key"]
    for method, path, _scope in GUARDED:
        serving.rates = Rates(0)  # so many refusals are bounded elsewhere
        for headers in ({}, {"X-API-Key": b"ph_live_nonsense"}, {"X-API-Key": "é".encode()}):
            content = unread() if method == "POST" else None
            answer = client.request(method, url(path), headers=headers, content=content)
            is_problem(answer, 401)
            assert "ApiKey" in answer.headers["www-authenticate"]


def test_with_the_wrong_scope_the_answer_is_403_and_the_body_is_not_read(client, secrets):
    for method, path, scope in GUARDED:
        for other in set(SCOPES) - {scope}:
            headers = {"X-API-Key": secrets[other]}
            content = unread() if method == "POST" else None
            answer = client.request(method, url(path), headers=headers, content=content)
            is_problem(answer, 403, scope)


def test_with_the_right_scope_the_guard_lets_through(client, secrets):
    for method, path, scope in GUARDED:
        answer = client.request(method, url(path), headers={"X-API-Key": secrets[scope]})
        assert answer.status_code not in (401, 403, 500)


def test_open_routes_need_no_key(client):
    del client.headers["X-API-Key"]
    for (_, path), scope in EXPECTED.items():
        if scope in ("open", "metrics"):
            assert client.get(path).status_code == 200


def test_a_setting_closes_the_prometheus_routes(client, serving, secrets):
    serving.settings.metrics_need_key = True
    is_problem(client.get("/metrics", headers={"X-API-Key": "x"}), 401)
    assert client.get("/metrics", headers={"X-API-Key": secrets["read"]}).status_code == 200
