"""Fits on a Ray cluster that exists already; its nodes have this product installed too."""

import copy
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from core.errors import UnavailableError

RETRIES = 3  # how often Ray carries a task out again whose process or machine was lost
WAIT_SECONDS = 1.0
CONNECT_SECONDS = 5.0
Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")


class RayExecutor:
    """Sends each task to a cluster; the shared data is sent once and kept in its object store."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._sent: Any = None
        self._kept: Any = None
        self._ours = False

    def run(
        self, work: Callable[[Shared, Task], Result], shared: Shared, tasks: Sequence[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Yield the place of each task and its result, as they end.

        Raises: UnavailableError (Ray is not installed, the cluster is away or was lost), and
        what `work` raises.
        """
        ray = self._connected()
        try:
            yield from self._results(ray, work, shared, tasks)
        except ray.exceptions.RayTaskError as fault:
            raise fault.cause from fault
        except (ray.exceptions.RayError, ConnectionError) as lost:
            why = str(lost).splitlines()[0]
            raise UnavailableError(f"the Ray cluster at {self._address} was lost: {why}") from lost

    def _results(
        self,
        ray: Any,  # noqa: ANN401 (a module without types)
        work: Callable[[Shared, Task], Result],
        shared: Shared,
        tasks: Sequence[Task],
    ) -> Iterator[tuple[int, Result]]:
        if self._sent is not shared:
            self._sent, self._kept = shared, ray.put(shared)
        remote = ray.remote(max_retries=RETRIES, num_cpus=1)(_work)
        waiting = {remote.remote(work, self._kept, task): place for place, task in enumerate(tasks)}
        try:
            while waiting:
                ended, _ = ray.wait(list(waiting), num_returns=1, timeout=WAIT_SECONDS)
                for reference in ended:
                    result = ray.get(reference)
                    yield waiting.pop(reference), result
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)

    def _connected(self) -> Any:  # noqa: ANN401 (a module without types)
        try:
            import ray
        except ImportError as missing:
            raise UnavailableError(
                "Ray is not installed here: run pip install -r requirements-ray.txt, "
                "or leave PILOTHOUSE_RAY_ADDRESS empty"
            ) from missing
        if not ray.is_initialized():
            self._check_reachable()
            try:
                ray.init(address=self._address, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, ValueError, RuntimeError, TimeoutError) as away:
                raise self._away() from away
            self._ours = True
        return ray

    def _check_reachable(self) -> None:
        """Try the port first: Ray itself would wait for minutes."""
        host, _, port = self._address.rpartition("//")[2].rpartition(":")
        if not (host and port.isdigit()):
            return
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
        except (OSError, OverflowError) as away:
            raise self._away() from away

    def _away(self) -> UnavailableError:
        return UnavailableError(
            f"no Ray cluster answers at {self._address} (PILOTHOUSE_RAY_ADDRESS)"
        )

    def close(self) -> None:
        """Leave the cluster; it goes on without us."""
        if self._ours:
            import ray

            ray.shutdown()
        self._ours, self._sent, self._kept = False, None, None


def _work(work: Callable[[Shared, Task], Result], shared: Shared, task: Task) -> Result:
    own = copy.deepcopy(shared)  # Ray's is read-only, and some libraries sort what they read
    with threadpool_limits(1):
        return work(own, task)
