"""Real workers in processes of their own, on the data folder of a test."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from core.settings import Settings


@dataclass(frozen=True)
class Place:
    """Where workers work, and whom they call."""

    settings: Settings
    outside: str

    @property
    def called(self):
        """The settings of who calls as the workers do."""
        url = SecretStr(f"{self.outside}/scale")
        more = {"scale_webhook_url": url, "webhook_allow_private": True, "scale_command": ""}
        return self.settings.model_copy(update=more)

    def environment(self):
        mine = {
            "ENV": "test",
            "LOG_LEVEL": "INFO",
            "HOME": str(self.settings.root),
            "DATABASE_URL": self.settings.database_url,
            "SECRET_KEY": self.settings.secret_key.get_secret_value(),
            "JOB_LEASE_SECONDS": "1",
            "SCALE_WEBHOOK_URL": f"{self.outside}/scale",
            "SCALE_MOST": "1000",
            "MONITORING_WEBHOOK_URL": f"{self.outside}/message",
            "WEBHOOK_ALLOW_PRIVATE": "true",
        }
        return {**os.environ, **{f"PILOTHOUSE_{name}": value for name, value in mine.items()}}


class Worker:
    """One `pilothouse serve worker`; the block begins with its `turns`th action, and ends it."""

    def __init__(self, place, turns):
        self._place, self._turns = place, turns

    def __enter__(self):
        path = self._place.settings.root / f"worker-{os.urandom(4).hex()}"
        with path.open("w") as words:
            self._process = subprocess.Popen(
                [Path(sys.executable).with_name("pilothouse"), "serve", "worker"],
                env=self._place.environment(),
                stdout=words,
                stderr=words,
            )
        deadline = time.monotonic() + 120
        while (said := path.read_text()).count("(execute) starts") < self._turns:
            assert self._process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.05)
        return self

    def kill(self):
        self._process.kill()

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)
