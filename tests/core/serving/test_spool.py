import errno
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UnavailableError
from core.serving import durable, spool
from core.serving.frames import DamagedError, frame, frames
from core.serving.spool import Spool

RECORDS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=30)), max_size=6)


def content(folder):
    return b"".join(path.read_bytes() for path in spool.files(folder))


def read(folder):
    return [record for record, _ in frames(content(folder))]


def test_what_was_appended_is_read_back_in_order(tmp_path):
    log = Spool(tmp_path, max_bytes=1 << 20)
    log.append([{"n": 1}, {"n": 2}])
    log.append([{"n": 3}])
    assert [record["n"] for record in read(tmp_path)] == [1, 2, 3]


@given(records=RECORDS, cut=st.integers(0, 400))
def test_a_torn_end_loses_only_the_frame_that_was_torn(records, cut):
    written = [frame(record) for record in records]
    data = b"".join(written)[:cut]
    whole, length = 0, 0
    while whole < len(written) and length + len(written[whole]) <= len(data):
        length += len(written[whole])
        whole += 1
    assert [record for record, _ in frames(data)] == records[:whole]


def test_a_changed_byte_is_found():
    data = frame({"n": 1}) + frame({"n": 2})
    changed = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
    found = frames(changed)
    assert next(found)[0] == {"n": 1}
    with pytest.raises(DamagedError):
        next(found)


def test_a_file_is_owned_until_it_is_closed(tmp_path):
    log = Spool(tmp_path, max_bytes=1 << 20)
    log.append([{"n": 1}])
    (path,) = spool.files(tmp_path)
    assert spool.adopt(path) is None
    log.close()
    file = spool.adopt(path)
    assert file is not None
    os.close(file)


def test_a_full_file_is_given_up_and_the_next_one_begun(tmp_path):
    log = Spool(tmp_path, max_bytes=8 * 1024)
    for number in range(20):
        log.append([{"n": number, "pad": "x" * 200}])
    assert len(spool.files(tmp_path)) > 2
    assert sorted(record["n"] for record in read(tmp_path)) == list(range(20))


def test_at_the_bound_nothing_is_written_and_the_answer_is_try_later(tmp_path):
    log = Spool(tmp_path, max_bytes=4096)
    with pytest.raises(UnavailableError, match="full") as refused:
        for number in range(100):
            log.append([{"n": number, "pad": "x" * 100}])
    assert refused.value.retry_after > 0
    assert log.used_bytes() <= 4096
    for path in spool.files(tmp_path):
        path.unlink()
    log._measured_at = -1
    log.close()
    log.append([{"n": "again"}])


def test_two_processes_share_one_bound(tmp_path):
    first, second = Spool(tmp_path, max_bytes=8192), Spool(tmp_path, max_bytes=8192)
    with pytest.raises(UnavailableError):
        for _ in range(100):
            first.append([{"pad": "x" * 100}])
    with pytest.raises(UnavailableError):
        second.append([{"pad": "x" * 200}])


def test_a_full_disk_leaves_no_half_frame(tmp_path, monkeypatch):
    log = Spool(tmp_path, max_bytes=1 << 20)
    log.append([{"n": 1}])
    monkeypatch.setattr(spool.os, "write", filling_up(after=5))
    with pytest.raises(UnavailableError, match="cannot be written"):
        log.append([{"n": 2}])
    monkeypatch.undo()
    log.append([{"n": 3}])
    assert [record["n"] for record in read(tmp_path)] == [1, 3]


def test_whole_frames_that_a_full_disk_let_through_stay_because_they_may_be_moved_already(
    tmp_path, monkeypatch
):
    log = Spool(tmp_path, max_bytes=1 << 20)
    monkeypatch.setattr(spool.os, "write", filling_up(after=len(frame({"n": 1})) + 3))
    with pytest.raises(UnavailableError):
        log.append([{"n": 1}, {"n": 2}])
    monkeypatch.undo()
    log.append([{"n": 3}])
    found = [list(frames(path.read_bytes())) for path in spool.files(tmp_path)]
    assert sorted(record["n"] for ((record, _),) in found) == [1, 3]


def filling_up(*, after):
    real, calls = os.write, []

    def write(file, data):
        calls.append(1)
        if len(calls) == 1:
            return real(file, data[:after])
        raise OSError(errno.ENOSPC, "no space left on device")

    return write


def test_a_file_that_a_shipper_removes_before_it_is_owned_is_begun_again(tmp_path, monkeypatch):
    locked, removed = spool._locked, []

    def late(file):
        if not removed:
            (fresh,) = spool.unused(tmp_path)
            fresh.unlink()
            removed.append(fresh)
        return locked(file)

    monkeypatch.setattr(spool, "_locked", late)
    Spool(tmp_path, max_bytes=1 << 20).append([{"n": 1}])
    assert read(tmp_path) == [{"n": 1}]
    assert removed


def test_an_unreadable_folder_is_said_and_not_taken_for_an_empty_one(tmp_path):
    with pytest.raises(OSError):
        spool.files(tmp_path / "away")
    with pytest.raises(UnavailableError, match="away"):
        Spool(tmp_path / "away", max_bytes=4096).check()


@pytest.fixture
def disk(monkeypatch):
    """A disk whose `fdatasync` waits until it is let go, and may fail."""
    return Disk(monkeypatch)


class Disk:
    def __init__(self, monkeypatch):
        self.synced, self.go, self.error = [], threading.Event(), None
        monkeypatch.setattr(durable.os, "fdatasync", self.sync)

    def sync(self, file):
        size = os.fstat(file).st_size
        assert self.go.wait(10)
        if self.error:
            raise self.error
        self.synced.append(size)


def test_with_power_durability_an_answer_waits_for_the_disk(tmp_path, disk):
    log = Spool(tmp_path, max_bytes=1 << 20, power=True)
    pending = log.write([{"n": 1}])
    assert not pending.done()
    disk.go.set()
    assert pending.result(10) is None
    assert disk.synced == [len(frame({"n": 1}))]
    log.close()


def test_writers_that_come_while_the_disk_is_busy_share_the_next_sync(tmp_path, disk):
    log = Spool(tmp_path, max_bytes=1 << 20, power=True)
    pending = [log.write([{"n": number}]) for number in range(50)]
    disk.go.set()
    log.close()
    assert all(one.done() for one in pending)
    assert len(disk.synced) <= 2
    assert disk.synced[-1] == len(content(tmp_path))


def test_after_a_failed_sync_nobody_is_answered_and_the_file_is_given_up(tmp_path, disk):
    log = Spool(tmp_path, max_bytes=1 << 20, power=True)
    disk.error = OSError(errno.EIO, "input/output error")
    pending = [log.write([{"n": 1}]), log.write([{"n": 2}])]
    disk.go.set()
    for one in pending:
        with pytest.raises(UnavailableError, match="does not keep"):
            one.result(10)
    disk.error = None
    log.append([{"n": 3}])
    assert len(spool.files(tmp_path)) == 2
    log.close()
    assert all(os.close(spool.adopt(path)) is None for path in spool.files(tmp_path))


def test_many_threads_append_through_rotations_and_each_record_is_synced(tmp_path):
    log = Spool(tmp_path, max_bytes=1 << 17, power=True)
    threads = [
        threading.Thread(target=lambda n=n: [log.append([{"n": n, "i": i}]) for i in range(50)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert {(one["n"], one["i"]) for one in read(tmp_path)} == {
        (n, i) for n in range(8) for i in range(50)
    }


def test_what_was_set_aside_is_said_until_a_person_looked_after_it(tmp_path):
    log = Spool(tmp_path, max_bytes=4096)
    assert log.amiss() == []
    kept = tmp_path / f"x-40{spool.ASIDE}"
    kept.touch()
    assert "1 pieces" in log.amiss()[0]
    kept.unlink()
    assert log.amiss() == []
    assert "cannot be read" in spool.amiss(tmp_path / "away")[0]
