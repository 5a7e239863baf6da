import asyncio
import threading
from contextlib import closing

import pytest

from core.errors import UnavailableError
from core.serving import aside
from core.serving.aside import Aside


def run(steps):
    """Run steps against a pool whose work takes a tenth of a second, going by the last ones."""

    async def all():
        with closing(Aside()) as pool:
            pool._seconds = 0.1
            return await steps(pool)

    return asyncio.run(all())


def crowd(pool, free, n, **how):
    return [asyncio.ensure_future(pool.run(free.wait, **how)) for _ in range(n)]


def test_who_would_wait_longer_than_half_a_second_is_told_to_come_back():
    async def steps(pool):
        free = threading.Event()
        taken = crowd(pool, free, 20)
        await asyncio.sleep(0.1)
        free.set()
        return await asyncio.gather(*taken, return_exceptions=True)

    said = run(steps)
    refused = [one for one in said if isinstance(one, UnavailableError)]
    room = aside.THREADS * aside.LONGEST_SECONDS / 0.1
    assert room <= len(said) - len(refused) <= room + aside.THREADS + 1
    assert refused[0].retry_after == 1


def test_a_stream_that_has_begun_waits_as_long_as_it_takes():
    async def steps(pool):
        free = threading.Event()
        taken = crowd(pool, free, 20, patient=True)
        await asyncio.sleep(0.05)
        assert pool.full
        free.set()
        return await asyncio.gather(*taken)

    assert run(steps) == [True] * 20


def test_what_fails_is_told_and_leaves_the_pool_as_it_was():
    async def steps(pool):
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 / 0)
        return await pool.run(lambda: pool._waiting)

    assert run(steps) == 0


def test_who_leaves_before_it_is_their_turn_keeps_no_place():
    async def steps(pool):
        free = threading.Event()
        taken = crowd(pool, free, 20, patient=True)
        await asyncio.sleep(0.05)
        for one in taken:
            one.cancel()
        await asyncio.gather(*taken, return_exceptions=True)
        free.set()
        return pool._waiting

    assert run(steps) == 0


def test_the_wait_is_reckoned_by_what_work_took_of_late():
    async def steps(pool):
        before = pool._seconds
        for _ in range(5):
            await pool.run(lambda: None)
        return before, pool._seconds

    before, after = run(steps)
    assert after < 0.7 * before
