"""Kinds about experiments: start, widen, stop."""

from core import releases
from core.actions.cases import Back, Case, Effect, Found, inverse, serving
from core.actions.proposing import propose_back
from core.actions.releasing import note_back, own_release
from core.errors import ConflictError
from core.experiments import lifecycle
from core.tables.base import Json
from core.tables.entities import Experiment


def _start(case: Case) -> tuple[Json, Json]:
    experiment_id = case.arguments["experiment_id"]
    release = lifecycle.start_in(case.command, experiment_id, seen=case.row.release_seq)
    return serving(release), inverse("stop_experiment", experiment_id=experiment_id)


def _widen(case: Case) -> tuple[Json, Json]:
    experiment_id = case.arguments["experiment_id"]
    former = lifecycle.get(case.session, experiment_id).share
    share, seen = float(case.arguments["share"]), case.row.release_seq
    release = lifecycle.widen_in(case.command, experiment_id, share, seen=seen)
    way_back = inverse("widen_experiment", experiment_id=experiment_id, share=f"{former:g}")
    return serving(release), way_back


def _stop(case: Case) -> tuple[Json, Json]:
    experiment_id, seen = case.arguments["experiment_id"], case.row.release_seq
    lifecycle.stop_in(case.command, experiment_id, reason=case.row.title, seen=seen)
    return serving(releases.find_current(case.session, case.model)), {}


def _end(back: Back) -> str:
    row = _running(back)
    lifecycle.stop_in(back.command, row.id, reason=back.reason)
    note_back(back.action, releases.current(back.session, row.model))
    return f"experiment {row.name} is stopped; {row.control} serves everything"


def _narrow(back: Back) -> str:
    """Give an experiment its former share: less at once, more as a proposal."""
    row, share = _running(back), float(back.arguments["share"])
    own_release(back)
    if share > row.share:
        title = f"Let {share:.1%} of the traffic of {row.model} meet {row.treatment} again"
        return propose_back(back, "widen_experiment", title)
    note_back(back.action, lifecycle.widen_in(back.command, row.id, share))
    return f"experiment {row.name} has {share:.1%} of the traffic again"


def _runs(found: Found) -> None:
    _running(found)


def _runs_as_set(found: Found) -> None:
    _running(found)
    own_release(found)


def _running(done: Back | Found) -> Experiment:
    """Return the action's experiment. Raises: ConflictError (it does not run any more)."""
    row = lifecycle.get(done.session, done.arguments["experiment_id"])
    if (state := lifecycle.true_state(done.session, row)) != "running":
        raise ConflictError(f"experiment {row.name} is {state} already")
    return row


EFFECTS = {
    "start_experiment": Effect(_start),
    "widen_experiment": Effect(_widen),
    "stop_experiment": Effect(_stop),
}

INVERSES = {"stop_experiment": _end, "widen_experiment": _narrow}

STILL = {"stop_experiment": _runs, "widen_experiment": _runs_as_set}

FINAL = {"stop_experiment": "draft a new experiment to compare these versions again"}
