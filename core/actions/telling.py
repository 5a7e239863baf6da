"""Kinds that ask others to do something: a training."""

from core import runs
from core.actions.cases import Case, Effect
from core.tables.base import Json


def _retrain(case: Case) -> tuple[Json, Json]:
    run = runs.request_in(
        case.command, case.model, kind="retrain", trigger="recommendation", reason=case.row.title
    )
    return {"run_id": run.id}, {}


EFFECTS = {"retrain": Effect(_retrain)}

FINAL = {"retrain": "a training changes nothing that serves; cancel it while it runs"}
