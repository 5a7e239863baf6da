"""Real api processes under load: killed, switched, and watched for minutes."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from sqlalchemy import func, select

from core import releases
from core.access import local
from core.tables.telemetry import HourlyCount, Prediction
from tests import serving_kit as kit
from tests.chaos.clients import Clients
from tests.processes_kit import Api

pytestmark = [pytest.mark.processes, pytest.mark.chaos, pytest.mark.timeout(1500)]
KILLS, AT_ONCE, THREADS = 50, 2, 3
SWITCHES, SECONDS_EACH = 5, 6
SOAK_SECONDS, SETTLED_SECONDS = 600, 60
MEBI = 1 << 20


def test_no_answer_is_lost_when_an_api_is_killed_fifty_times(house, moving):
    lengths = random.Random(4)

    def killed(_round):
        api = Api(house)
        with Clients(api, per_second=600, threads=THREADS) as clients:
            time.sleep(lengths.uniform(0.05, 1.0))
            api.end(signal.SIGKILL)
            clients.stop()
        return set(clients.answers)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answered = set().union(*pool.map(killed, range(KILLS)))
    moving()
    stored = house.stored()
    rows, requests = totals(house)
    print(
        f"{KILLS} kills: {len(answered)} answered, {rows} stored, "
        f"{len(answered - stored)} missing, {rows - len(stored)} twice, {requests} counted"
    )
    assert len(answered) > 20 * KILLS
    assert answered <= stored
    assert rows == len(stored) == requests <= len(answered) + THREADS * KILLS


def test_five_releases_and_rollbacks_fail_no_request(house, api, moving):
    for number in range(2, SWITCHES + 2):
        kit.register(house.db, house.settings, "sms_spam", f"{number}.0.0", flipped=number % 2 == 0)
    with Clients(api, per_second=500) as clients:
        for number in range(2, SWITCHES + 2):
            time.sleep(SECONDS_EACH)
            kit.release(house.db, "sms_spam", f"{number}.0.0")
            time.sleep(SECONDS_EACH)
            releases.roll_back(house.db, local("tester"), "sms_spam", reason="practice")
    moving()
    served, stored = set(clients.answers.values()), house.stored()
    n, seconds = sum(clients.statuses.values()), 2 * SWITCHES * SECONDS_EACH
    print(
        f"{n} requests in {seconds} s, {clients.failed} failed, "
        f"versions {', '.join(sorted(served))}, {len(clients.answers.keys() - stored)} missing"
    )
    assert clients.failed == 0
    assert n > 250 * seconds  # 500 a second, where nothing else runs
    assert clients.answers.keys() <= stored
    assert len(served) == SWITCHES + 1


def test_ten_minutes_of_load_take_no_more_memory(house, api, moving):
    process = psutil.Process(api.process.pid)
    with Clients(api, per_second=300) as clients:
        time.sleep(SETTLED_SECONDS)
        before = process.memory_info().rss
        time.sleep(SOAK_SECONDS)
        grown = (process.memory_info().rss - before) / MEBI
    n = sum(clients.statuses.values())
    print(f"{n} requests, {clients.failed} failed, RSS {before / MEBI:.0f} MB and {grown:+.1f} MB")
    assert clients.failed == 0
    assert grown < 20


def totals(house):
    """The number of stored rows, and what the hourly counters say."""
    with house.db.read() as session:
        rows = session.scalar(select(func.count()).select_from(Prediction))
        return rows, session.scalar(select(func.sum(HourlyCount.requests)))
