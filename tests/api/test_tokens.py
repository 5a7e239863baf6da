"""A token instead of a key: where it comes from, what it opens, and when it ends."""

from dataclasses import replace

import pytest

from api.auth import admit
from core import audit, keys, users
from core.access import Role
from core.errors import UnauthenticatedError
from core.serving.rates import Rates
from tests.api.conftest import is_problem
from tests.api.test_auth import GUARDED, unread, url

PASSWORD = "correct horse battery"
ROLES = {
    "vic": {"read"},
    "ana": {"read", "predict", "feedback", "operate"},
    "apo": {"read", "predict", "feedback", "operate"},
    "adm": {"read", "predict", "feedback", "alerts", "operate", "admin"},
}


@pytest.fixture
def _passwords(db, adm, monkeypatch, serving):
    """Give everybody one password, hashed cheaply."""
    monkeypatch.setattr(users, "ROUNDS", 4)
    for name in ROLES:
        users.reset_password(db, adm, name, new=PASSWORD)
    users._dummy_hash.cache_clear()


@pytest.fixture
def client(client, _passwords):
    del client.headers["X-API-Key"]
    return client


def ask(client, name="ana", password=PASSWORD, **more):
    return client.post("/auth/token", json={"name": name, "password": password, **more})


def token_of(client, name="ana", **more):
    answer = ask(client, name, **more)
    assert answer.status_code == 200, answer.text
    return bearer(answer.json()["access_token"])


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_a_name_and_password_become_a_token(client):
    answer = ask(client, " Ana ")
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 1800)
    assert set(body["scopes"]) == ROLES["ana"]


def test_a_sign_in_is_in_the_audit_trail_and_the_token_is_not(client, db):
    token = ask(client).json()["access_token"]
    with db.read() as session:
        row = audit.tail(session)[0]
        kept = [str(vars(one)) for one in audit.tail(session)]
    assert (row.actor, row.action, row.detail) == ("ana", "session.start", {"via": "token"})
    assert not any(token in text or token[-40:] in text for text in kept)


def test_a_key_becomes_a_token_with_its_scopes_or_fewer(client, secrets):
    key = {"X-API-Key": secrets["all"]}
    assert len(client.post("/auth/token", headers=key).json()["scopes"]) == 5
    answer = client.post("/auth/token", headers=key, json={"scopes": ["read"]})
    token = bearer(answer.json()["access_token"])
    assert client.get("/api/v1/models", headers=token).status_code == 200
    is_problem(client.post("/predict", headers=token, content=unread()), 403, "token", "predict")
    key = {"X-API-Key": secrets["read"]}
    is_problem(client.post("/auth/token", headers=key, json={"scopes": ["admin"]}), 403, "admin")


@pytest.mark.parametrize("name", ROLES)
def test_a_persons_token_opens_exactly_the_routes_of_the_role(client, name, serving):
    token = token_of(client, name)
    for method, path, scope in GUARDED:
        if scope in ROLES[name]:
            answer = client.request(method, url(path), headers=token)
            assert answer.status_code not in (401, 403, 500), path
        else:
            content = unread() if method == "POST" else None
            answer = client.request(method, url(path), headers=token, content=content)
            is_problem(answer, 403, "token", scope)


def test_every_route_refuses_a_bad_token_before_it_reads_the_body(client, serving):
    good = token_of(client)["Authorization"]
    for method, path, _scope in GUARDED:
        serving.rates = Rates(0)  # so many refusals are bounded elsewhere
        for bad in ("Bearer x", "Bearer", "Basic YTpi", good[:-5], good.replace("Bearer", "Token")):
            content = unread() if method == "POST" else None
            headers = {"Authorization": bad}
            answer = client.request(method, url(path), headers=headers, content=content)
            is_problem(answer, 401)
            assert "Bearer" in answer.headers["www-authenticate"]


def test_a_key_and_a_token_at_once_are_refused(client, secrets):
    headers = {**token_of(client), "X-API-Key": secrets["all"]}
    is_problem(client.get("/api/v1/models", headers=headers), 401, "not both")


def test_a_token_is_not_exchanged_for_another(client):
    is_problem(client.post("/auth/token", headers=token_of(client)), 401, "not from a token")


def test_a_wrong_password_an_unknown_name_and_a_switched_off_one_get_one_answer(client, db, adm):
    users.set_active(db, adm, "vic", active=False)
    answers = [ask(client, "ana", "wrong"), ask(client, "nobody"), ask(client, "vic")]
    assert len({answer.content for answer in answers}) == 1
    for answer in answers:
        is_problem(answer, 401, "do not fit")


def test_five_wrong_passwords_lock_the_name(client):
    for _ in range(5):
        ask(client, "ana", "wrong password")
    is_problem(ask(client), 401, "locked")
    assert ask(client, "apo").status_code == 200


def test_passwords_from_one_address_are_bounded_before_they_are_looked_at(client, serving):
    serving.rates._addresses._clock = lambda: 100.0  # time stands still
    for number in range(30):
        is_problem(ask(client, f"name-{number}", "wrong"), 401)
    answer = ask(client)
    is_problem(answer, 429, "address")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "body",
    [
        {"name": "ana", "password": 7},
        {"name": "a\x00", "password": "x"},
        {"name": "ana", "password": "x" * 201},
        {"name": "x" * 101, "password": "x"},
        {"scopes": []},
        {"scopes": ["approve"]},
        {"token": "x"},
        [],
    ],
    ids=str,
)
def test_a_body_that_is_not_usable_is_refused_without_an_echo(client, body):
    answer = client.post("/auth/token", json=body)
    is_problem(answer, 422)
    assert "x" * 101 not in answer.text


def test_nothing_given_is_401_and_half_too(client):
    for body in (None, {}, {"name": "ana"}, {"password": PASSWORD}):
        is_problem(client.post("/auth/token", json=body), 401)


def test_a_key_and_a_password_at_once_are_refused(client, secrets):
    body, headers = {"name": "ana", "password": PASSWORD}, {"X-API-Key": secrets["all"]}
    is_problem(client.post("/auth/token", json=body, headers=headers), 422, "not both")


ENDINGS = {
    "another role": lambda db, adm: users.set_role(db, adm, "ana", Role.APPROVER),
    "switched off": lambda db, adm: users.set_active(db, adm, "ana", active=False),
    "a new password": lambda db, adm: users.reset_password(db, adm, "ana", new="another password"),
    "signed out": lambda db, adm: users.end_all_sessions(db, adm, "ana"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_persons_token_ends_with(client, db, adm, serving, how):
    token, other = token_of(client), token_of(client, "apo")
    ENDINGS[how](db, adm)
    serving.refresh()
    is_problem(client.get("/api/v1/models", headers=token), 401, "ended")
    assert client.get("/api/v1/models", headers=other).status_code == 200


def test_a_token_ends_with_its_key(client, db, adm, serving):
    row, secret = keys.create(db, adm, name="short", scopes=["read"])
    serving.refresh()
    answer = client.post("/auth/token", headers={"X-API-Key": secret})
    token = bearer(answer.json()["access_token"])
    assert client.get("/api/v1/models", headers=token).status_code == 200
    keys.revoke(db, adm, row.id)
    serving.refresh()
    is_problem(client.get("/api/v1/models", headers=token), 401, "key behind")


def test_a_revoked_key_is_refused_within_two_seconds(client, db, adm, serving, secrets):
    key_id = secrets["read"].split("_")[2]
    headers = {"X-API-Key": secrets["read"]}
    assert client.get("/api/v1/models", headers=headers).status_code == 200
    keys.revoke(db, adm, key_id)
    assert serving.settings.release_poll_seconds <= 1
    _eventually_refused(serving, secrets["read"])


def _eventually_refused(serving, key):
    import time

    end = time.monotonic() + 2
    while time.monotonic() < end:
        try:
            admit(serving, "read", key=key, bearer=None, remote="")
        except UnauthenticatedError:
            return
        time.sleep(0.05)
    raise AssertionError("still let through")


def test_what_a_person_changes_by_token_is_theirs_in_the_audit_trail(client, db):
    answer = client.post("/models/rollback", headers=token_of(client), json={"reason": "nerves"})
    assert answer.status_code == 200, answer.text
    with db.read() as session:
        row = audit.tail(session)[0]
    assert (row.actor, row.actor_kind, row.action) == ("ana", "person", "release.rollback")


def test_the_documentation_names_both_ways_on_every_guarded_route(client):
    document = client.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["HTTPBearer"]["bearerFormat"] == "JWT"
    for method, path, _scope in GUARDED:
        offered = document["paths"][path][method.lower()]["security"]
        assert {name for one in offered for name in one} == {"APIKeyHeader", "HTTPBearer"}


def test_started_without_the_database_whom_the_snapshot_knows_counts_and_others_wait(
    client, secrets, serving
):
    of_key = client.post("/auth/token", headers={"X-API-Key": secrets["read"]}).json()
    of_ana = token_of(client)
    serving._stop.set()  # from now on nobody reads the database
    for thread in serving._threads:
        thread.join()
    serving.board = replace(serving.board, restored=True)
    assert client.get("/metrics/performance", headers=of_ana).status_code == 200
    serving.board = replace(serving.board, people={})
    is_problem(client.get("/metrics/performance", headers=of_ana), 503, "people")
    answer = client.get("/metrics/performance", headers=bearer(of_key["access_token"]))
    assert answer.status_code == 200
