import errno
import os
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.clock import hour_of
from core.errors import UnavailableError
from core.serving import shipper, spool
from core.serving.spool import Spool
from core.tables.telemetry import HourlyCount, Prediction, SpoolPosition


@pytest.fixture
def log(settings):
    log = Spool(settings.folder("spool"), max_bytes=1 << 26)
    yield log
    log.close()


def answer(number, at, *, once=None, variant="control", latency=3.0, label="spam"):
    row = {
        "at": at.isoformat(),
        "id": f"id-{number:05}",
        "model": "spam",
        "version": "1.0.0",
        "variant": variant,
        "release_seq": 1,
        "is_shadow": variant == "shadow",
        "sample_key": number,
        "input": {"message": "hello"},
        "label": label,
        "probability": 0.9,
        "latency_ms": latency,
        "entity_id": None,
        "experiment": None,
        "key_id": "k",
    }
    return {"kind": "prediction", "once": once, "positive": label == "spam", "row": row}


def stored(db):
    with db.read() as session:
        return sorted(session.scalars(select(Prediction.id)))


def counter(db):
    with db.read() as session:
        return session.scalars(select(HourlyCount)).one()


def test_predictions_and_their_hourly_counters_arrive_together(db, settings, log, clock):
    log.append([answer(1, clock(), latency=0.5), answer(2, clock(), latency=70, label="ham")])
    assert shipper.ship(db, settings) == 2

    row = counter(db)
    assert stored(db) == ["id-00001", "id-00002"]
    assert (row.requests, row.positives, row.errors, row.hour) == (2, 1, 0, hour_of(clock()))
    assert (row.latency_ms_sum, row.latency_buckets) == (70.5, {"1": 1, "100": 1})


def test_an_owned_file_is_read_on_from_where_it_was(db, settings, log, clock):
    for number in range(3):
        log.append([answer(number, clock())])
        assert shipper.ship(db, settings) == 1
    assert len(spool.files(log.folder)) == 1
    assert counter(db).requests == 3


def test_only_a_pass_that_moved_everything_says_that_the_log_is_young(
    db, settings, log, clock, monkeypatch
):
    def away():
        raise UnavailableError("the database is away")

    log.append([answer(1, clock())])
    lock = log.folder / "shipper.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    with monkeypatch.context() as patched, pytest.raises(UnavailableError):
        patched.setattr(db, "append", away)
        shipper.ship(db, settings)
    assert lock.stat().st_mtime == 0
    shipper.ship(db, settings)
    assert lock.stat().st_mtime > 0


def test_a_file_that_is_moved_and_given_up_is_deleted(db, settings, log, clock):
    log.append([answer(1, clock())])
    log.close()
    shipper.ship(db, settings)
    assert spool.files(log.folder) == []
    with db.read() as session:
        assert session.scalars(select(SpoolPosition)).all() == []


def test_a_kill_while_a_moved_file_is_removed_leaves_nothing_behind(
    db, settings, log, clock, monkeypatch
):
    log.append([answer(1, clock())])
    log.close()
    with monkeypatch.context() as patch:
        patch.setattr(shipper.Shipper, "_forget", None)
        with pytest.raises(TypeError):
            shipper.ship(db, settings)
    assert shipper.ship(db, settings) == 0
    assert os.listdir(log.folder) == ["shipper.lock"]
    with db.read() as session:
        assert session.scalars(select(SpoolPosition)).all() == []


def test_a_file_keeps_its_position_until_its_new_name_is_on_the_disk(
    db, settings, log, clock, monkeypatch
):
    def refuse(_folder):
        raise OSError(errno.EIO, "the disk refuses")

    log.append([answer(1, clock())])
    log.close()
    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(spool, "sync_folder", refuse)
        shipper.ship(db, settings)
    with db.read() as session:
        assert session.scalars(select(SpoolPosition)).one().offset > 0
    shipper.ship(db, settings)
    assert os.listdir(log.folder) == ["shipper.lock"]


def test_a_torn_last_frame_is_cut_off(db, settings, log, clock):
    log.append([answer(1, clock()), answer(2, clock())])
    log.close()
    (path,) = spool.files(log.folder)
    os.truncate(path, path.stat().st_size - 3)
    shipper.ship(db, settings)
    assert (stored(db), spool.files(log.folder)) == (["id-00001"], [])


@pytest.mark.parametrize("place", [-2, 1], ids=["payload", "length"])
def test_around_damage_everything_is_moved_and_the_damage_is_kept_aside(
    db, settings, log, clock, place
):
    log.append([answer(1, clock())])
    start = log.used_bytes()
    log.append([answer(2, clock())])
    end = log.used_bytes()
    log.append([answer(3, clock())])
    log.close()
    (path,) = spool.files(log.folder)
    data = bytearray(path.read_bytes())
    data[(end if place < 0 else start) + place] ^= 0x40
    path.write_bytes(data)

    assert shipper.ship(db, settings) == 2

    (kept,) = spool.set_aside(log.folder)
    assert (stored(db), spool.files(log.folder)) == (["id-00001", "id-00003"], [])
    assert kept.read_bytes() == data[start:end]


def test_a_last_record_whose_length_was_changed_is_not_taken_for_a_torn_one(
    db, settings, log, clock
):
    log.append([answer(1, clock())])
    log.close()
    (path,) = spool.files(log.folder)
    data = bytearray(path.read_bytes())
    data[1] ^= 0x40
    path.write_bytes(data)
    shipper.ship(db, settings)
    (kept,) = spool.set_aside(log.folder)
    assert kept.read_bytes() == data


def test_damage_at_the_end_of_a_file_that_is_written_is_kept_when_more_follows(
    db, settings, log, clock
):
    log.append([answer(1, clock())])
    (path,) = spool.files(log.folder)
    with path.open("ab") as file:
        file.write(b"\0" * 40)
    assert (shipper.ship(db, settings), spool.set_aside(log.folder)) == (1, [])
    log.append([answer(2, clock())])
    assert (shipper.ship(db, settings), len(spool.set_aside(log.folder))) == (1, 1)
    assert stored(db) == ["id-00001", "id-00002"]


def test_a_record_that_the_database_refuses_is_set_aside_and_holds_nothing_up(
    db, settings, log, clock
):
    bad = answer(5, clock())
    bad["row"]["model"] = None
    log.append([*(answer(number, clock()) for number in range(5)), bad, answer(6, clock())])
    log.append([{"kind": "of another version"}, answer(7, clock())])
    while shipper.ship(db, settings):
        pass
    assert stored(db) == [f"id-{number:05}" for number in (0, 1, 2, 3, 4, 6, 7)]
    assert counter(db).requests == 7
    assert len(spool.set_aside(log.folder)) == 2


def test_an_idle_pass_asks_the_database_nothing(db, settings, log, clock, monkeypatch):
    shipping = shipper.Shipper(db, settings)
    log.append([answer(1, clock())])
    shipping.ship()
    monkeypatch.setattr(db, "read", None)
    monkeypatch.setattr(db, "append", None)
    assert shipping.ship() == 0


def test_a_clock_that_jumps_back_loses_nothing(db, settings, log, clock):
    log.append([answer(1, clock())])
    log.close()
    log.append([answer(2, clock() - timedelta(days=400))])
    shipper.ship(db, settings)
    assert stored(db) == ["id-00001", "id-00002"]
    with db.read() as session:
        assert sorted(session.scalars(select(HourlyCount.requests))) == [1, 1]


def test_the_same_records_twice_are_stored_and_counted_once(db, settings, log, clock):
    records = [answer(number, clock()) for number in range(5)]
    for _ in range(2):
        log.append([*records, records[0]])
        shipper.ship(db, settings)
    assert (len(stored(db)), counter(db).requests) == (5, 5)


def test_a_repeated_request_id_is_stored_once_also_later_and_from_another_process(
    db, settings, log, clock
):
    other = Spool(log.folder, max_bytes=1 << 20)
    for spool_, minutes in ((log, 0), (other, 0), (log, 7)):
        again = answer(1, clock() + timedelta(minutes=minutes), once="id-00001")
        spool_.append([again, again])
        shipper.ship(db, settings)
    other.close()
    assert (stored(db), counter(db).requests) == (["id-00001"], 1)


def test_a_fault_is_counted_and_not_stored(db, settings, log, clock):
    row = {"at": clock().isoformat(), "model": "spam", "version": "1.0.0", "variant": "control"}
    log.append([answer(1, clock()), {"kind": "fault", "row": row}])
    shipper.ship(db, settings)
    assert (counter(db).requests, counter(db).errors, len(stored(db))) == (2, 1, 1)


def test_of_two_shippers_one_works_and_the_other_does_nothing(db, settings, log, clock):
    log.append([answer(number, clock()) for number in range(2000)])
    moved, gate = [], threading.Barrier(3)

    def work():
        gate.wait()
        moved.append(shipper.ship(db, settings))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(moved) == 2000
    assert (len(stored(db)), counter(db).requests) == (2000, 2000)


def test_with_the_database_away_everything_waits_in_the_log(db, settings, log, clock, monkeypatch):
    log.append([answer(1, clock())])

    def away(*_):
        raise UnavailableError("the database does not answer")

    monkeypatch.setattr(shipper, "store", away)
    with pytest.raises(UnavailableError):
        shipper.ship(db, settings)
    monkeypatch.undo()
    assert shipper.ship(db, settings) == 1
    assert stored(db) == ["id-00001"]


def test_a_file_of_a_process_that_died_before_its_first_record_is_removed(db, settings, log):
    left = log.folder / "x.new"
    left.touch()
    shipper.ship(db, settings)
    assert not left.exists()


def test_the_loop_ships_once_more_when_it_is_stopped(db, settings, log, clock):
    log.append([answer(1, clock())])
    stop = threading.Event()
    stop.set()
    shipper.run(db, settings, stop)
    assert stored(db) == ["id-00001"]
