"""Setting the number of replicas outside: by an admin's command, or by a signed webhook.

Both are told the id of the action, which stays the same when a worker died and it is done again.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import IO

from core.actions.external import Scaler
from core.adapters import webhook
from core.errors import PilothouseError, UnavailableError
from core.settings import Settings, environment_for_others

SECONDS = 60.0
"""How long the command or the webhook may take."""
PAUSES = (1.0, 3.0)
"""Seconds before a webhook that did not answer, or was too busy, is asked again."""
MOST_WORDS = 200


def scaler(settings: Settings) -> Scaler | None:
    """Return what sets the number of replicas here, or None where nothing is set up."""
    if settings.scale_command:
        return CommandScaler(settings)
    url = settings.scale_webhook_url
    return WebhookScaler(settings) if url and url.get_secret_value() else None


class CommandScaler:
    """Runs `scale_command` without a shell; ``{replicas}`` in an argument becomes the number."""

    def __init__(self, settings: Settings, *, seconds: float = SECONDS) -> None:
        self._template, self._seconds = settings.scale_command, seconds

    def scale(self, *, action_id: str, replicas: int) -> str:
        """Run the command to its end. Raises: PilothouseError (why it did not succeed)."""
        words = self._words(replicas)
        with tempfile.TemporaryFile() as said:
            process = _start(words, action_id, said)
            try:
                code = process.wait(self._seconds)
            except subprocess.TimeoutExpired:
                raise PilothouseError(
                    f"{words[0]} took longer than {self._seconds:g} s and was ended;"
                    " look how many replicas there are"
                ) from None
            finally:
                if process.poll() is None:
                    _end(process)
            if code:
                raise PilothouseError(f"{words[0]} ended with code {code}{_last_line(said)}")
        return f"{words[0]} ended well"

    def _words(self, replicas: int) -> list[str]:
        try:
            words = shlex.split(self._template)
        except ValueError as fault:
            raise PilothouseError(f"PILOTHOUSE_SCALE_COMMAND cannot be read: {fault}") from fault
        if not any("{replicas}" in word for word in words[1:]):
            raise PilothouseError("PILOTHOUSE_SCALE_COMMAND needs an argument with {replicas}")
        return [words[0], *(word.replace("{replicas}", str(replicas)) for word in words[1:])]


def _start(words: list[str], action_id: str, said: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start the command in a group of its own; it is ended when this process dies."""
    try:
        return subprocess.Popen(  # noqa: S603 (an admin's words, and a number)
            [sys.executable, "-m", "core.lifeline", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**environment_for_others(), "PILOTHOUSE_ACTION_ID": action_id},
            start_new_session=True,
        )
    except (OSError, ValueError) as fault:
        raise PilothouseError(f"{words[0]} cannot be started: {type(fault).__name__}") from fault


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing of the command behind, whatever it started itself."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(said: IO[bytes]) -> str:
    """Return the last thing the command said, as words that may be shown."""
    said.seek(max(0, said.seek(0, os.SEEK_END) - 4096))
    lines = said.read().decode(errors="replace").strip().splitlines()
    words = "".join(c if c.isprintable() else " " for c in lines[-1])[:MOST_WORDS] if lines else ""
    return f": {words}" if words else ""


class WebhookScaler:
    """Posts ``{action_id, replicas}``, signed as messages are; asks again when nobody answers.

    The receiver tells a repetition by the header ``Idempotency-Key``, the id of the action.
    """

    def __init__(self, settings: Settings, *, seconds: float = SECONDS) -> None:
        self._settings, self._seconds = settings, seconds

    def scale(self, *, action_id: str, replicas: int) -> str:
        """Post until it is answered. Raises: PilothouseError (what was answered)."""
        url = self._settings.scale_webhook_url
        parts = webhook.split(
            url.get_secret_value() if url else "", setting="PILOTHOUSE_SCALE_WEBHOOK_URL"
        )
        host, problem = parts.hostname, ""
        told = {"action_id": action_id, "replicas": replicas}
        for pause in (*PAUSES, None):
            try:
                status = webhook.post(
                    self._settings,
                    parts,
                    action_id,
                    json.dumps(told, separators=(",", ":")).encode(),
                    headers={"idempotency-key": action_id},
                    timeout=self._seconds / (1 + len(PAUSES)),
                )
            except UnavailableError as fault:
                problem = str(fault)
            else:
                if 200 <= status < 300:
                    return f"{host} answered {status}"
                problem = f"{host} answered {status}"
                if status < 500 and status not in (409, 425, 429):
                    break
            if pause is not None:
                time.sleep(pause)
        raise PilothouseError(problem)
