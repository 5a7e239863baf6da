"""Judging data with the validation library; for processes of their own, which end afterwards."""

from core import runs, specs
from core.access import system
from core.datasets import versions
from core.errors import NotFoundError
from core.panel import Panel
from core.specs import ModelSpec
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


def before_training(panel: Panel, run_id: str) -> None:
    """Judge what a run may learn from: uploads that wait for it, and the rows of the source.

    What the same suite has judged before costs nothing again. A rejection is not an error here:
    the training itself refuses such data, with the report's words.
    Raises: NotFoundError (run), InvalidInputError (no source answers).
    """
    with panel.db.read() as session:
        run = runs.get(session, run_id)
        spec = specs.at_version(session, run.model, run.spec_version)
        waiting = [row.id for row in versions.pending(session, spec.name)]
    for dataset_id in waiting:
        judge(panel, dataset_id)
    if _reads_source(run, spec):
        from core.adapters.expectations import GreatExpectations

        versions.load(
            panel.db, _WORKER, panel.settings, spec.name, spec=spec, validator=GreatExpectations()
        )


def _reads_source(run: Run, spec: ModelSpec) -> bool:
    source = spec.source
    named = source.path or source.download or source.builtin
    return run.dataset_id is None and run.kind == "train" and run.version is None and bool(named)
