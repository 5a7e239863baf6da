import threading

import pytest

from core import keys, releases
from core.errors import UnauthenticatedError, UnavailableError
from core.serving import artifacts, service
from tests import serving_kit as kit


def version(serving, model="sms_spam"):
    return serving.board.served[model].champion.version


def test_a_new_release_serves_at_the_next_look(serving):
    kit.deploy(serving.db, serving.settings, "sms_spam", "2.0.0")
    assert version(serving) == "1.0.0"
    serving.refresh()
    assert version(serving) == "2.0.0"


def test_a_rollback_loads_nothing(serving, ana, monkeypatch):
    kit.deploy(serving.db, serving.settings, "sms_spam", "2.0.0")
    serving.refresh()
    releases.roll_back(serving.db, ana, "sms_spam", reason="test")
    monkeypatch.setattr(artifacts, "load", lambda *_: pytest.fail("it must still be warm"))
    serving.refresh()
    assert version(serving) == "1.0.0"


def test_only_the_last_two_idle_versions_stay_in_memory(serving):
    for number in range(2, 7):
        kit.deploy(serving.db, serving.settings, "sms_spam", f"{number}.0.0")
        serving.refresh()
    assert serving.loading.warm.versions("sms_spam") == ["4.0.0", "5.0.0", "6.0.0"]


def test_idle_versions_above_a_size_are_let_go_and_loaded_again_from_disk(settings, db, ana, clock):
    kit.apply_specs(db, ana)
    kit.deploy(db, settings, "sms_spam", "1.0.0")
    mine = settings.model_copy(update={"warm_trees_mb": 0})
    built = service.build(mine, clock)
    built.refresh()
    kit.deploy(db, settings, "sms_spam", "2.0.0")
    built.refresh()
    assert built.loading.warm.versions("sms_spam") == ["2.0.0"]
    releases.roll_back(db, ana, "sms_spam", reason="test")
    built.refresh()
    assert version(built) == "1.0.0"
    built.close()


def test_keys_are_followed_while_a_large_model_is_being_loaded(serving, adm, monkeypatch):
    loading, go_on = threading.Event(), threading.Event()

    def slowly(*_, **__):
        loading.set()
        assert go_on.wait(10)

    kit.deploy(serving.db, serving.settings, "sms_spam", "2.0.0")
    monkeypatch.setattr(serving.loading, "load", slowly)
    serving._first_look.set()
    serving._follow()
    assert loading.wait(10)
    _, secret = keys.create(serving.db, adm, name="shop", scopes=["predict"])
    serving._follow()
    assert serving.board.keys.check(secret, serving.clock()).name == "shop"
    go_on.set()


def test_a_damaged_artifact_changes_nothing_until_it_is_whole_again(serving):
    row = kit.register(serving.db, serving.settings, "sms_spam", "2.0.0", flipped=True)
    path = artifacts.path(serving.settings, row.artifact)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    kit.release(serving.db, "sms_spam", "2.0.0")
    serving.refresh()
    assert (version(serving), serving.loading.failures) == ("1.0.0", 1)
    assert "sms_spam" in serving.loading.problems

    path.write_bytes(whole)
    serving.loading.retry_now()
    serving.refresh()
    assert (version(serving), serving.loading.problems) == ("2.0.0", {})


def test_a_version_without_a_signature_changes_nothing(serving, release):
    release("sms_spam", "9.0.0")
    serving.refresh()
    assert version(serving) == "1.0.0"


def test_with_the_database_away_what_is_in_memory_serves_on(serving, monkeypatch):
    def away():
        raise UnavailableError("the database does not answer")

    monkeypatch.setattr(serving.db, "read", away)
    serving._try(serving.refresh)
    serving.ready()
    assert version(serving) == "1.0.0"


def test_a_key_is_known_and_forgotten_with_the_next_look(serving, adm):
    row, secret = keys.create(serving.db, adm, name="shop", scopes=["predict"])
    with pytest.raises(UnauthenticatedError):
        serving.board.keys.check(secret, serving.clock())
    serving.refresh()
    assert serving.board.keys.check(secret, serving.clock()).name == "shop"
    keys.revoke(serving.db, adm, row.id)
    serving.refresh()
    with pytest.raises(UnauthenticatedError):
        serving.board.keys.check(secret, serving.clock())


def test_the_default_is_the_preferred_text_model_not_the_first_model(settings, db, ana, clock):
    kit.apply_specs(db, ana)
    kit.deploy(db, settings, "heart_disease", "1.0.0")
    clock.forward(hours=1)
    kit.deploy(db, settings, "sms_spam", "1.0.0")
    built = service.build(settings, clock)
    built.refresh()
    assert list(built.board.served) == ["heart_disease", "sms_spam"]
    assert built.board.default.model == "sms_spam"
    built.close()


def test_it_is_not_ready_before_the_database_was_read(settings, db):
    with pytest.raises(UnavailableError, match="not reached"):
        service.build(settings).ready()


def test_the_threads_follow_by_themselves_and_end(serving, monkeypatch):
    serving.settings.release_poll_seconds = 0.05
    built = service.build(serving.settings, serving.clock)
    built.start()
    assert version(built) == "1.0.0"
    built.close()
    assert not any(thread.is_alive() for thread in built._threads)
