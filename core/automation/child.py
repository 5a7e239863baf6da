"""One job in a process of its own: ``python -m core.automation.child JOB_ID FENCE``.

The parent keeps the claim alive and kills this process when the claim is lost or cancelled; this
process writes only through transactions that check the fence.
"""

import logging
import subprocess
import sys
from datetime import timedelta

from core import jobs, lifeline, logs
from core.automation.runners import RUNNERS
from core.errors import PilothouseError, UnavailableError
from core.jobs import Claim
from core.panel import Panel, build
from core.settings import Settings

log = logging.getLogger("child")
RECORDED = 4  # the exit code of a failure that was written down here
SOON = timedelta(seconds=5)  # until something that was away is asked again


def start(claim: Claim) -> "subprocess.Popen[bytes]":
    """Start the child process for a claim, in a process group of its own."""
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", "core.automation.child", claim.job_id, str(claim.fence)],
        start_new_session=True,
    )


def main(job_id: str, fence: str) -> int:
    """Carry out the claimed job; the exit code is 0 when it succeeded."""
    lifeline.end_with_parent()
    settings = Settings()
    panel = build(settings)
    with panel.db.read() as session:
        job = jobs.get(session, job_id)
    logs.start(job.kind, settings)
    claim = Claim(job.id, job.kind, dict(job.payload), int(fence))
    try:
        result = RUNNERS[job.kind].work(panel, claim)
    except UnavailableError as error:
        log.warning("job %s (%s) has to wait: %s", claim.job_id, claim.kind, error)
        if not jobs.retry(panel.db, claim, error=str(error), delay=SOON):
            give_up(panel, claim, str(error))
        return RECORDED
    except PilothouseError as error:
        give_up(panel, claim, str(error))
        return RECORDED
    jobs.finish(panel.db, claim, "succeeded", result=result)
    return 0


def give_up(panel: Panel, claim: Claim, why: str) -> None:
    """Record why a job failed for good: on what it was about first, then on the job.

    In this order a crash in between leaves a job that is given up again, not a run or an action
    that waits for ever.
    """
    log.error("job %s (%s) failed: %s", claim.job_id, claim.kind, why)
    jobs.say(panel.db, claim.job_id, why)
    if claim.kind in RUNNERS:
        RUNNERS[claim.kind].on_failure(panel, claim, why)
    jobs.finish(panel.db, claim, "failed", error=why)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
