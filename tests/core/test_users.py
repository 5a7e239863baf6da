import threading
import time
from contextlib import suppress

import pytest
from sqlalchemy import func, select

from core import audit, users
from core.access import Actor, Role, system
from core.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from core.tables.access import User
from core.tables.operational import PersonSession, SignInCounter

PASSWORD = "correct horse 9"


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch):
    monkeypatch.setattr(users, "ROUNDS", 4)
    users._dummy_hash.cache_clear()
    yield
    users._dummy_hash.cache_clear()


@pytest.fixture
def eve(db, adm):
    return users.create(db, adm, name="eve", role="operator", password=PASSWORD)


def sign_in(db, user, hours=1.0):
    return users.start_session(db, user, via="panel", hours=hours)


def wrong(db, name="eve", times=1):
    for _ in range(times):
        with pytest.raises(UnauthenticatedError):
            users.check(db, name, "not the password")


def test_a_created_person_signs_in_under_any_spelling_of_the_name(db, eve):
    assert users.check(db, " Eve ", PASSWORD).name == "eve"


def test_the_password_is_not_stored(db, eve):
    with db.read() as session:
        assert PASSWORD not in session.get(User, "eve").password_hash


def test_only_an_admin_adds_people(db, apo):
    with pytest.raises(ForbiddenError):
        users.create(db, apo, name="eve", role="viewer", password=PASSWORD)


def test_the_first_start_may_add_a_person(db):
    assert users.create(db, system("bootstrap"), name="eve", role=Role.ADMIN, password=PASSWORD)


def test_a_name_is_given_once(db, adm, eve):
    with pytest.raises(ConflictError, match="already"):
        users.create(db, adm, name="EVE", role="viewer", password=PASSWORD)


@pytest.mark.parametrize("name", ["", "a b", "../x", "a" * 65, "é"])
def test_a_bad_name_is_refused(db, adm, name):
    with pytest.raises(InvalidInputError, match="name"):
        users.create(db, adm, name=name, role="viewer", password=PASSWORD)


@pytest.mark.parametrize(
    "password", ["short", " spaced at the start", "x" * 73, "nul\0nul nul", ""]
)
def test_a_bad_password_is_refused(db, adm, password):
    with pytest.raises(InvalidInputError, match="password"):
        users.create(db, adm, name="eve", role="viewer", password=password)


def test_an_unknown_role_is_refused_with_the_known_ones(db, adm):
    with pytest.raises(InvalidInputError, match="viewer, operator, approver, admin"):
        users.create(db, adm, name="eve", role="king", password=PASSWORD)


def test_a_wrong_password_and_an_unknown_name_say_the_same(db, eve):
    with pytest.raises(UnauthenticatedError) as known:
        users.check(db, "eve", "not the password")
    with pytest.raises(UnauthenticatedError) as unknown:
        users.check(db, "nobody", "not the password")
    assert str(known.value) == str(unknown.value)


def test_an_unknown_name_takes_as_long_as_a_known_one(db, adm, monkeypatch):
    monkeypatch.setattr(users, "ROUNDS", 10)
    users.create(db, adm, name="eve", role="operator", password=PASSWORD)
    wrong(db, "nobody")

    assert quickest(db, "nobody") > quickest(db, "eve") * 0.7


def quickest(db, name):
    def once():
        start = time.thread_time()
        wrong(db, name)
        return time.thread_time() - start

    return min(once() for _ in range(3))


def test_five_wrong_tries_lock_the_name_even_for_the_right_password(db, eve):
    wrong(db, times=5)
    with pytest.raises(UnauthenticatedError):
        users.check(db, "eve", PASSWORD)


def test_the_lock_opens_by_itself(db, eve, clock):
    wrong(db, times=5)
    clock.forward(minutes=6)
    assert users.check(db, "eve", PASSWORD)


def test_after_the_lock_there_are_five_tries_again(db, eve, clock):
    wrong(db, times=5)
    clock.forward(minutes=6)
    wrong(db, times=4)
    assert users.check(db, "eve", PASSWORD)


def test_a_right_password_clears_the_count(db, eve):
    for _ in range(2):
        wrong(db, times=4)
        assert users.check(db, "eve", PASSWORD)


def test_wrong_passwords_are_counted_but_not_audited(db, eve):
    wrong(db, times=2)
    with db.read() as session:
        assert session.get(SignInCounter, "eve").failures == 2
        assert [row.action for row in audit.tail(session, actor="eve")] == []


def test_guessing_names_cannot_fill_the_counters(db, monkeypatch):
    monkeypatch.setattr(users, "_UNKNOWN_COUNTERS", 2)
    for guess in range(6):
        wrong(db, f"guess{guess}")
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(SignInCounter)) <= 2


@pytest.mark.parametrize("password", ["x" * 200, "\ud800", "nul\0nul", ""])
def test_an_unreadable_password_is_simply_wrong(db, eve, password):
    with pytest.raises(UnauthenticatedError):
        users.check(db, "eve", password)


def test_a_sign_in_names_the_person_and_is_audited(db, eve):
    token = sign_in(db, eve)

    assert users.by_session(db, token).name == "eve"
    with db.read() as session:
        assert audit.tail(session, actor="eve")[0].action == "session.start"


def test_the_token_is_not_stored(db, eve):
    token = sign_in(db, eve)
    with db.read() as session:
        assert session.get(PersonSession, token) is None


def test_a_sign_in_expires(db, eve, clock):
    token = sign_in(db, eve, hours=1)
    clock.forward(hours=1)
    assert users.by_session(db, token) is None


def test_signing_out_ends_the_sign_in_once(db, eve):
    token = sign_in(db, eve)
    users.end_session(db, token)
    users.end_session(db, token)

    assert users.by_session(db, token) is None
    with db.read() as session:
        assert len(audit.tail(session, action="session.end")) == 1


def test_an_invented_token_is_nobody(db):
    assert users.by_session(db, "x\ud800") is None


def test_the_role_is_the_one_the_person_has_now(db, eve, adm):
    token = sign_in(db, eve)
    users.set_role(db, adm, "eve", Role.APPROVER)
    assert users.by_session(db, token).role == Role.APPROVER


def test_switching_an_account_off_signs_it_out(db, eve, adm):
    token = sign_in(db, eve)
    users.set_active(db, adm, "eve", active=False)
    users.set_active(db, adm, "eve", active=True)

    assert users.by_session(db, token) is None


def test_a_switched_off_account_cannot_sign_in(db, eve, adm):
    users.set_active(db, adm, "eve", active=False)
    with pytest.raises(UnauthenticatedError):
        users.check(db, "eve", PASSWORD)


def test_signing_out_everywhere_ends_all_sign_ins(db, eve):
    tokens = [sign_in(db, eve) for _ in range(3)]
    me = users.by_session(db, tokens[0])

    assert users.end_all_sessions(db, me) == 3
    assert {users.by_session(db, token) for token in tokens} == {None}


def test_nobody_but_an_admin_signs_others_out(db, ana, adm, eve):
    sign_in(db, eve)
    with pytest.raises(ForbiddenError):
        users.end_all_sessions(db, ana, "eve")
    assert users.end_all_sessions(db, adm, "eve") == 1


def test_changing_the_password_needs_the_old_one_and_ends_sign_ins(db, eve):
    token = sign_in(db, eve)
    me = users.by_session(db, token)
    with pytest.raises(UnauthenticatedError):
        users.change_password(db, me, "eve", old="wrong", new="another horse 9")

    users.change_password(db, me, "eve", old=PASSWORD, new="another horse 9")

    assert users.by_session(db, token) is None
    assert users.check(db, "eve", "another horse 9")


def test_only_an_admin_resets_a_password(db, eve, ana, adm):
    with pytest.raises(ForbiddenError):
        users.reset_password(db, ana, "eve", new="another horse 9")
    users.reset_password(db, adm, "eve", new="another horse 9")
    assert users.check(db, "eve", "another horse 9")


def test_of_two_admins_who_demote_each_other_at_once_one_stays(db, adm, monkeypatch):
    users.create(db, adm, name="bea", role=Role.ADMIN, password=PASSWORD)
    both = threading.Barrier(2)
    pairs = ((adm, "bea"), (Actor("bea", Role.ADMIN), "adm"))
    count = users._keep_one_admin

    def count_together(session):
        with suppress(threading.BrokenBarrierError):
            both.wait(1)  # where nothing holds the second change back, both count at once
        count(session)

    monkeypatch.setattr(users, "_keep_one_admin", count_together)
    outcomes = []

    def demote(who, whom):
        try:
            users.set_role(db, who, whom, Role.VIEWER)
            outcomes.append("done")
        except (ConflictError, ForbiddenError):
            outcomes.append("refused")

    threads = [threading.Thread(target=demote, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "refused"]
    with db.read() as session:
        assert len([user for user in users.all(session) if user.role == Role.ADMIN]) == 1


def test_the_last_admin_stays(db, adm):
    with pytest.raises(ConflictError, match="last active admin"):
        users.set_role(db, adm, "adm", Role.VIEWER)
    with pytest.raises(ConflictError, match="last active admin"):
        users.set_active(db, adm, "adm", active=False)


def test_an_unknown_person_is_named(db, adm):
    with pytest.raises(NotFoundError, match="nobody"):
        users.set_role(db, adm, "nobody", Role.VIEWER)


def test_everybody_is_listed_with_the_last_sign_in(db, eve, clock):
    sign_in(db, eve)
    with db.read() as session:
        assert [user.name for user in users.all(session)] == ["adm", "ana", "apo", "eve", "vic"]
        assert users.last_sign_ins(session) == {"eve": clock.now}
