"""Where fits are carried out: in this process, in several of this machine, or on a cluster."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from threadpoolctl import threadpool_limits

from core import lifeline
from core.clock import monotonic
from core.errors import InvalidInputError
from core.settings import Settings

WORTH_SECONDS = 4.0  # what starting the processes costs, with the libraries they import
MOST_LOSSES = 3  # how often the processes may die before we stop starting new ones
PRELOADED = ["core.training.trying"]

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")
Work = Callable[[Shared, Task], Result]


class Executor(Protocol):
    """Carries out tasks on shared data. What comes back does not depend on where they ran."""

    def run(
        self, work: Work[Shared, Task, Result], shared: Shared, tasks: Sequence[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Yield the place of each task and its result, as they end; `work` is a module's function.

        The same `shared` object is sent once for all runs. A process or machine that is lost takes
        no result with it: its tasks are carried out again.

        Raises: UnavailableError (no cluster answers), InvalidInputError (processes keep dying),
        and what `work` raises.
        """
        ...

    def close(self) -> None:
        """End whatever was started."""
        ...


class LocalExecutor:
    """Uses the cores of this machine, once what remains takes longer than starting processes.

    `processes` 0 stands for the cores. Each process computes with one thread: the results stay
    the same however many there are, and they do not wait for each other.
    """

    def __init__(self, processes: int = 0, *, worth_seconds: float = WORTH_SECONDS) -> None:
        self._processes = processes or len(os.sched_getaffinity(0))
        self._worth = worth_seconds
        self._pool: ProcessPoolExecutor | None = None
        self._sent: Any = None

    def run(
        self, work: Work[Shared, Task, Result], shared: Shared, tasks: Sequence[Task]
    ) -> Iterator[tuple[int, Result]]:
        """Yield places and results: alone at first, with others once that is faster."""
        left = list(range(len(tasks)))
        if self._sent is not shared:
            self.close()
        yield from self._alone(work, shared, tasks, left)
        losses = 0
        while left:
            try:
                yield from self._together(work, shared, tasks, left)
            except BrokenProcessPool as lost:
                self.close()
                losses += 1
                if losses == MOST_LOSSES:
                    raise InvalidInputError(
                        f"the processes that fit models were killed {losses} times, most likely "
                        "for want of memory: take fewer rows or candidates, or set "
                        "PILOTHOUSE_TRAINING_PROCESSES to 1"
                    ) from lost

    def _alone(
        self,
        work: Work[Shared, Task, Result],
        shared: Shared,
        tasks: Sequence[Task],
        left: list[int],
    ) -> Iterator[tuple[int, Result]]:
        started, done = monotonic(), 0
        while left and self._pool is None:
            if done and self._saved(monotonic() - started, done, len(left)) > self._worth:
                return
            place = left[0]
            with threadpool_limits(1):
                result = work(shared, tasks[place])
            del left[0]
            done += 1
            yield place, result

    def _saved(self, seconds: float, done: int, left: int) -> float:
        helpers = min(self._processes, left)
        return seconds / done * left * (1 - 1 / helpers)

    def _together(
        self,
        work: Work[Shared, Task, Result],
        shared: Shared,
        tasks: Sequence[Task],
        left: list[int],
    ) -> Iterator[tuple[int, Result]]:
        pool = self._pool or self._start(shared)
        waiting: dict[Future[Result], int] = {
            pool.submit(_work, work, tasks[place]): place for place in left
        }
        try:
            for future in as_completed(waiting):
                result = future.result()
                left.remove(waiting[future])
                yield waiting[future], result
        finally:  # the caller may have enough
            for future in waiting:
                future.cancel()

    def _start(self, shared: Any) -> ProcessPoolExecutor:  # noqa: ANN401 (whatever the work reads)
        context = multiprocessing.get_context("forkserver")  # no thread is ever copied half-way
        context.set_forkserver_preload(PRELOADED)
        self._sent = shared
        self._pool = ProcessPoolExecutor(
            self._processes, mp_context=context, initializer=_begin, initargs=(shared,)
        )
        return self._pool

    def close(self) -> None:
        """End the processes; what they still compute is not waited for."""
        pool, self._pool, self._sent = self._pool, None, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
            process.join()


_shared: Any = None


def _begin(shared: Any) -> None:  # noqa: ANN401 (whatever the work reads)
    global _shared
    lifeline.end_with_parent()
    _shared = shared


def _work(work: Work[Any, Task, Result], task: Task) -> Result:
    with threadpool_limits(1):  # also the libraries that were loaded since
        return work(_shared, task)


def local(settings: Settings) -> LocalExecutor:
    """Return the executor of this machine, as configured."""
    return LocalExecutor(settings.training_processes)
