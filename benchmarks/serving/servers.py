"""The servers that are compared, each started on a free port for one case."""

import sys
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import select

from benchmarks.serving import load
from benchmarks.serving.cases import SECRET, Case
from benchmarks.serving.processes import Process, free_port
from core.clock import utc_now
from core.db import Database
from core.serving import spool
from core.tables.telemetry import SpoolPosition

_LONGEST_DRAIN = 120


class Server(ABC):
    """One started server; `requests` are what it is asked, in turn."""

    name: str
    path = "/predict"
    asks = "ours"

    def __init__(self, case: Case) -> None:
        self.case, self.port = case, free_port()
        self.processes = self._start()
        bodies = case.bodies[self.asks]
        headers = self._headers()
        self.requests = [
            load.request(self.path, one, port=self.port, headers=headers) for one in bodies
        ]

    @abstractmethod
    def _start(self) -> list[Process]:
        """Start what answers, first, and what belongs to it."""

    def _headers(self) -> list[tuple[str, str]]:
        return []

    def _log(self, what: str) -> Path:
        return self.case.folder / f"{what}.log"

    def _uvicorn(
        self, factory: str, health: str, environment: dict[str, str], *, http: str = "httptools"
    ) -> Process:
        return Process(
            ["-m", "uvicorn", factory, "--factory", "--port", str(self.port)]
            + ["--no-access-log", "--loop", "uvloop", "--http", http, "--ws", "none"],
            environment=environment,
            log=self._log(self.name),
            url=f"http://127.0.0.1:{self.port}{health}",
        )

    def settle(self) -> None:  # noqa: B027 (most leave nothing)
        """Wait until what the last requests left to do is done."""

    def cpu_seconds(self) -> tuple[float, float]:
        """Return the processor time so far: of what answers, and of what belongs to it."""
        first, *others = (one.cpu_seconds() for one in self.processes)
        return first, sum(others)

    def memory_mb(self) -> float:
        """Return the resident memory of what answers, in MiB."""
        return self.processes[0].memory_mb()

    @property
    def seconds_to_ready(self) -> float:
        """How long the start took."""
        return self.processes[0].seconds_to_ready

    def end(self) -> None:
        """End all processes."""
        with ExitStack() as stack:
            for one in self.processes:
                stack.callback(one.end)


class Ours(Server):
    """The api and the shipper as `pilothouse serve` starts them: keys checked, answers logged."""

    name = "pilothouse"

    def _start(self) -> list[Process]:
        program, environment = str(Path(sys.executable).parent / "pilothouse"), self._environment()
        api = Process(
            [program, "serve", "api"],
            environment=environment,
            log=self._log("api"),
            url=f"http://127.0.0.1:{self.port}/health/ready",
        )
        shipper = Process(
            [program, "serve", "shipper"], environment=environment, log=self._log("shipper")
        )
        self._db = Database(self.case.settings, utc_now)
        return [api, shipper]

    def _environment(self) -> dict[str, str]:
        settings = self.case.settings
        return {
            "PILOTHOUSE_ENV": "test",
            "PILOTHOUSE_HOME": str(settings.root),
            "PILOTHOUSE_DATABASE_URL": settings.database_url,
            "PILOTHOUSE_SECRET_KEY": SECRET,
            "PILOTHOUSE_API_PORT": str(self.port),
        }

    def _headers(self) -> list[tuple[str, str]]:
        return [("X-API-Key", self.case.key)]

    def settle(self) -> None:
        """Wait until every answer is in the database: its cost belongs to the requests."""
        end = time.monotonic() + _LONGEST_DRAIN
        while self._left():
            if time.monotonic() > end:
                raise SystemExit("the shipper does not come to an end")
            time.sleep(0.2)

    def _left(self) -> int:
        files = {
            one.name: one.stat().st_size for one in spool.files(self.case.settings.folder("spool"))
        }
        with self._db.read() as session:
            moved = {row.spool: row.offset for row in session.scalars(select(SpoolPosition))}
        return sum(max(0, size - moved.get(name, 0)) for name, size in files.items())


class Bare(Ours):
    """The same api without key check and log."""

    name = "pilothouse without key and log"

    def _start(self) -> list[Process]:
        factory = "benchmarks.serving.bare:create"
        environment, http = self._environment(), "api.protocol:Protocol"
        return [self._uvicorn(factory, "/health/ready", environment, http=http)]

    def _headers(self) -> list[tuple[str, str]]:
        return []

    def settle(self) -> None:
        """Nothing is left to do."""


class Tutorial(Server):
    """FastAPI and scikit-learn with `async def`, as tutorials begin: the cheaper form."""

    name = "FastAPI + scikit-learn, async def"
    asks = "tutorial"
    factory = "create"

    def _start(self) -> list[Process]:
        model = {"TUTORIAL_MODEL": str(self.case.joblib_file)}
        return [self._uvicorn(f"benchmarks.serving.tutorial:{self.factory}", "/health", model)]


class Threaded(Tutorial):
    """The same with `def`, as FastAPI's documentation advises for work that blocks."""

    name = "FastAPI + scikit-learn, def"
    factory = "create_with_threads"


class MLflow(Server):
    """`mlflow models serve` with one worker."""

    name = "mlflow models serve"
    path = "/invocations"
    asks = "mlflow"

    def _start(self) -> list[Process]:
        command = ["-m", "mlflow", "models", "serve", "-m", str(self.case.mlflow_folder)]
        return [
            Process(
                [*command, "--env-manager", "local", "-p", str(self.port), "--workers", "1"],
                environment={"MLFLOW_DISABLE_TELEMETRY": "true"},
                log=self._log("mlflow"),
                url=f"http://127.0.0.1:{self.port}/ping",
            )
        ]
