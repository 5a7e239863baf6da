"""The documentation is complete, and the program keeps to it."""

from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tests.api.test_auth import EXPECTED

load_all_checks()
schemathesis.serializer.alias(["application/x-ndjson", "text/csv"], "text/plain")
KEPT = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]


def test_every_route_documents_each_error_of_its_guard_with_an_example(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {(m.upper(), path) for path, one in paths.items() for m in one} == set(EXPECTED)
    for (method, path), scope in EXPECTED.items():
        said = paths[path][method.lower()]["responses"]
        if scope != "open":
            assert {"401", "403"} <= set(said), path
        for status, one in said.items():
            if int(status) >= 400:
                assert "example" in one["content"]["application/problem+json"], path


def test_the_documented_problem_is_the_one_that_is_sent(client):
    schema = client.get("/openapi.json").json()["components"]["schemas"]["Problem"]
    assert set(schema["properties"]) == {"type", "title", "status", "detail"}


def test_bodies_have_examples_and_examples_work(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for example in schemas["PredictBody"]["examples"]:
        assert client.post("/predict", json=example).status_code == 200
    for example in schemas["BatchBody"]["examples"]:
        assert client.post("/predict/batch", json=example).status_code == 200
    assert client.post("/feedback", json=schemas["FeedbackBody"]["examples"][0]).is_success


@pytest.mark.parametrize(
    "n",
    [
        pytest.param(4, id="short"),
        pytest.param(50, id="long", marks=[pytest.mark.extras, pytest.mark.timeout(900)]),
    ],
)
def test_generated_requests_never_meet_a_fault_and_keep_to_the_documentation(client, app, n):
    schema = schemathesis.openapi.from_dict(app.openapi())
    checks = [CHECKS.get_one(name) for name in KEPT]
    for operation in schema.get_all_operations():
        for mode in GenerationMode:
            with suppress(Unsatisfiable):  # a route without input cannot be sent bad input
                _attack(operation.ok(), client, checks, mode, n)


def _attack(operation, client, checks, mode, n):
    @given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis_settings(
        max_examples=n,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def attack(case):
        sent = case.as_transport_kwargs(base_url="http://testserver", headers=dict(client.headers))
        sent.pop("cookies", None)
        sent["headers"] = {name: str(v).encode("latin-1") for name, v in sent["headers"].items()}
        if isinstance(sent.get("data"), bytes):
            sent["content"] = sent.pop("data")
        case.validate_response(client.request(**sent), checks=checks)

    attack()
