"""Traces by setting: one span per request with its stages, nobody's data, no request slowed."""

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fastapi.testclient import TestClient

from api import main, tracing
from core.serving import service
from tests.processes_kit import ROOT

SPAM = {"message": "Kiss4711 win a prize", "user_id": "Alice4712"}
START_UNSET = """
import sys
from fastapi.testclient import TestClient
from api import main
with TestClient(main.create()) as client:
    client.get("/health")
unwanted = ("opentelemetry.sdk", "opentelemetry.exporter", "api.tracing")
assert not [name for name in sys.modules if name.startswith(unwanted)]
"""


@pytest.fixture
def set_up(settings, models, secrets, clock):
    """Return a function that gives a client of an api that sends traces to an endpoint."""

    def made(endpoint):
        traced = settings.model_copy(update={"otel_endpoint": endpoint})
        headers = {"X-API-Key": secrets["all"]}
        app = main.build(service.build(traced, clock))
        return TestClient(app, headers=headers, raise_server_exceptions=False)

    return made


@pytest.fixture
def told(set_up, monkeypatch):
    """A client of a traced api, and the spans that it ended."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    memory, provider = sdk.InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    monkeypatch.setattr(tracing, "_provider", lambda _endpoint: provider)
    with set_up("http://127.0.0.1:1") as client:
        yield client, memory.get_finished_spans


def test_without_the_setting_nothing_of_it_is_loaded(tmp_path):
    env = {"PILOTHOUSE_HOME": str(tmp_path), "PILOTHOUSE_ENV": "test", "PATH": ""}
    subprocess.run([sys.executable, "-c", START_UNSET], cwd=ROOT, env=env, check=True)


def test_a_prediction_is_a_span_with_its_stages_within(told):
    client, spans = told
    client.post("/predict", json=SPAM, headers={"X-Request-ID": "order-17"})
    *stages, request = spans()
    assert request.name == "POST /predict"
    assert dict(request.attributes) == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "pilothouse.request_id": "order-17",
    }
    assert [one.name for one in stages] == ["auth", "assign", "score", "spool"]
    for one in stages:
        assert one.parent.span_id == request.context.span_id
        assert request.start_time <= one.start_time <= one.end_time <= request.end_time


def test_other_routes_are_told_by_their_template(told):
    client, spans = told
    client.get("/api/v1/models/sms_spam/1.0.0")
    client.get("/Kiss4711")
    assert [one.name for one in spans() if one.parent is None] == [
        "GET /api/v1/models/{name}/{version}",
        "GET other",
    ]


def test_a_trace_goes_on_where_the_client_began_it(told):
    client, spans = told
    trace_id, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    client.get("/health", headers={"traceparent": f"00-{trace_id}-{caller}-01"})
    (span,) = spans()
    assert f"{span.context.trace_id:032x}" == trace_id
    assert f"{span.parent.span_id:016x}" == caller


def test_a_span_tells_nothing_that_a_client_wrote(told, secrets):
    client, spans = told
    client.post("/predict", json=SPAM)
    client.post("/predict", json={**SPAM, "Kiss4711": 1})
    client.get("/Kiss4711?who=Alice4712", headers={"X-API-Key": "Kiss4711"})
    text = "".join(one.to_json() for one in spans())
    for private in ("Kiss4711", "Alice4712", secrets["all"]):
        assert private not in text


def test_a_trace_that_cannot_be_made_fails_no_request(told, monkeypatch):
    client, _ = told
    monkeypatch.setattr(tracing, "_attributes", lambda *_: 1 / 0)
    assert client.post("/predict", json=SPAM).status_code == 200


def test_without_the_package_the_api_serves_and_says_what_is_missing(set_up, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with set_up("http://127.0.0.1:1") as client:
        assert client.post("/predict", json=SPAM).status_code == 200
    assert "requirements-otel.txt" in caplog.text


class Receiver(BaseHTTPRequestHandler):
    """Keeps what is sent by OTLP over HTTP."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.received = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.extras
def test_a_receiver_gets_the_spans_over_http(set_up, receiver):
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    with set_up(f"http://127.0.0.1:{receiver.server_port}") as client:
        client.post("/predict", json=SPAM)
    ((path, body),) = receiver.received
    text = json.dumps(MessageToDict(ExportTraceServiceRequest.FromString(body)))
    assert path == "/v1/traces"
    for name in ("pilothouse-api", "POST /predict", "auth", "assign", "score", "spool"):
        assert name in text
    assert "4711" not in text


@pytest.mark.extras
@pytest.mark.parametrize("listens", [True, False], ids=["silent", "closed"])
def test_a_receiver_that_is_down_slows_and_fails_no_request(set_up, listens):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        client = set_up(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with client:
            start = time.monotonic()
            statuses = {client.post("/predict", json=SPAM).status_code for _ in range(600)}
            spent = time.monotonic() - start
            ended = time.monotonic()
    assert statuses == {200}
    assert spent < 10
    assert time.monotonic() - ended < tracing._SEND_SECONDS + 3
