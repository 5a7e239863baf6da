"""Kinds about experiments: start, widen, stop."""

from core import releases
from core.actions.cases import Back, Case, Effect, inverse, serving
from core.experiments import lifecycle
from core.tables.base import Json


def _start(case: Case) -> tuple[Json, Json]:
    experiment_id = case.arguments["experiment_id"]
    release = lifecycle.start_in(case.command, experiment_id)
    return serving(release), inverse("stop_experiment", experiment_id=experiment_id)


def _widen(case: Case) -> tuple[Json, Json]:
    experiment_id, share = case.arguments["experiment_id"], float(case.arguments["share"])
    release = lifecycle.widen_in(case.command, experiment_id, share)
    return serving(release), inverse("stop_experiment", experiment_id=experiment_id)


def _stop(case: Case) -> tuple[Json, Json]:
    lifecycle.stop_in(case.command, case.arguments["experiment_id"], reason=case.row.title)
    return serving(releases.find_current(case.session, case.model)), {}


def _end(back: Back) -> str:
    experiment_id = back.action.arguments["experiment_id"]
    row = lifecycle.stop_in(back.command, experiment_id, reason=back.reason)
    back.action.state = "reverted"
    return f"experiment {row.name} is stopped; {row.control} serves everything"


EFFECTS = {
    "start_experiment": Effect(_start),
    "widen_experiment": Effect(_widen),
    "stop_experiment": Effect(_stop),
}

INVERSES = {"stop_experiment": _end}

FINAL = {"stop_experiment": "draft a new experiment to compare these versions again"}
