import os

import pytest

from core.errors import InvalidInputError
from core.training.executors import LocalExecutor
from tests.core.training import executing


@pytest.fixture
def executor():
    """Two processes, started at once however small the work is."""
    local = LocalExecutor(2, worth_seconds=-1)
    yield local
    local.close()


class TestLocal(executing.Contract):
    pass


def test_small_work_stays_in_this_process():
    local = LocalExecutor(2)
    found = dict(local.run(executing.slow, 0, [1, 2]))
    assert set(found.values()) == {os.getpid()}


def test_large_work_is_shared_by_processes_that_end_with_it(executor):
    found = dict(executor.run(executing.slow, 0, list(range(6))))
    others = set(found.values()) - {os.getpid()}
    assert len(others) == 2
    executor.close()
    for process in others:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_processes_that_keep_dying_are_one_sentence():
    local = LocalExecutor(2, worth_seconds=-1)
    local._sent, _ = 0, local._start(0)
    with pytest.raises(InvalidInputError, match="killed 3 times, most likely for want of memory"):
        list(local.run(executing.die, 0, [1, 2]))
