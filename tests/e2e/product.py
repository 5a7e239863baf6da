"""The whole product as its users start it, for tests that look at it from outside."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from xmlrpc.client import Fault, ServerProxy

import httpx
from supervisor.xmlrpc import SupervisorTransport

ROOT = Path(__file__).parents[2]
PASSWORD = "a-long-password-for-tests"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Product:
    """`make run` with a data folder and ports of its own."""

    def __init__(self, home: Path, data: Path | None, **settings: str) -> None:
        self.home = home
        self.ports = {name: free_port() for name in ("api", "panel", "mlflow")}
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PILOTHOUSE_", "MLFLOW_", "OPENAI_", "PYTHONDONTWRITE"))
        }
        self.env |= {
            "PILOTHOUSE_HOME": str(home),
            "PILOTHOUSE_ADMIN_PASSWORD": PASSWORD,
            "PILOTHOUSE_OFFLINE": "true",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **{f"PILOTHOUSE_{name.upper()}_PORT": str(p) for name, p in self.ports.items()},
            **({"PILOTHOUSE_DATA_DIR": str(data)} if data else {}),
            **settings,
        }
        self.output = home / "output.log"
        self.make: subprocess.Popen | None = None

    def start(self, *command: str) -> "Product":
        """Run `make run`, or one command in the same surroundings."""
        self.make = subprocess.Popen(
            command or ("make", "run"),
            cwd=ROOT,
            env=self.env,
            stdout=self.output.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def url(self, process: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports[process]}{path}"

    def wait_until_ready(self, seconds: float = 400) -> float:
        """Wait for api and panel; returns how many seconds that took."""
        started = time.monotonic()
        for process, path in (("api", "/health/ready"), ("panel", "/_stcore/health")):
            self.wait_for(process, path, started + seconds)
        return time.monotonic() - started

    def wait_for(self, process: str, path: str, end: float) -> None:
        # one client for all questions: to make one takes longer than to ask
        with httpx.Client(timeout=2, trust_env=False, verify=False) as client:
            while time.monotonic() < end:
                assert self.make.poll() is None, f"it ended: {self.tail()}"
                with suppress(httpx.HTTPError):
                    if client.get(self.url(process, path)).is_success:
                        return
                time.sleep(0.1)
        raise AssertionError(f"{process} is not ready: {self.tail()}")

    def tail(self) -> str:
        return self.output.read_text()[-3000:]

    def stop(self, number: int = signal.SIGTERM, seconds: float = 120) -> int:
        if self.make.poll() is None:
            self.make.send_signal(number)
        return self.make.wait(seconds)

    def pilothouse(self, *words: str, check: bool = True) -> str:
        """Run a command of the command line; returns what it printed."""
        done = subprocess.run(
            [str(Path(sys.executable).parent / "pilothouse"), *words],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if not check else "")

    def stored(self, table: str = "prediction") -> set[str]:
        """The keys of what the database has by now."""
        key = {"prediction": "id", "label": "prediction_id"}[table]
        with closing(sqlite3.connect(self.home / "pilothouse.db")) as database:
            return {row[0] for row in database.execute(f"select {key} from {table}")}

    def proposed(self) -> set[str]:
        """The titles of all that was ever proposed for a decision."""
        with closing(sqlite3.connect(self.home / "pilothouse.db")) as database:
            return {row[0] for row in database.execute("select title from recommendation")}

    def children(self) -> dict[str, int]:
        """The pid of each process that supervisord keeps, by name."""
        socket = f"unix://{self.home}/run/supervisor.sock"
        with suppress(OSError, Fault):  # it just starts or ends
            key = (self.home / "run" / "supervisor.key").read_text()
            way = SupervisorTransport("pilothouse", key, serverurl=socket)
            with ServerProxy("http://127.0.0.1", way) as asked:
                rows = asked.supervisor.getAllProcessInfo()
            return {row["name"]: row["pid"] for row in rows if row["statename"] == "RUNNING"}
        return {}
