from datetime import timedelta

import pytest

from core import audit, keys
from core.access import Kind, Role
from core.errors import ConflictError, ForbiddenError, InvalidInputError, UnauthenticatedError


def make(db, actor, **how):
    return keys.create(db, actor, **{"name": "shop", "scopes": ["read", "predict"], **how})


def check(db, secret):
    with db.read() as session:
        return keys.table(session).check(secret, db.clock())


def test_a_new_key_opens_what_its_scopes_say(db, adm):
    _, secret = make(db, adm)
    caller = check(db, secret)
    assert (caller.name, caller.may("predict"), caller.may("operate")) == ("shop", True, False)


def test_the_secret_is_nowhere_in_the_database(db, adm):
    row, secret = make(db, adm)
    with db.read() as session:
        kept = [str(vars(one)) for one in (*keys.all(session), *audit.tail(session))]
    assert not any(secret in text or secret[20:40] in text for text in kept)
    assert len(row.secret_hash) == 64


def test_a_changed_invented_or_foreign_secret_is_refused(db, adm):
    _, secret = make(db, adm)
    swapped = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    body = "ph_live_0123456789ab_" + "x" * 32
    for wrong in ("", "x", swapped, body + keys._checksum(body), secret + "\n", "é" * 59):
        with pytest.raises(UnauthenticatedError):
            check(db, wrong)


def test_a_revoked_key_opens_nothing_and_is_revoked_once(db, adm):
    row, secret = make(db, adm)
    keys.revoke(db, adm, row.id)
    with pytest.raises(UnauthenticatedError, match="revoked"):
        check(db, secret)
    with pytest.raises(ConflictError, match="already"):
        keys.revoke(db, adm, row.id)


def test_a_key_expires_at_its_moment(db, adm, clock):
    row, secret = make(db, adm, expires_at=clock() + timedelta(hours=1))
    assert check(db, secret).key_id == row.id
    clock.forward(hours=1)
    with pytest.raises(UnauthenticatedError, match="expired"):
        check(db, secret)
    assert keys.state(row, clock()) == "expired"


@pytest.mark.parametrize(
    ("scopes", "role"),
    [(["read"], Role.VIEWER), (["operate"], Role.OPERATOR), (["admin"], Role.OPERATOR)],
)
def test_a_key_acts_as_a_key_with_its_role(db, adm, scopes, role):
    _, secret = make(db, adm, scopes=scopes)
    actor = check(db, secret).actor
    assert (actor.name, actor.role, actor.kind) == ("key:shop", role, Kind.KEY)


@pytest.mark.parametrize(
    "how",
    [
        {"rate_limit": -1},
        {"rate_limit": 1_000_001},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 101},
        {"scopes": []},
        {"scopes": ["approve"]},
    ],
)
def test_a_key_that_makes_no_sense_is_refused(db, adm, how):
    with pytest.raises(InvalidInputError):
        make(db, adm, **how)


def test_a_key_that_would_have_expired_is_refused(db, adm, clock):
    with pytest.raises(InvalidInputError, match="later moment"):
        make(db, adm, expires_at=clock())


def test_only_an_admin_or_the_command_line_makes_keys(db, ana, apo, shell):
    make(db, shell)
    for actor in (ana, apo):
        with pytest.raises(ForbiddenError):
            make(db, actor)


def test_a_limit_is_kept_and_changed(db, adm):
    row, secret = make(db, adm, rate_limit=90)
    assert check(db, secret).rate_limit == 90
    keys.limit(db, adm, row.id, rate_limit=None)
    assert check(db, secret).rate_limit is None
    with db.read() as session:
        assert audit.tail(session)[0].detail["before"] == 90


def test_a_limit_that_makes_no_sense_changes_nothing(db, adm, ana):
    row, secret = make(db, adm, rate_limit=90)
    for wrong in (-1, 10**7):
        with pytest.raises(InvalidInputError, match="0 for none"):
            keys.limit(db, adm, row.id, rate_limit=wrong)
    with pytest.raises(ForbiddenError):
        keys.limit(db, ana, row.id, rate_limit=0)
    assert check(db, secret).rate_limit == 90
    keys.revoke(db, adm, row.id)
    with pytest.raises(ConflictError, match="revoked"):
        keys.limit(db, adm, row.id, rate_limit=1)
