"""An api process starts and serves while the database is away, from a file that nobody forged."""

import threading

import pytest

from core import keys, predictions
from core.errors import UnauthenticatedError, UnavailableError
from core.keys import Caller
from core.serving import artifacts, predict, service, shipper, snapshot
from core.serving import board as boards
from core.serving.snapshot import Snapshots
from tests import serving_kit as kit

CALLER = Caller("key-1", "shop", frozenset({"predict"}))
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def secret(db, adm):
    return keys.create(db, adm, name="shop", scopes=["predict"])[1]


@pytest.fixture
def file(secret, serving):
    """The snapshot of a process that read two models and a key."""
    serving.refresh()
    return serving.snapshots.path


@pytest.fixture
def away(settings, clock, file):
    """What `start` makes of a process that cannot reach its database."""
    processes = []

    def begin(**changed):
        mine = settings.model_copy(update=changed)
        processes.append(built := service.build(mine, clock))

        def refuse():
            raise UnavailableError("the database does not answer; it is tried again")

        built.db.read = refuse
        built.start()
        return built

    yield begin
    for built in processes:
        built.close()


@pytest.fixture
def later(monkeypatch):
    """Let seconds pass for the snapshot file."""

    def put(seconds):
        then = snapshot.monotonic() + seconds
        monkeypatch.setattr(snapshot, "monotonic", lambda: then)

    return put


def ask(built):
    return predict.predict(built, CALLER, predict.Request(message="win a free prize"))


def test_a_process_that_cannot_reach_the_database_serves_what_served_before(away, secret, clock):
    built = away()
    built.ready()
    assert built.board.keys.check(secret, clock()).name == "shop"
    assert built.board.people["ana"].role == "operator"
    assert ask(built)["prediction"] == "spam"
    assert list(built.board.served) == ["heart_disease", "sms_spam"]


@ONE_DATABASE
def test_a_missing_database_file_does_not_keep_it_from_starting(file, settings, clock):
    (settings.root / "pilothouse.db").rename(settings.root / "elsewhere.db")
    built = service.build(settings, clock)
    built.start()
    built.ready()
    assert built.degraded()[0].startswith("there is no database at pilothouse.db")
    built.close()


@ONE_DATABASE
def test_a_database_that_refuses_connections_does_not_keep_it_from_starting(
    file, serving, settings, clock
):
    mine = settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/pilothouse"})
    sources = [serving._sources[name] for name in serving.board.served]
    Snapshots(mine).keep(serving.board, sources, clock())
    built = service.build(mine, clock)
    built.start()
    built.ready()
    assert built.degraded()[0].startswith("the database does not answer")
    built.close()


def test_what_it_answers_then_is_stored_when_the_database_is_back(away, db, settings):
    built = away()
    answered = ask(built)["prediction_id"]
    built.spool.close()
    shipper.ship(db, settings)
    with db.read() as session:
        assert [row.id for row in predictions.recent(session, "sms_spam", 10)] == [answered]


def test_it_says_that_it_is_degraded_and_since_when(away):
    (why,) = away().degraded()
    assert why.startswith("the database does not answer")
    assert why.endswith("what was read at 2030-01-01 12:00:00 UTC serves")


def test_the_database_takes_over_as_soon_as_it_answers(away, db, settings):
    built = away()
    kit.deploy(db, settings, "sms_spam", "2.0.0")
    del built.db.read
    built.refresh()
    assert built.board.served["sms_spam"].champion.version == "2.0.0"
    assert built.degraded() == []


def test_what_the_database_says_later_counts_also_under_the_same_number(away, serving, db):
    other = kit.register(db, serving.settings, "sms_spam", "2.0.0")
    with db.read() as session:
        _, (told,) = boards.newest(session, seen={"heart_disease": 1})
    told.versions["2.0.0"] = other
    told.release.arms = [{"version": "2.0.0", "variant": "control", "weight": 1000}]
    serving.snapshots.keep(serving.board, [told], serving.clock())
    built = away()
    assert built.board.served["sms_spam"].champion.version == "2.0.0"
    del built.db.read
    built.refresh()
    assert built.board.served["sms_spam"].champion.version == "1.0.0"


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: data[:-1], "changed or cut"),
        (lambda data: data[:20], "changed or cut"),
        (lambda data: b"", "changed or cut"),
        (lambda data: data.replace(b"predict", b"operate"), "changed or cut"),
    ],
)
@ONE_DATABASE
def test_a_changed_or_cut_snapshot_counts_like_none(file, away, damage, why):
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UnavailableError, match=f"not reached since the start.*{why}"):
        away().ready()


@ONE_DATABASE
def test_a_missing_snapshot_is_said(file, away):
    file.unlink()
    with pytest.raises(UnavailableError, match="there is no snapshot of an earlier time"):
        away().ready()


@ONE_DATABASE
def test_the_snapshot_of_another_installation_or_database_counts_like_none(away):
    with pytest.raises(UnavailableError, match="another PILOTHOUSE_SECRET_KEY"):
        away(secret_key=None).ready()
    with pytest.raises(UnavailableError, match="taken from another database"):
        away(database_url="postgresql://elsewhere/pilothouse").ready()


@ONE_DATABASE
def test_a_snapshot_of_an_older_format_counts_like_none(serving, away, monkeypatch):
    monkeypatch.setattr(snapshot, "_FORMAT", b"pilothouse serving snapshot 0\n")
    Snapshots(serving.settings).keep(serving.board, [], serving.clock())
    monkeypatch.undo()
    with pytest.raises(UnavailableError, match="another release of the product"):
        away().ready()


@ONE_DATABASE
def test_a_snapshot_older_than_allowed_or_from_the_future_counts_like_none(away, clock):
    clock.forward(hours=24, seconds=1)
    with pytest.raises(UnavailableError, match="older than 24 hours"):
        away().ready()
    clock.forward(hours=-24, minutes=-6)
    with pytest.raises(UnavailableError, match="from the future"):
        away().ready()


@ONE_DATABASE
def test_a_clock_that_is_a_little_behind_does_no_harm(away, clock):
    clock.forward(minutes=-4)
    away().ready()


@ONE_DATABASE
def test_what_a_snapshot_said_ends_at_its_age_not_at_that_of_the_process(away, clock, monkeypatch):
    clock.forward(hours=23)
    built = away()
    passed = service.monotonic() + 3_590
    monkeypatch.setattr(service, "monotonic", lambda: passed)
    built.ready()
    monkeypatch.setattr(service, "monotonic", lambda: passed + 20)
    with pytest.raises(UnavailableError, match="not reached for 24 hours"):
        built.ready()


@ONE_DATABASE
def test_a_database_that_keeps_a_question_waiting_is_told_of_and_trusted_for_so_long_only(
    file, settings, clock, monkeypatch
):
    built, asked, go = service.build(settings, clock), threading.Event(), threading.Event()
    built.start()

    def stall():
        asked.set()
        go.wait(10)
        raise UnavailableError("the database does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(built.db, "read", stall)
        assert asked.wait(10)
        now = service.monotonic()
        patched.setattr(service, "monotonic", lambda: now + 20)
        built.ready()
        assert built.degraded()[0].startswith("the database keeps this process waiting")
        patched.setattr(service, "monotonic", lambda: now + 24 * 3600 + 20)
        with pytest.raises(UnavailableError, match="not reached for 24 hours"):
            built.ready()
        go.set()
        built.close()


@ONE_DATABASE
@pytest.mark.parametrize(
    ("after", "changed", "written"),
    [
        (1, False, False),
        (snapshot.LOOK_AGAIN_SECONDS, False, False),
        (snapshot.LOOK_AGAIN_SECONDS, True, True),
        (snapshot.WRITE_AGAIN_SECONDS, False, True),
    ],
)
def test_it_is_written_when_keys_changed_and_else_every_few_minutes(
    file, serving, adm, later, after, changed, written
):
    before = file.stat().st_mtime_ns
    if changed:
        keys.create(serving.db, adm, name="other", scopes=["read"])
    later(after)
    serving.refresh()
    assert (file.stat().st_mtime_ns > before) is written


@ONE_DATABASE
def test_a_release_is_written_at_once(serving, file):
    before = file.stat().st_mtime_ns
    kit.deploy(serving.db, serving.settings, "sms_spam", "2.0.0")
    serving.refresh()
    assert file.stat().st_mtime_ns > before


@ONE_DATABASE
def test_it_holds_no_secret_and_only_its_owner_may_read_it(file, secret, settings):
    data = file.read_bytes()
    assert secret.encode() not in data
    assert settings.secret_key.get_secret_value().encode() not in data
    assert file.stat().st_mode & 0o777 == 0o600


@ONE_DATABASE
def test_a_revoked_key_is_not_in_the_next_snapshot(serving, file, adm, secret, away, clock, later):
    keys.revoke(serving.db, adm, next(iter(serving.board.keys.rows)))
    later(snapshot.LOOK_AGAIN_SECONDS)
    serving.refresh()
    with pytest.raises(UnauthenticatedError):
        away().board.keys.check(secret, clock())


@ONE_DATABASE
def test_a_disk_that_refuses_the_snapshot_is_said_and_does_not_stop_serving(
    serving, file, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device", "/data/x")

    monkeypatch.setattr(snapshot.os, "fsync", full)
    kit.deploy(serving.db, serving.settings, "sms_spam", "2.0.0")
    serving.refresh()
    serving.ready()
    assert serving.board.served["sms_spam"].champion.version == "2.0.0"
    assert serving.degraded() == [
        "the snapshot for starts without the database is not written: No space left on device"
    ]
    assert [path.name for path in file.parent.iterdir()] == ["snapshot"]


@ONE_DATABASE
def test_after_a_restart_the_last_good_release_stands_in_for_a_damaged_one(
    serving, file, settings, clock
):
    row = kit.register(serving.db, settings, "sms_spam", "2.0.0", flipped=True)
    kit.release(serving.db, "sms_spam", "2.0.0")
    artifacts.path(settings, row.artifact).write_bytes(b"cut")
    built = service.build(settings, clock)
    built.refresh()
    assert built.board.served["sms_spam"].champion.version == "1.0.0"
    assert "was changed or cut" in built.loading.problems["sms_spam"]
    built.close()


@ONE_DATABASE
def test_how_features_are_derived_and_looked_up_is_part_of_it(
    db, settings, ana, serving, monkeypatch, away
):
    kit.share_features(db, ana, monkeypatch)
    kit.deploy(db, settings, "heart_disease", "2.0.0")
    serving.refresh()
    kept = away().board.served["heart_disease"].completions
    assert kept == serving.board.served["heart_disease"].completions
    assert kept["2.0.0"].looked_up == {"age@1"}
