"""The worker: carries out jobs, keeps the schedule, sends messages. Any number may run."""

import logging
import os
import secrets
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from core import actions, incidents, jobs, outbox, outcomes, recommendations
from core.adapters import channels
from core.agent import lapsing
from core.automation import child, schedule, unserved
from core.automation.runners import RUNNERS, warm
from core.clock import monotonic
from core.errors import PilothouseError, UnavailableError
from core.jobs import Claim
from core.panel import Panel

log = logging.getLogger("worker")
JOB_THREADS = 2
LOOK_SECONDS = 15
REVIEW_SECONDS = 60


def run(panel: Panel, stop: threading.Event) -> None:
    """Work until `stop` is set; then let each thread end what it holds or give it back."""
    owner = f"{socket.gethostname()}-{secrets.token_hex(4)}"
    stop_schedule = schedule.start(panel, owner)
    threading.Thread(target=warm, args=(panel.settings,), daemon=True, name="warm").start()
    loops: list[Callable[[], None]] = [lambda: work_once(panel, owner, stop)] * JOB_THREADS
    loops += [lambda: send_once(panel), lambda: look_once(panel, stop)]
    loops += [lambda: review_once(panel, stop)]
    threads = [
        threading.Thread(target=_repeat, args=(loop, stop), name=f"worker-{index}")
        for index, loop in enumerate(loops)
    ]
    for thread in threads:
        thread.start()
    log.info("worker %s is ready", owner)
    for thread in threads:
        thread.join()
    stop_schedule()


def _repeat(step: Callable[[], None], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            step()
        except PilothouseError as problem:  # the database is away, for example: wait and retry
            log.warning("%s", problem)
            stop.wait(2)
        except Exception:  # a thread that dies silently would leave a worker that only looks alive
            log.exception("a step of the worker broke; it goes on")
            stop.wait(2)
        stop.wait(0.5)


def send_once(panel: Panel) -> None:
    """Send the messages that are due, and let proposals lapse whose time is over."""
    recommendations.expire(panel.db)
    outbox.send_due(panel.db, channels.senders(panel.settings))


def look_once(panel: Panel, stop: threading.Event) -> None:
    """Let alerts and incidents follow the clock: silences that end, releases that serve again."""
    incidents.look(panel.db, panel.settings)
    unserved.clear(panel.db, panel.settings)
    actions.reconcile(panel.db)
    stop.wait(LOOK_SECONDS)


def review_once(panel: Panel, stop: threading.Event) -> None:
    """Let proposals lapse that fresh facts no longer ask for; grade what came of earlier ones."""
    try:
        lapsing.lapse(panel.db)
    finally:  # one of the two may fail for long: the other goes on
        outcomes.grade_due(panel.db, panel.settings)
        stop.wait(REVIEW_SECONDS)


def work_once(panel: Panel, owner: str, stop: threading.Event) -> None:
    """Carry out jobs until none waits."""
    lease = timedelta(seconds=panel.settings.job_lease_seconds)
    for lost in jobs.abandoned(panel.db, owner, lease=lease):
        child.give_up(panel, lost, "its worker stopped without a word, on the last attempt")
    while not stop.is_set() and (claim := jobs.claim(panel.db, owner, lease=lease)):
        carry_out(panel, claim, stop)


def carry_out(panel: Panel, claim: Claim, stop: threading.Event) -> None:
    """Carry out one claimed job to an end that is recorded, whatever happens."""
    log.info("job %s (%s) starts, attempt fence %d", claim.job_id, claim.kind, claim.fence)
    if claim.kind not in RUNNERS:
        jobs.finish(panel.db, claim, "failed", error=f"this version knows no job {claim.kind}")
    elif RUNNERS[claim.kind].in_child:
        _in_child(panel, claim, stop)
    else:
        _in_thread(panel, claim)


def _in_thread(panel: Panel, claim: Claim) -> None:
    with _beating(panel, claim):
        try:
            result = RUNNERS[claim.kind].work(panel, claim)
        except UnavailableError as problem:
            _try_again(panel, claim, str(problem), seconds=5)
        except PilothouseError as problem:
            child.give_up(panel, claim, str(problem))
        except Exception as fault:
            log.exception("job %s (%s) broke", claim.job_id, claim.kind)
            _try_again(panel, claim, f"an unexpected fault: {type(fault).__name__}")
        else:
            jobs.finish(panel.db, claim, "succeeded", result=result)


@contextmanager
def _beating(panel: Panel, claim: Claim) -> Iterator[None]:
    lease = timedelta(seconds=panel.settings.job_lease_seconds)
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(lease.total_seconds() / 3):
            with suppress(UnavailableError):  # the next beat tries again, within the lease
                jobs.heartbeat(panel.db, claim, lease=lease)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _in_child(panel: Panel, claim: Claim, stop: threading.Event) -> None:
    """Run the job in a child process; kill it when the claim is lost, cancelled, or we must go."""
    lease = timedelta(seconds=panel.settings.job_lease_seconds)
    process = child.start(claim)
    next_beat = monotonic()
    while process.poll() is None:
        stop.wait(0.2)
        if stop.is_set():
            _kill(process)
            jobs.release(panel.db, claim)
            return
        if monotonic() >= next_beat:
            next_beat = monotonic() + min(2.0, lease.total_seconds() / 3)
            if not _still_ours(panel, claim, lease):
                _kill(process)
                _after_loss(panel, claim)
                return
    if process.returncode not in (0, child.RECORDED):
        _try_again(panel, claim, f"its process ended with code {process.returncode}")


def _still_ours(panel: Panel, claim: Claim, lease: timedelta) -> bool:
    try:
        return jobs.heartbeat(panel.db, claim, lease=lease)
    except UnavailableError:
        return True  # the lease in the database decides, once the database is back


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _after_loss(panel: Panel, claim: Claim) -> None:
    with panel.db.read() as session:
        job = jobs.get(session, claim.job_id)
    if job.cancel_requested and job.fence == claim.fence and job.state == "running":
        RUNNERS[claim.kind].on_cancel(panel, claim, "cancelled")
        jobs.finish(panel.db, claim, "cancelled")


def _try_again(panel: Panel, claim: Claim, why: str, *, seconds: float = 2) -> None:
    if not jobs.retry(panel.db, claim, error=why, delay=timedelta(seconds=seconds)):
        child.give_up(panel, claim, why)


def never() -> threading.Event:
    """Return an event that nobody sets, for carrying out one job outside a worker."""
    return threading.Event()
