"""The header Idempotency-Key on routes that change something."""

import threading

import pytest

from core import audit, keys, runs
from core.errors import UnavailableError
from core.idempotency import ABANDONED
from tests.api.conftest import is_problem
from tests.api.test_auth import EXPECTED

START = "/api/v1/training/start"
BODY = {"model_name": "sms_spam"}


def start(client, key="order-17", body=BODY, path=START, **headers):
    return client.post(path, json=body, headers={"Idempotency-Key": key, **headers})


def tried(db):
    """Count how often it was carried out; the second training of a model at once is refused."""
    with db.read() as session:
        return sum(row.action == "run.request" for row in audit.tail(session, limit=100))


def test_sent_twice_it_is_done_once_and_answered_alike(client, db):
    first, second = start(client), start(client)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert tried(db) == 1


def test_without_the_header_everything_is_done_each_time(client, db):
    codes = [client.post(START, json=BODY).status_code for _ in range(2)]
    assert codes == [202, 409]
    assert tried(db) == 2


def test_the_same_key_with_another_body_or_route_is_refused(client, db):
    start(client)
    is_problem(start(client, body={**BODY, "trigger_reason": "x"}), 422, "another request")
    is_problem(start(client, path="/api/v1/training/trigger-retraining"), 422, "another request")
    assert tried(db) == 1


def test_another_client_has_names_of_its_own(client, db, adm, serving):
    _, secret = keys.create(db, adm, name="other", scopes=["operate"])
    serving.refresh()
    start(client)
    answer = start(client, **{"X-API-Key": secret})
    assert "idempotent-replayed" not in answer.headers
    assert tried(db) == 2


def test_a_refusal_is_kept_too_with_its_words(client):
    body = {"model_name": "unknown_model"}
    first, second = start(client, body=body), start(client, body=body)
    is_problem(first, 404)
    is_problem(second, 404)
    assert first.content == second.content
    assert second.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    "fault", [UnavailableError("the database does not answer"), ZeroDivisionError()], ids=repr
)
def test_a_fault_of_ours_is_not_kept(client, db, monkeypatch, fault):
    def broken(*_args, **_how):
        raise fault

    with monkeypatch.context() as patch:
        patch.setattr(runs, "request", broken)
        assert start(client).status_code >= 500
    answer = start(client)
    assert answer.status_code == 202
    assert "idempotent-replayed" not in answer.headers


def test_while_the_first_is_in_work_the_second_is_told_to_come_back(client, monkeypatch):
    entered, go_on, request = threading.Event(), threading.Event(), runs.request

    def slow(*args, **how):
        entered.set()
        assert go_on.wait(20)
        return request(*args, **how)

    monkeypatch.setattr(runs, "request", slow)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(start(client)))
    thread.start()
    assert entered.wait(20)
    second = start(client)
    is_problem(second, 409, "being carried out")
    assert int(second.headers["retry-after"]) >= 1
    go_on.set()
    thread.join()
    assert start(client).content == answers[0].content


def test_one_whose_process_died_is_done_after_some_minutes(client, db, clock, monkeypatch):
    monkeypatch.setattr("core.idempotency.finish", lambda *_: None)
    start(client)
    monkeypatch.undo()
    is_problem(start(client), 409)
    clock.forward(seconds=ABANDONED.total_seconds())
    is_problem(start(client), 409, "queued")
    assert tried(db) == 2


@pytest.mark.parametrize("key", ["", "x" * 201, b"\xe9", "a\tb"], ids=repr)
def test_a_key_that_is_no_name_is_refused_and_nothing_done(client, db, key):
    is_problem(start(client, key=key), 422)
    assert tried(db) == 0


def test_who_may_not_gets_no_earlier_answer(client, secrets):
    start(client)
    is_problem(start(client, **{"X-API-Key": secrets["read"]}), 403)


def test_every_route_that_operates_documents_the_header_and_no_other_does(client):
    paths = client.get("/openapi.json").json()["paths"]
    for (method, path), scope in EXPECTED.items():
        one = paths[path][method.lower()]
        named = {parameter["name"] for parameter in one.get("parameters", [])}
        assert ("Idempotency-Key" in named) == (scope == "operate"), path
        if scope == "operate":
            assert {"409", "422"} <= set(one["responses"])
