import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UnavailableError
from core.serving import spool
from core.serving.spool import Spool

RECORDS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=30)), max_size=6)


def content(folder):
    return b"".join(path.read_bytes() for path in spool.files(folder))


def read(folder):
    return [record for record, _ in spool.frames(content(folder))]


def test_what_was_appended_is_read_back_in_order(tmp_path):
    log = Spool(tmp_path, max_bytes=1 << 20)
    log.append([{"n": 1}, {"n": 2}])
    log.append([{"n": 3}])
    assert [record["n"] for record in read(tmp_path)] == [1, 2, 3]


@given(records=RECORDS, cut=st.integers(0, 400))
def test_a_torn_end_loses_only_the_frame_that_was_torn(records, cut):
    frames = [spool.frame(record) for record in records]
    data = b"".join(frames)[:cut]
    whole, length = 0, 0
    while whole < len(frames) and length + len(frames[whole]) <= len(data):
        length += len(frames[whole])
        whole += 1
    assert [record for record, _ in spool.frames(data)] == records[:whole]


def test_a_changed_byte_is_found():
    data = spool.frame({"n": 1}) + spool.frame({"n": 2})
    changed = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
    frames = spool.frames(changed)
    assert next(frames)[0] == {"n": 1}
    with pytest.raises(spool.DamagedError):
        next(frames)


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
    real, calls = os.write, []

    def almost_full(file, data):
        calls.append(1)
        if len(calls) == 1:
            return real(file, data[:5])
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(spool.os, "write", almost_full)
    with pytest.raises(UnavailableError, match="cannot be written"):
        log.append([{"n": 2}])
    monkeypatch.undo()
    log.append([{"n": 3}])
    assert [record["n"] for record in read(tmp_path)] == [1, 3]
