import shutil
import tempfile
import threading

import pytest

from core.serving import shipper
from tests.processes_kit import Api, House


@pytest.fixture
def house(database_url, tmp_path):
    """A data folder with released models, on SQLite and PostgreSQL in turn."""
    built = House(tmp_path, database_url)
    yield built
    built.db.engine.dispose()


@pytest.fixture
def api(house):
    begun = Api(house)
    yield begun
    if begun.process.poll() is None:
        begun.process.kill()
        begun.process.wait()


@pytest.fixture
def moving(house):
    """A shipper that runs meanwhile, and the function that ends it."""
    stop = threading.Event()
    thread = threading.Thread(target=shipper.run, args=(house.db, house.settings, stop))
    thread.start()

    def end():
        stop.set()
        thread.join()

    yield end
    end()


class Server:
    """A PostgreSQL server that can be stopped and started."""

    def __init__(self, server, folder):
        self._server, self._folder = server, folder
        self.url = server.get_uri()

    def run(self, *words):
        from pgserver._commands import pg_ctl

        how = {"pgdata": self._folder, "user": self._server.system_user, "timeout": 60}
        pg_ctl(["-w", "-l", f"{self._folder}/log", *words], **how)

    def start(self):
        """Start it again where it was: at its socket, and nowhere else."""
        self.run("-o", f'-h "" -k {self._folder}', "start")


@pytest.fixture
def own_server():
    import pathlib

    import pgserver

    folder = pathlib.Path(tempfile.mkdtemp(prefix="pilothouse-outage-"))
    server = pgserver.get_server(folder)
    ours = Server(server, folder)
    yield ours
    ours.run("-m", "immediate", "stop")  # whatever process it is by now
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
