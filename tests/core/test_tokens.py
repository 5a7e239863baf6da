import base64
import json
from datetime import timedelta

import jwt
import pytest

from core import keys
from core.access import Kind, Role
from core.errors import ForbiddenError, InvalidInputError, UnauthenticatedError
from core.keys import KeyTable
from core.tables.access import User
from core.tokens import LONGEST, Tokens
from core.users import Standing

DAY = timedelta(days=1)


@pytest.fixture
def settings(tmp_path):
    from tests.conftest import settings_for

    return settings_for("sqlite://", tmp_path)


@pytest.fixture
def tokens(settings):
    return Tokens(settings)


@pytest.fixture
def people():
    return {"ana": Standing(Role.OPERATOR, 3), "vic": Standing(Role.VIEWER, 0)}


@pytest.fixture
def table(clock):
    row = keys.ApiKey(
        id="0123456789ab",
        name="shop",
        secret_hash="0" * 64,
        scopes=["predict", "read"],
        rate_limit=7,
        expires_at=clock() + DAY,
    )
    return KeyTable({row.id: row})


def of_ana(tokens, clock, role=Role.OPERATOR, **how):
    user = User(name="ana", role=role, token_epoch=3)
    return tokens.for_person(user, now=clock(), **{"scopes": None, **how})


def of_shop(tokens, table, clock, scopes=None):
    caller = table.by_id("0123456789ab", clock())
    return tokens.for_key(caller, scopes=scopes, now=clock())


def test_a_persons_token_acts_as_the_person_with_what_the_role_opens(tokens, table, people, clock):
    issued = of_ana(tokens, clock)
    caller = tokens.check(issued.token, table, people, clock())
    assert (caller.actor.name, caller.actor.role, caller.actor.kind) == (
        "ana",
        Role.OPERATOR,
        Kind.PERSON,
    )
    assert caller.may("operate")
    assert not caller.may("admin")
    assert issued.seconds == 1800


def test_a_keys_token_acts_as_the_key_and_shares_its_limit(tokens, table, people, clock):
    caller = tokens.check(of_shop(tokens, table, clock).token, table, people, clock())
    assert (caller.key_id, caller.actor.name, caller.actor.kind) == (
        "0123456789ab",
        "key:shop",
        Kind.KEY,
    )
    assert (caller.rate_limit, caller.scopes) == (7, {"predict", "read"})


def test_a_token_may_open_less_than_the_key_but_never_more(tokens, table, people, clock):
    issued = of_shop(tokens, table, clock, scopes=["read"])
    assert tokens.check(issued.token, table, people, clock()).scopes == {"read"}
    with pytest.raises(ForbiddenError, match="scope operate"):
        of_shop(tokens, table, clock, scopes=["read", "operate"])
    for none in ([], ["approve"]):
        with pytest.raises(InvalidInputError):
            of_shop(tokens, table, clock, scopes=none)


def test_a_persons_token_never_opens_more_than_the_role_does(tokens, table, people, clock):
    issued = of_ana(tokens, clock, role=Role.ADMIN)
    assert not tokens.check(issued.token, table, people, clock()).may("admin")
    with pytest.raises(ForbiddenError, match="scope operate"):
        of_ana(tokens, clock, role=Role.VIEWER, scopes=["operate"])


def test_a_token_dies_with_its_key(tokens, table, people, clock):
    token = of_shop(tokens, table, clock).token
    assert tokens.check(token, table, people, clock())
    with pytest.raises(UnauthenticatedError, match="key behind"):
        tokens.check(token, KeyTable({}), people, clock())
    table.rows["0123456789ab"].expires_at = clock()
    with pytest.raises(UnauthenticatedError, match="expired"):
        tokens.check(token, KeyTable(table.rows), people, clock())


def test_a_token_dies_when_the_persons_epoch_moves_on_or_the_account_ends(
    tokens, table, people, clock
):
    token = of_ana(tokens, clock).token
    later = {"ana": Standing(Role.OPERATOR, 4)}
    for now in (later, {}):
        with pytest.raises(UnauthenticatedError, match="ended"):
            tokens.check(token, table, now, clock())


def test_a_token_of_a_later_epoch_is_newer_than_our_memory_and_counts(tokens, table, clock):
    assert tokens.check(
        of_ana(tokens, clock).token, table, {"ana": Standing(Role.OPERATOR, 2)}, clock()
    )


def test_a_token_expires_at_its_moment_also_when_it_was_checked_before(
    tokens, table, people, clock
):
    token = of_ana(tokens, clock).token
    clock.forward(minutes=29, seconds=59)
    assert tokens.check(token, table, people, clock())
    clock.forward(seconds=1)
    with pytest.raises(UnauthenticatedError, match="expired"):
        tokens.check(token, table, people, clock())


def test_a_token_of_another_installation_is_refused(tmp_path, tokens, table, people, clock):
    other = tokens._key[::-1]
    foreign = Tokens.__new__(Tokens)
    foreign._key, foreign._lifetime, foreign._checked = other, timedelta(minutes=5), {}
    with pytest.raises(UnauthenticatedError, match="not a token of this service"):
        tokens.check(of_ana(foreign, clock).token, table, people, clock())


def encoded(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def claims(clock, **other):
    now = clock().timestamp()
    good = {
        "iss": "pilothouse",
        "aud": "pilothouse-api",
        "sub": "person:ana",
        "iat": now,
        "exp": now + 60,
        "jti": "1",
        "scopes": ["read"],
        "epoch": 3,
    }
    return {name: value for name, value in {**good, **other}.items() if value is not None}


def forged(tokens, clock, *, key=None, algorithm="HS256", **other):
    return jwt.encode(claims(clock, **other), key or tokens._key, algorithm=algorithm)


def test_the_forger_of_these_tests_can_make_a_good_one(tokens, table, people, clock):
    assert tokens.check(forged(tokens, clock), table, people, clock()).name == "ana"


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "other-api"},
        {"aud": None},
        {"sub": None},
        {"sub": 7},
        {"sub": "ana"},
        {"sub": "key:unknown"},
        {"sub": "person:nobody"},
        {"iat": None},
        {"iat": 4e9},
        {"iat": "soon"},
        {"exp": None},
        {"exp": 0},
        {"exp": "never"},
        {"exp": [1]},
        {"exp": float("nan")},
        {"jti": None},
        {"scopes": None},
        {"scopes": 7},
        {"scopes": [["read"]]},
        {"epoch": None},
        {"epoch": "x"},
        {"epoch": 2},
        {"epoch": float("inf")},
    ],
    ids=str,
)
def test_claims_that_are_not_ours_are_refused_even_with_a_good_signature(
    tokens, table, people, clock, other
):
    with pytest.raises(UnauthenticatedError):
        tokens.check(forged(tokens, clock, **other), table, people, clock())


@pytest.mark.filterwarnings("ignore:The HMAC key")
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_only_one_algorithm_counts(tokens, table, people, clock, algorithm):
    token = forged(tokens, clock, algorithm=algorithm)  # with the right key
    with pytest.raises(UnauthenticatedError):
        tokens.check(token, table, people, clock())


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None, 7])
def test_a_token_without_a_signature_is_refused(tokens, table, people, clock, name):
    for signature in ("", "x", "AAAA"):
        token = f"{encoded({'alg': name, 'typ': 'JWT'})}.{encoded(claims(clock))}.{signature}"
        with pytest.raises(UnauthenticatedError):
            tokens.check(token, table, people, clock())


def test_a_header_cannot_bring_its_own_key(tokens, table, people, clock):
    for extra in ({"jwk": {"kty": "oct", "k": "AA"}}, {"kid": "../../dev/null"}, {"crit": ["x"]}):
        token = jwt.encode(claims(clock), b"A" * 32, algorithm="HS256", headers=extra)
        with pytest.raises(UnauthenticatedError):
            tokens.check(token, table, people, clock())


def test_a_changed_token_is_refused_wherever_it_was_changed(tokens, table, people, clock):
    token = of_ana(tokens, clock).token
    tokens.check(token, table, people, clock())
    for at in range(0, len(token) - 1, 7):  # the last character has bits that say nothing
        swapped = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(UnauthenticatedError):
            tokens.check(swapped, table, people, clock())


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a" * LONGEST,
        "a" * (LONGEST + 1),
        "é.é.é",
        "\x00.\x00.\x00",
        "bnVsbA.bnVsbA.AAAA",
        base64.urlsafe_b64encode(b"[" * 700).decode(),
        base64.urlsafe_b64encode(b"[" * 700).decode() + ".W10.AAAA",
        encoded([]) + ".e30.AAAA",
        encoded({"alg": ["HS256"]}) + ".e30.AAAA",
    ],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_no_token_is_refused(tokens, table, people, clock, text):
    with pytest.raises(UnauthenticatedError):
        tokens.check(text, table, people, clock())


def test_the_memory_of_checked_tokens_is_bounded(tokens, table, people, clock, monkeypatch):
    monkeypatch.setattr("core.tokens._REMEMBERED", 10)
    for _ in range(25):
        tokens.check(of_ana(tokens, clock).token, table, people, clock())
    assert len(tokens._checked) <= 10


def test_our_tokens_fit_the_longest(tokens, clock):
    user = User(name="x" * 64, role=Role.ADMIN, token_epoch=10**6)
    issued = tokens.for_person(user, scopes=None, now=clock())
    assert len(issued.token) < LONGEST * 0.7
