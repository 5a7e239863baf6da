"""A name for every request: chosen by the client or made here, in the answer and in the log."""

import pytest

SPAM = {"message": "win a free prize"}


@pytest.mark.parametrize("path", ["/predict", "/feedback", "/health", "/nowhere"])
def test_an_answer_carries_the_id_that_the_client_chose(client, path):
    answer = client.post(path, json=SPAM, headers={"X-Request-ID": "order-17"})
    assert answer.headers.get_list("X-Request-ID") == ["order-17"]


def test_without_one_each_answer_gets_its_own(client):
    first, second = (client.post("/predict", json=SPAM).headers["X-Request-ID"] for _ in "ab")
    assert first != second


@pytest.mark.parametrize("given", ["ana@example.org", "two words", "x" * 129, "", "ä"])
def test_an_id_that_could_carry_a_person_is_replaced(client, given):
    answer = client.post("/predict", json=SPAM, headers={"X-Request-ID": given.encode()})
    assert len(answer.headers["X-Request-ID"]) == 16


def test_a_refusal_carries_it_too(client):
    headers = {"X-Request-ID": "order-18", "X-API-Key": "wrong"}
    answer = client.post("/predict", json=SPAM, headers=headers)
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (401, "order-18")


def test_a_fault_of_ours_carries_it_too(client, serving, monkeypatch):
    monkeypatch.setattr(serving, "uptime_seconds", lambda: 1 / 0)
    answer = client.get("/health", headers={"X-Request-ID": "order-19"})
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "order-19")
