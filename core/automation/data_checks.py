"""Judging data with the validation library; for processes of their own, which end afterwards."""

from core import jobs, runs
from core.access import system
from core.datasets import versions
from core.errors import NotFoundError
from core.jobs import Claim
from core.panel import Panel
from core.tables.entities import DatasetVersion, Run

_WORKER = system("worker")


def judge(panel: Panel, dataset_id: str) -> DatasetVersion:
    """Judge a pending version; see `versions.judge`."""
    from core.adapters.expectations import GreatExpectations

    validator = GreatExpectations()
    return versions.judge(panel.db, _WORKER, panel.settings, dataset_id, validator)


def refuse(panel: Panel, dataset_id: str, why: str) -> None:
    """Reject a version that could not be judged, unless it is gone."""
    try:
        versions.refuse(panel.db, _WORKER, dataset_id, why)
    except NotFoundError:
        return


def before_training(panel: Panel, claim: Claim) -> None:
    """Let a run wait for the uploads that it may learn from: judge them before it begins.

    Its progress says so. A rejection is not an error here: the training itself refuses such data,
    with the report's words. The job `validate` of an upload that was judged here does nothing.
    Raises: NotFoundError (the rows are gone), ConflictError (their file was changed).
    """
    with panel.db.read() as session:
        run = runs.get(session, claim.payload["run_id"])
        waiting = [row for row in versions.pending(session, run.model) if _may_learn(run, row)]
    for row in waiting:
        words = f"waits until the data is checked: {row.n_rows:,} rows, {row.source}"
        jobs.say(panel.db, claim.job_id, words)
        jobs.progress(panel.db, claim, done=0, total=1, note=words)
        judged = judge(panel, row.id)
        jobs.say(panel.db, claim.job_id, f"the data is {judged.state}")


def _may_learn(run: Run, row: DatasetVersion) -> bool:
    """Say whether a run may learn from an upload: the one that it names, or the best there is."""
    if run.state not in runs.OPEN:
        return False
    return row.id == run.dataset_id or (run.dataset_id is None and run.kind == "train")
