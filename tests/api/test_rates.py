"""How often a key may ask, at the routes."""

import pytest

from core import keys
from core.serving.rates import Rates
from tests.api.conftest import is_problem


@pytest.fixture
def limited(client, serving, db, adm):
    """A client whose key may ask ten times a minute, at a moment that does not pass."""
    _, secret = keys.create(
        db, adm, name="slow", scopes=["predict", "feedback", "read"], rate_limit=10
    )
    serving.rates = Rates(0, clock=lambda: 100.0)
    serving.refresh()
    client.headers["X-API-Key"] = secret
    return client


def predict(client, n=None):
    if n is None:
        return client.post("/predict", json={"message": "win a prize"})
    return client.post("/predict/batch", json={"messages": ["win a prize"] * n})


def test_beyond_its_limit_a_key_is_told_when_to_come_back(limited):
    assert [predict(limited).status_code for _ in range(12)] == [200] * 10 + [429] * 2
    answer = limited.get("/api/v1/models")
    is_problem(answer, 429, "try again in 6 s")
    assert answer.headers["retry-after"] == "6"


def test_other_keys_and_open_routes_do_not_feel_it(limited, secrets):
    for _ in range(11):
        predict(limited)
    assert limited.get("/health").status_code == 200
    answer = limited.get("/api/v1/models", headers={"X-API-Key": secrets["read"]})
    assert answer.status_code == 200


def test_a_batch_costs_its_items_and_one_that_does_not_fit_logs_nothing(limited, serving):
    assert predict(limited, 8).status_code == 200
    is_problem(predict(limited, 3), 429)
    assert [predict(limited).status_code for _ in range(2)] == [200, 200]  # it cost nothing
    is_problem(predict(limited), 429)


def test_a_batch_beyond_a_whole_minute_is_too_large(limited):
    is_problem(predict(limited, 11), 413, "at most 10 items")
    assert predict(limited, 10).status_code == 200
    is_problem(predict(limited, 11), 413, "at most 10 items")


def test_without_a_token_left_a_batch_is_told_when_all_of_it_fits(limited, serving):
    now = [100.0]
    serving.rates = Rates(0, clock=lambda: now[0])
    predict(limited, 10)
    answer = predict(limited, 5)
    is_problem(answer, 429, "try again in 30 s")
    is_problem(limited.post("/predict/batch", json={"messages": 1}), 429, "try again in 6 s")
    now[0] += int(answer.headers["retry-after"])
    assert predict(limited, 5).status_code == 200


def test_a_token_shares_the_limit_of_its_key(limited):
    issued = limited.post("/auth/token").json()["access_token"]
    for _ in range(9):
        predict(limited)
    del limited.headers["X-API-Key"]
    answer = limited.get("/api/v1/models", headers={"Authorization": f"Bearer {issued}"})
    is_problem(answer, 429)


def test_many_bad_keys_from_one_address_get_429_and_a_good_one_still_gets_in(limited):
    bad = {"X-API-Key": "ph_live_guess"}
    codes = [limited.get("/api/v1/models", headers=bad).status_code for _ in range(35)]
    assert codes == [401] * 30 + [429] * 5
    assert limited.get("/api/v1/models").status_code == 200
