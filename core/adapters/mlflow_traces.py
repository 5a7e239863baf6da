"""Shows conversations with the model on the tracking server: a view, never the record.

Spans leave through MLflow's own threads; a server that is away costs an answer nothing.
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from core.adapters.langchain_server import Secrets
from core.adapters.mlflow_store import MlflowStore
from core.errors import UnavailableError
from core.settings import Settings

log = logging.getLogger("traces")
EXPERIMENT = "pilothouse-agent"
RETRY_SECONDS = 60.0
_open: dict[str, "Traces"] = {}
_lock = threading.Lock()


def of(settings: Settings) -> "Traces | None":
    """Return this process's traces, opening them on the first call; None where they are off."""
    if not settings.agent_traces:
        return None
    with _lock:
        if settings.tracking_uri not in _open:
            _open[settings.tracking_uri] = traces = Traces(settings)
            threading.Thread(target=traces.open, daemon=True, name="traces").start()
        return _open[settings.tracking_uri]


class Traces:
    """Traces of one process; until `open` has reached the server, nothing is traced."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.ready = threading.Event()
        self.stopped = threading.Event()

    def open(self) -> None:
        """Reach the server and begin to trace; a server that is away is tried again, quietly."""
        while not self.ready.is_set() and not self.stopped.is_set():
            try:
                self.begin()
            except UnavailableError as problem:
                log.warning("conversations are not traced: %s", problem)
                self.stopped.wait(RETRY_SECONDS)

    def begin(self) -> None:
        """Begin to trace. Raises: UnavailableError (the server is away, or refused)."""
        store = MlflowStore(self._settings)
        with store.answering():
            client = store.client()
            _limits()
            import mlflow

            found = client.get_experiment_by_name(EXPERIMENT)
            experiment_id = found.experiment_id if found else store.create(client, EXPERIMENT)
            mlflow.set_experiment(experiment_id=experiment_id)
        mlflow.tracing.configure(span_processors=[self._hide])
        mlflow.langchain.autolog(silent=True)
        self.ready.set()

    @contextmanager
    def tagged(self, tags: Mapping[str, str]) -> Iterator[None]:
        """Give the traces of this block tags, by which they are found again."""
        if not self.ready.is_set():
            yield
            return
        import mlflow

        with mlflow.tracing.context(tags=dict(tags)):
            yield

    def _hide(self, span: Any) -> None:  # noqa: ANN401
        """Take the key out of what a span holds before it leaves."""
        hidden = Secrets(self._settings)
        if hidden.within(repr((span.inputs, span.outputs))):
            span.set_inputs("[held a secret]")
            span.set_outputs("[held a secret]")


def _limits() -> None:
    """Let what cannot be delivered be dropped after seconds, not minutes."""
    os.environ.update({"MLFLOW_ASYNC_TRACE_LOGGING_RETRY_TIMEOUT": "5"})  # noqa: TID251, as above
