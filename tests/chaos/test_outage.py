"""The database goes away and comes back; what was answered meanwhile arrives."""

import signal
import threading
import time

import pytest
from sqlalchemy import func, select

from core.answers import Stretch
from core.clock import utc_now
from core.db import Database
from core.errors import UnavailableError
from core.monitoring import windows
from core.serving import shipper
from core.serving.spool import Spool
from core.tables import Table
from core.tables.telemetry import HourlyCount, Prediction
from tests.chaos import victims
from tests.chaos.clients import Clients
from tests.conftest import settings_for
from tests.core.monitoring import test_windows
from tests.processes_kit import Api, House, ask

pytestmark = [pytest.mark.processes, pytest.mark.chaos, pytest.mark.timeout(900)]
RESTARTS, STOPPED_SECONDS = 20, 10


def test_postgresql_restarted_twenty_times_loses_nothing_and_is_found_again(own_server, tmp_path):
    settings, db = tables(own_server, tmp_path)
    log = Spool(settings.folder("spool"), max_bytes=1 << 28)
    said, stop, recovered = [], threading.Event(), []

    def write():
        while not stop.wait(0.002):
            record = victims.answer(0, len(said))
            log.append([record])
            said.append(record["row"]["id"])

    threads = [
        threading.Thread(target=write),
        threading.Thread(target=shipper.run, args=(db, settings, stop)),
    ]
    for thread in threads:
        thread.start()
    for mode in ("immediate", "fast") * (RESTARTS // 2):
        time.sleep(0.5)
        own_server.run("-m", mode, "restart")
        start, newest = time.monotonic(), said[-1]
        while not is_stored(db, newest):
            time.sleep(0.05)
            assert time.monotonic() - start < 30
        recovered.append(time.monotonic() - start)
    stop.set()
    for thread in threads:
        thread.join()
    log.close()
    while shipper.ship(db, settings):
        pass
    with db.read() as session:
        stored = list(session.scalars(select(Prediction.id)))
        counted = session.scalar(select(func.sum(HourlyCount.requests)))
    db.engine.dispose()
    print(
        f"{RESTARTS} restarts: {len(said)} said, {len(set(said) - set(stored))} missing, "
        f"{len(stored) - len(set(stored))} twice, recovery {max(recovered):.1f} s at most"
    )
    assert sorted(stored) == sorted(said)
    assert counted == len(said)
    assert max(recovered) < 10


def tables(server, folder):
    settings = settings_for(server.url, folder)
    db = Database(settings, utc_now)
    db.create()
    Table.metadata.create_all(db.engine)
    return settings, db


def is_stored(db, key):
    try:
        with db.read() as session:
            return session.scalars(select(Prediction.id).filter_by(id=key)).first() is not None
    except UnavailableError:
        return False


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_predictions_go_on_while_sqlite_is_locked_for_half_a_minute(house, api, moving):
    with Clients(api, per_second=200) as clients:
        with house.db.engine.connect() as holder:
            holder.exec_driver_sql("PRAGMA locking_mode")  # begins a transaction
            holder.exec_driver_sql("ROLLBACK")
            holder.exec_driver_sql("BEGIN EXCLUSIVE")
            time.sleep(30)
            holder.exec_driver_sql("ROLLBACK")
            holder.exec_driver_sql("BEGIN")
        time.sleep(3)
    moving()
    missing = clients.answers.keys() - house.stored()
    print(f"{len(clients.answers)} answered, {clients.failed} failed, {len(missing)} missing")
    assert (clients.failed, missing) == (0, set())


@pytest.fixture
def beside(own_server, tmp_path):
    """A house on a PostgreSQL server of its own, and an api process."""
    tables(own_server, tmp_path)[1].engine.dispose()
    built = House(tmp_path, own_server.url)
    api = Api(built)
    yield built, api
    api.end(signal.SIGKILL)
    built.db.engine.dispose()


def test_predictions_go_on_while_postgresql_is_stopped(own_server, beside):
    house, api = beside
    with Clients(api, per_second=200) as clients:
        time.sleep(2)
        own_server.run("-m", "immediate", "stop")
        time.sleep(STOPPED_SECONDS)
        told = ask(f"{api.url}/health/ready")
        own_server.start()
        time.sleep(3)
    missing = clients.answers.keys() - house.stored()
    print(f"{len(clients.answers)} answered, {clients.failed} failed, {len(missing)} missing")
    assert (clients.failed, missing) == (0, set())
    assert (told[0], "degraded" in told[1]) == (200, True)


@pytest.mark.parametrize("size", [10_000])
def test_a_window_of_a_million_costs_what_one_of_ten_thousand_does(db, size):
    def cost(n):
        test_windows.fill(db, n, every=0.01, version=str(n))
        with db.read() as session:
            of = Stretch("spam", str(n), test_windows.START)
            total = windows.waiting(session, of)
            spent = [used(db, session, of, total) for _ in range(5)]
        print(f"{n}: {min(spent) * 1000:.1f} ms of CPU for {total} waiting")
        return min(spent)

    small, large = cost(size), cost(size * 100)
    assert large < 1.5 * small


def used(db, session, of, total):
    """CPU seconds here and at the server to read a window's sample."""
    session.expunge_all()
    before = time.process_time() + server_seconds(db, session)
    windows.waiting(session, of)
    rows = windows.behind(session, of, n=total, total=total).rows
    assert len(rows) == windows.MOST_ROWS
    return time.process_time() + server_seconds(db, session) - before


def server_seconds(db, session):
    if not db.is_postgresql:
        return 0.0
    import psutil

    found = psutil.Process(session.scalar(select(func.pg_backend_pid()))).cpu_times()
    return found.user + found.system
